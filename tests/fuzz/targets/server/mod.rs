//! The whole server by rows of operations: connections, octets, calls that log in and carry
//! packets, lies of every kind, time, a changing configuration. After each one it is held to its
//! promises; after all of them it is left alone, must have forgotten everybody, and must serve a
//! good caller as if nothing had been.

mod bed;
mod ending;
mod six;
mod steps;

use super::input::Input;

/// The first octet is the configuration.
pub fn server(data: &[u8]) {
    let mut input = Input::new(data);
    let variant = input.u8();
    bed::in_bed(variant, |bed| {
        while !input.is_empty() {
            bed.step(&mut input);
            bed.check();
        }
        bed.finish();
    });
}
