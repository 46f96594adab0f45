//! Where most of the time goes that a packet costs. A package of its own, since Cargo knows
//! optimisation levels by package only: this one is compiled for speed, all else for size.

#![no_std]
#![cfg_attr(not(mips_asm), forbid(unsafe_code))]
#![cfg_attr(mips_asm, deny(unsafe_code), feature(asm_experimental_arch))]

mod arc4;
mod key;
#[cfg(mips_asm)]
#[allow(unsafe_code)] // instructions that the compiler does not use by itself
mod mips;
mod part;
#[cfg(any(not(mips_asm), test))]
mod portable;
mod sha1;
mod sum;

#[cfg(mips_asm)]
use mips as fast;
#[cfg(not(mips_asm))]
use portable as fast;

pub use arc4::{Arc4, BUFFER, Buffer, Scratch};
pub use key::KeyChange;
pub use part::{HUGE, Huge, part};
pub use sha1::sha1;
pub use sum::{LARGE, Large, copy, sum};
