//! What must hold between any two calls of the server's functions. Tests and fuzz targets ask for
//! it after every step; the program does not.

use super::server::{ControlId, Server};
use super::table::Call;
use crate::proto::mppe::Decryptor;

impl Server<'_> {
    /// Panics when the server contradicts itself.
    pub fn audit(&self) {
        assert_eq!(self.table.live(), self.table.iter().count(), "number of calls");
        let leases = self.table.iter().filter(|(_, call)| call.lease.is_some());
        assert_eq!(self.leases.count(), leases.count(), "number of leases");
        for (slot, call) in self.table.iter() {
            self.audit_call(slot, call);
        }
        for index in 0..self.controls.len() {
            self.audit_control(ControlId(index as u16));
        }
        for slot in self.reorder.owners() {
            assert!(self.table.get(slot).is_some(), "packets wait for a call that is over");
        }
        for (network, slot) in self.routes.iter() {
            let call = self.table.get(slot);
            assert!(call.is_some_and(|call| call.lease.is_some()), "{network} is behind nobody");
        }
        // The server never sleeps past a timer.
        self.audit_alarms();
    }

    /// Key changes that the packets of all calls have cost so far: the work that whoever sends them
    /// can cause.
    pub fn key_changes(&self) -> u32 {
        let decryptors = self.table.iter().filter_map(|(_, call)| call.link.decryptor.as_ref());
        decryptors.map(Decryptor::key_changes).sum()
    }

    fn audit_call(&self, slot: u16, call: &Call) {
        assert_eq!(self.table.find(call.call_id), Some(slot));
        assert_ne!(call.call_id, 0);
        assert!(!self.control(call.control).is_free(), "a call without connection");
        if let Some(address) = call.lease {
            assert_eq!(self.leases.find(address), Some(slot), "lease of {address}");
        }
        let ends = call.open_by.is_some() || call.link.cause().is_some();
        assert!(call.link.is_open() || ends, "a call that is not open and has no end");
        assert!(!call.link.is_open() || call.open_by.is_none(), "an open call that will end");
        assert!(call.link.is_open() || call.poll_timeout().is_some(), "a call without timer");
        assert_eq!(call.ack_queued, self.ack_queue.iter().any(|&queued| queued == slot));
    }

    fn audit_control(&self, id: ControlId) {
        let control = self.control(id);
        let own = || self.table.iter().filter(|(_, call)| call.control == id);
        let open = own().filter(|(_, call)| call.online_as.is_some()).count();
        assert_eq!(usize::from(control.calls), own().count(), "calls of a connection");
        assert_eq!(usize::from(control.open_calls), open, "open calls of a connection");
    }
}
