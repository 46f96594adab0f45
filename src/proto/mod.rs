//! One state machine per protocol. Time comes in as `now`, answers go out through return values
//! and a bounded queue of frames; nothing here knows of sockets or of other calls.

pub mod automaton;
pub mod ccp;
pub mod chap;
pub mod control;
pub mod frames;
pub mod ipcp;
pub mod ipv6cp;
pub mod lcp;
pub mod merge;
pub mod mppe;
pub mod mschap;
pub mod mss;
pub mod negotiator;
pub mod reply;
pub mod split;
pub mod tunnel;
pub mod ubus;
pub mod zone;
