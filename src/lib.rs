//! pptp-server's protocol library: everything of a PPTP server (RFC 2637) but the sockets.
//!
//! Pure computation: no clock, no socket, no heap, no `unsafe`; the compiler sees to it. Layers
//! look down only: `wire` reads and writes octets, `proto` holds one state machine per protocol,
//! `config` says what is wanted, `session` joins machines to calls and calls to a server.
//!
//! A packet's way from a caller to the LAN, in the order of the functions it meets:
//!
//! 1. [`session::Server::handle_gre`] finds the call by the Call ID of the GRE header
//!    ([`wire::gre`]) and checks the source address.
//! 2. [`proto::tunnel`] says whether it is the expected one; an early one waits in
//!    [`session::reorder`].
//! 3. [`wire::ppp`] names the protocol. MPPE is opened in place by [`proto::mppe`], control
//!    protocols go to [`session::link`].
//! 4. `session::inbound` checks the inner source, lowers the TCP MSS, and leaves the IP packet
//!    for the TUN in the same buffer.
//!
//! A broadcast has many receivers: [`session::Server::poll_relay`] makes the copies.
//!
//! The other way: [`session::Server::handle_tun`] finds the call by the inner destination,
//! encrypts in place and prepends PPP and GRE headers.

#![no_std]
#![forbid(unsafe_code)]

pub mod config;
pub mod limits;
pub mod packet;
pub mod proto;
pub mod random;
pub mod reason;
pub mod session;
pub mod time;
pub mod wire;
