//! A proper goodbye: LCP Terminate-Request to every caller, then Call-Disconnect-Notify, then
//! Stop-Control-Connection-Request; nobody is waited for longer than the limits below.

use super::server::{ControlId, Server};
use crate::reason::Cause;
use crate::time::{Deadline, Instant};

/// Milliseconds that callers have to acknowledge the end of PPP.
const CALLS_MS: u64 = 700;
/// Milliseconds that everything may take.
const ALL_MS: u64 = 1700;

/// How far the goodbye is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopping {
    calls_until: Instant,
    until: Instant,
    over: bool,
}

impl Server<'_> {
    /// Says goodbye to everybody. `is_finished` is true soon after.
    pub fn shutdown(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        let (calls_until, until) = (now + CALLS_MS, now + ALL_MS);
        self.stopping = Some(Stopping { calls_until, until, over: false });
        for slot in 0..self.table.slots() {
            if self.table.get(slot).is_some() {
                self.end_call(slot, Cause::Shutdown, now);
            }
        }
        for index in 0..self.controls.len() {
            let id = ControlId(index as u16);
            if self.control(id).calls == 0 {
                self.control_mut(id).stop(now);
                self.watch_control(id);
            }
        }
    }

    /// Whether everybody has been told, or was waited for long enough.
    pub fn is_finished(&self) -> bool {
        let quiet = |control: &crate::proto::control::Control| {
            control.is_free() || control.is_done() && control.output().is_empty()
        };
        self.stopping.is_some_and(|stopping| {
            stopping.over || self.table.live() == 0 && self.controls.iter().all(quiet)
        })
    }

    pub(super) fn stopping_timeout(&mut self, now: Instant) {
        let Some(mut stopping) = self.stopping else { return };
        if stopping.calls_until <= now {
            for slot in 0..self.table.slots() {
                self.finish_call(slot, Cause::Shutdown, now);
            }
        }
        stopping.over = stopping.until <= now;
        self.stopping = Some(stopping);
    }

    pub(super) fn stopping_deadline(&self) -> Option<Deadline> {
        let stopping = self.stopping.filter(|stopping| !stopping.over)?;
        let calls_left = self.table.live() > 0;
        let at = if calls_left { stopping.calls_until } else { stopping.until };
        Some((at, "goodbye"))
    }
}
