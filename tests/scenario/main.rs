//! A server and its callers over a simulated line, in virtual time.

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod branch;
mod chaos;
mod fair;
mod frames;
mod goodbye;
mod gre;
mod hostile;
mod inform;
mod ipv6;
mod memory;
mod open;
mod outages;
mod personalities;
mod policies;
mod probe;
mod relay;
mod renegotiation;
mod replay;
mod rights;
mod silence;
mod stubborn;
mod times;
mod years;
