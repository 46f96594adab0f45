//! A server and its callers over a simulated line, in virtual time.

#[path = "../common/mod.rs"]
mod common;

mod open;
mod renegotiation;
