//! Calls, and all of them together: [`Server`] is what the program around the library sees.

mod accounts;
mod alarms;
mod audit;
mod backoff;
mod bucket;
mod calls;
mod connections;
pub mod event;
mod inbound;
mod inform;
pub mod ipv6;
mod keepalive;
mod lan;
pub mod leases;
pub mod link;
pub mod login;
mod network;
mod outbound;
pub mod probe;
mod relay;
pub mod reorder;
pub mod rights;
mod router;
mod routes;
mod server;
mod shutdown;
pub mod status;
mod storage;
mod storm;
pub mod table;

pub use alarms::Alarm;
pub use event::{Event, Failure, Step};
pub use inbound::Taken;
pub use ipv6::Ipv6;
pub use lan::Lan;
pub use outbound::Forward;
pub use relay::Relayed;
pub use server::{ControlId, Server};
pub use status::SessionStatus;
pub use storage::{Sizes, Storage};
pub use table::{Call, Path, Session};

pub use crate::proto::control::Control;
pub use crate::proto::frames::Frame;
pub use reorder::Held;
