//! The calls, found by the Call ID that we gave.

use core::net::Ipv4Addr;

use heapless::String;

use super::event::ShownName;
use super::ipv6::Host;
use super::link::Link;
use super::probe::Probe;
use super::rights::Grant;
use super::server::ControlId;
use crate::limits::{MRU, USERNAME};
use crate::proto::tunnel::Tunnel;
use crate::random::Random;
use crate::time::Instant;

/// The outer addresses of a GRE packet that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The address that the peer dialled.
    pub local: Ipv4Addr,
    /// The peer's address.
    pub remote: Ipv4Addr,
}

/// What passed through a call: inner packets and their octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
}

/// One call: a tunnel, a link, and what belongs to them.
pub struct Call {
    /// The Call ID that we gave; it stands in the GRE packets that we receive.
    pub call_id: u16,
    /// The Call ID that the peer gave; it stands in the GRE packets that we send.
    pub peer_call_id: u16,
    /// The control connection of the call.
    pub control: ControlId,
    pub path: Path,
    pub tunnel: Tunnel,
    pub link: Link,
    pub traffic: Traffic,
    /// The account, once the login was right.
    pub user: Option<String<USERNAME>>,
    /// The name that the caller gave, right or wrong.
    pub name: ShownName,
    /// The inner address of the peer.
    pub lease: Option<Ipv4Addr>,
    /// What is known of the peer in IPv6.
    pub host: Host,
    /// How far the questions are whether a machine of the LAN has that address.
    pub probe: Option<Probe>,
    /// What the account may do.
    pub grant: Grant,
    /// Octets of the largest inner packet that the peer takes without fragmentation.
    pub mtu: u16,
    /// When the call began.
    pub since: Instant,
    /// The inner address under which packets could pass, once they could.
    pub online_as: Option<Ipv4Addr>,
    /// When the call must be open at the latest; `None` while it is.
    pub open_by: Option<Instant>,
    /// When to say that no GRE packet arrived.
    pub no_gre_at: Option<Instant>,
    /// When the answers to DHCPINFORMs so far are paid for.
    pub inform_at: Instant,
    /// The call waits in the queue of acknowledgments that are due.
    pub ack_queued: bool,
}

impl Call {
    /// A call that begins now; the Call IDs are ours and the peer's. No time is set for anything yet.
    pub fn new(
        [call_id, peer_call_id]: [u16; 2],
        control: ControlId,
        path: Path,
        link: Link,
        now: Instant,
    ) -> Call {
        Call {
            call_id,
            peer_call_id,
            control,
            path,
            tunnel: Tunnel::new(),
            link,
            traffic: Traffic::default(),
            user: None,
            name: ShownName::default(),
            lease: None,
            probe: None,
            host: Host::default(),
            grant: Grant::default(),
            mtu: MRU as u16,
            since: now,
            online_as: None,
            open_by: None,
            no_gre_at: None,
            inform_at: now,
            ack_queued: false,
        }
    }
}

/// The place of a call.
pub type Session = Option<Call>;

/// All calls. A slot's number is the low bits of its call's Call ID; the high bits are random, so
/// late or guessed packets find nobody.
pub struct Table<'a> {
    slots: &'a mut [Session],
    next: usize,
    live: usize,
}

impl<'a> Table<'a> {
    /// No calls; `slots` is at most `limits::SESSIONS` and `LOGINS` long.
    pub fn new(slots: &'a mut [Session]) -> Table<'a> {
        slots.fill_with(|| None);
        Table { slots, next: 0, live: 0 }
    }

    fn mask(&self) -> u16 {
        (self.slots.len().next_power_of_two() - 1) as u16
    }

    /// Number of calls.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Number of places.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The slot of the call with our `call_id`.
    pub fn find(&self, call_id: u16) -> Option<u16> {
        let slot = call_id & self.mask();
        self.get(slot).filter(|call| call.call_id == call_id).map(|_| slot)
    }

    /// The call in `slot`. (One function for all places that ask: for size, as the next.)
    #[inline(never)]
    pub fn get(&self, slot: u16) -> Option<&Call> {
        self.slots.get(usize::from(slot))?.as_ref()
    }

    /// The call in `slot`.
    #[inline(never)]
    pub fn get_mut(&mut self, slot: u16) -> Option<&mut Call> {
        self.slots.get_mut(usize::from(slot))?.as_mut()
    }

    /// All calls with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Call)> {
        let slots = (0u16..).zip(self.slots.iter());
        slots.filter_map(|(slot, session)| Some((slot, session.as_ref()?)))
    }

    /// Number of slots, to go through all of them while the table changes.
    pub fn slots(&self) -> u16 {
        self.slots.len() as u16
    }

    /// A free slot and an unused Call ID for it, or `None` when all are taken. Slots are handed
    /// out in turn, so that a Call ID does not return soon. Zero is no Call ID.
    pub fn vacancy(&self, random: &mut Random) -> Option<(u16, u16)> {
        let count = self.slots.len();
        let order = (self.next..count).chain(0..self.next.min(count));
        let slot = order.into_iter().find(|&slot| self.slots[slot].is_none())? as u16;
        let mask = self.mask();
        let call_id = random.u16() & !mask | slot;
        Some((slot, if call_id == 0 { mask.wrapping_add(1) } else { call_id }))
    }

    /// Puts a call into a vacant slot.
    pub fn insert(&mut self, slot: u16, call: Call) {
        if let Some(session) = self.slots.get_mut(usize::from(slot)) {
            self.live += usize::from(session.is_none());
            *session = Some(call);
            self.next = usize::from(slot) + 1;
        }
    }

    /// Takes a call out.
    pub fn remove(&mut self, slot: u16) -> Option<Call> {
        // Where it stands: what is only moved out stays behind in the slot.
        self.get_mut(slot)?.link.forget_keys();
        let call = self.slots.get_mut(usize::from(slot))?.take()?;
        self.live -= 1;
        Some(call)
    }
}
