#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! placeholder
pub mod limits;
pub mod packet;
pub mod random;
pub mod reason;
pub mod time;
