//! Programs that are run when a caller comes online or goes. procd runs them where it can
//! (`ubus::hotplug`), since from our jail no shell is in sight; else we do, and never wait for one.

use std::ffi::{CStr, CString, c_int};
use std::fmt::{Arguments, Display, Write};

use log::debug;
use pptp::config::Config;
use pptp::session::{Event, Step};
use pptp::time::{Deadline, Instant, deadline};

use super::sys;
use super::ubus::Ubus;
use crate::io::log::warn;

/// Milliseconds that a program may take.
const LIMIT_MS: u64 = 10_000;

/// Programs that run at once.
const RUNNING: usize = 4;

/// Programs that wait for their turn; beyond them there is too much going on to tell about.
const WAITING: usize = 64;

/// OpenWrt's own way to run the scripts of a folder in /etc/hotplug.d, and the folder.
const HOTPLUG: [&CStr; 2] = [c"/sbin/hotplug-call", c"pptp-server"];

/// What is to be run for one step of a call.
struct Job {
    /// The call.
    id: u16,
    /// `NAME=value` and a NUL for each variable.
    environment: String,
}

struct Running {
    id: u16,
    pid: c_int,
    /// When it is killed; `None` once it was.
    until: Option<Instant>,
}

/// What runs and what waits.
#[derive(Default)]
pub struct Hooks {
    waiting: Vec<Job>,
    running: Vec<Running>,
    /// The calls that came online: one that renegotiates comes again.
    online: Vec<u16>,
    /// That something went wrong was told.
    told: bool,
}

impl Hooks {
    /// Runs what there is for an event, or has it run.
    pub fn take(&mut self, event: &Event, config: &Config, ubus: &mut Ubus, now: Instant) {
        let Some(job) = self.job(event, config) else { return };
        if ubus.hotplug(job.environment.as_bytes(), now) {
            return;
        }
        if self.waiting.len() == WAITING {
            return self.tell(format_args!("too many wait: one was left out"));
        }
        self.waiting.push(job);
        self.start(config, now);
    }

    fn job(&mut self, event: &Event, config: &Config) -> Option<Job> {
        let id = event.call_id?;
        let place = self.online.iter().position(|online| *online == id);
        match (&event.step, place) {
            (Step::Open { .. }, None) => self.online.push(id),
            (Step::Ended { .. }, Some(place)) => drop(self.online.swap_remove(place)),
            _ => return None,
        }
        let mut environment = String::new();
        describe(event, id, config, &mut |name, value| {
            _ = write!(environment, "{name}={value}\0");
        });
        Some(Job { id, environment })
    }

    /// Starts what may run now: of one call one after the other, so that it never goes before it came.
    fn start(&mut self, config: &Config, now: Instant) {
        while self.running.len() < RUNNING {
            let is_free = |job: &Job| self.running.iter().all(|running| running.id != job.id);
            let Some(job) = self.waiting.iter().position(is_free) else { return };
            let job = self.waiting.remove(job);
            match run(config, job.environment.as_bytes()) {
                Ok(pid) => {
                    let until = Some(now + LIMIT_MS);
                    self.running.push(Running { id: job.id, pid, until });
                }
                // No hook, and not OpenWrt.
                Err(_) if config.hook.is_empty() => {}
                Err(error) => self.tell(format_args!("{}: {error}", config.hook)),
            }
        }
    }

    /// Something that we started may have ended.
    pub fn child_ended(&mut self, config: &Config, now: Instant) {
        self.running.retain(|running| !sys::has_ended(running.pid));
        self.start(config, now);
    }

    /// When a program has had its time.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let first = self.running.iter().filter_map(|running| running.until).min();
        deadline(first, "time of a hook")
    }

    /// Kills what has had its time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut killed = false;
        for running in &mut self.running {
            if running.until.take_if(|until| *until <= now).is_some() {
                sys::kill(running.pid);
                killed = true;
            }
        }
        if killed {
            self.tell(format_args!("took more than 10 s and was killed"));
        }
    }

    /// Whether everything was run.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Says it once: what fails once most likely fails each time.
    fn tell(&mut self, what: Arguments) {
        if std::mem::replace(&mut self.told, true) {
            debug!("hook: {what}");
        } else {
            warn!("hook: {what} (said once)");
        }
    }
}

/// No program outlives us.
impl Drop for Hooks {
    fn drop(&mut self) {
        self.running.iter().for_each(|running| sys::kill(running.pid));
    }
}

/// The environment of a hook. No secret is in it.
fn describe(event: &Event, id: u16, config: &Config, put: &mut dyn FnMut(&str, &dyn Display)) {
    put("DEVICE", &config.device);
    put("SESSION", &id);
    put("PEER", &event.remote);
    // procd has a PATH of its own.
    if !config.hook.is_empty() {
        put("HOOK", &config.hook);
    }
    match &event.step {
        Step::Open { name, address, mtu, .. } => {
            put("ACTION", &"up");
            put("USERNAME", &name.as_str());
            put("ADDRESS", address);
            put("MTU", mtu);
        }
        Step::Ended { cause, name, address: Some(address), seconds, traffic } => {
            put("ACTION", &"down");
            put("USERNAME", &name.as_str());
            put("ADDRESS", address);
            put("CAUSE", &cause.name());
            put("DURATION", seconds);
            put("RX_BYTES", &traffic.rx_bytes);
            put("TX_BYTES", &traffic.tx_bytes);
        }
        _ => {}
    }
}

/// Starts the program that is configured, or OpenWrt's for hotplug scripts.
fn run(config: &Config, environment: &[u8]) -> std::io::Result<c_int> {
    let mut variables = vec![c"PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
    let texts = environment.split_inclusive(|&octet| octet == 0);
    variables.extend(texts.filter_map(|text| CStr::from_bytes_with_nul(text).ok()));
    if config.hook.is_empty() {
        return sys::spawn(&HOTPLUG, &variables);
    }
    let hook = CString::new(config.hook.as_str())?;
    sys::spawn(&[&hook], &variables)
}
