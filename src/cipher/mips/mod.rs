//! The hottest loops in instructions of MIPS32 release 2 that the compiler does not use for them, or not as
//! well. `portable` and `sum` have the same for all other processors, and for builds without them.
//!
//! One of the two places with `unsafe` (`tests/layers.rs`).

mod copy;
mod rc4;
mod sha1;

pub use copy::copy_blocks;
pub use rc4::{apply, apply_words, schedule};
pub use sha1::rest;

/// Numbers that are the same in each run (xorshift).
#[cfg(test)]
fn dice(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}
