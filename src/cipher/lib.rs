//! Where most of the time goes that a packet costs. A package of its own, since Cargo knows
//! optimisation levels by package only: this one is compiled for speed, all else for size.

#![no_std]
#![forbid(unsafe_code)]

mod arc4;
mod key;
mod part;
mod sha1;
mod sum;

pub use arc4::{Arc4, BUFFER, Buffer};
pub use key::KeyChange;
pub use part::{HUGE, Huge, part};
pub use sha1::sha1;
pub use sum::{LARGE, Large, copy, sum};
