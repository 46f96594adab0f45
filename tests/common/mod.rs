//! What the tests share: recordings, models of peers, and a server with its callers in virtual
//! time.

pub mod caller;
pub mod cipher;
pub mod dice;
pub mod habits;
pub mod inner;
pub mod ipv6;
pub mod layer;
pub mod line;
pub mod mppe_peers;
pub mod ppp;
pub mod recording;
pub mod world;
