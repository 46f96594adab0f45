//! A client of ubusd: it adds our object, gets the calls of its methods, keeps the callers' device
//! in its firewall zone, and knows who runs hotplug scripts. One request of ours is under way at a time; what is not asked for
//! and what nobody waits for is ignored.

use super::zone::{self, Wish, Zone};
use crate::time::{Deadline, Instant, deadline};
use crate::wire::ubus::{
    Caller, EVENTS, Message, Method, Status, attribute, message, put_invoke, put_listener,
    put_lookup, put_object,
};
use crate::wire::{Error, Writer, blob};

/// Events that are wanted: objects that come and go.
const PATTERN: &str = "ubus.object.*";
const APPEARED: &[u8] = b"ubus.object.add";
const VANISHED: &[u8] = b"ubus.object.remove";

/// procd's object for the scripts in /etc/hotplug.d/pptp-server: it is there while that folder is.
const HOTPLUG: &str = "hotplug.pptp-server";

/// Milliseconds that ubusd may take for an answer. It answers at once; then it hangs, or is no ubusd.
const ANSWER_MS: u64 = 10_000;
/// Milliseconds that netifd may take.
const NETIFD_MS: u64 = 30_000;
/// Milliseconds until our object is offered again after a refusal.
const REFUSED_MS: u64 = 60_000;
/// Milliseconds between attempts to connect: twice as many after each failure, from the first
/// number to the second.
const PAUSE_MS: u64 = 1000;
const PAUSE_MAX_MS: u64 = 60_000;

/// The connection.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// Not before this time.
    Away(Instant),
    /// ubusd speaks first, until this time.
    Greeting(Instant),
    Open,
}

/// Something that has to be got from ubusd once in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To be asked for, not before this time.
    At(Instant),
    /// It has this number.
    Reached(u32),
    GivenUp,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Object,
    Listener,
    Events,
    Hotplug,
    /// Which number the object has that can fulfil the wish.
    Find(Wish),
    Fulfil(Wish),
}

#[derive(Debug, Clone, Copy)]
struct Request {
    question: Question,
    sequence: u16,
    until: Instant,
    /// The number that the answer told before its end.
    number: Option<u32>,
}

/// A call of one of our methods.
#[derive(Debug, Clone, Copy)]
pub struct Call<'m> {
    /// Where the answer goes; `None` when none is wanted.
    pub caller: Option<Caller>,
    pub method: &'m [u8],
    /// A table. `None` when the message was too long to be kept.
    pub arguments: Option<&'m [u8]>,
}

/// What a message or the time led to.
#[derive(Debug, Clone, Copy)]
pub enum News<'m> {
    Nothing,
    /// Our object is there.
    Ready,
    /// Our object was refused; it is offered again later.
    Refused(Status),
    /// A method is called.
    Call(Call<'m>),
    Zone(zone::News),
}

/// The client.
pub struct Client {
    path: &'static str,
    methods: &'static [Method],
    link: Link,
    /// Attempts to connect, or connections, that came to nothing, in a row.
    failures: u32,
    sequence: u16,
    request: Option<Request>,
    object: Goal,
    /// Our object was refused the last time.
    refused: bool,
    /// An object without a name, for events.
    listener: Goal,
    events: Goal,
    hotplug: Goal,
    /// The object that can fulfil the zone's wish.
    helper: Option<(Wish, u32)>,
    subscribed: bool,
    zone: Zone,
}

impl Client {
    /// A client that offers the object `path`.
    pub fn new(path: &'static str, methods: &'static [Method]) -> Client {
        Client {
            path,
            methods,
            link: Link::Away(Instant(0)),
            failures: 0,
            sequence: 0,
            request: None,
            object: Goal::GivenUp,
            refused: false,
            listener: Goal::GivenUp,
            events: Goal::GivenUp,
            hotplug: Goal::GivenUp,
            helper: None,
            subscribed: false,
            zone: Zone::default(),
        }
    }

    /// The firewall zone.
    pub fn zone(&mut self) -> &mut Zone {
        &mut self.zone
    }

    /// Whether it is time for an attempt to connect.
    pub fn wants_connection(&self, now: Instant) -> bool {
        matches!(self.link, Link::Away(until) if until <= now)
    }

    /// A connection was made.
    pub fn handle_open(&mut self, now: Instant) {
        self.link = Link::Greeting(now + ANSWER_MS);
    }

    /// There is no connection, or no longer.
    pub fn handle_close(&mut self, now: Instant) {
        let pause = PAUSE_MS << self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Away(now + pause.min(PAUSE_MAX_MS));
        (self.request, self.helper, self.subscribed) = (None, None, false);
        self.hotplug = Goal::GivenUp;
        self.zone.stop();
    }

    /// The number of our object, when somebody wants to hear what happens.
    pub fn subscribed(&self) -> Option<u32> {
        match self.object {
            Goal::Reached(object) if self.subscribed => Some(object),
            _ => None,
        }
    }

    /// The number of the object that runs hotplug scripts, when there is one.
    pub fn hotplug(&self) -> Option<u32> {
        match self.hotplug {
            Goal::Reached(object) => Some(object),
            _ => None,
        }
    }

    /// The number for a message of ours.
    pub fn next_sequence(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// A message came. After an error the connection is of no use any more.
    pub fn handle_message<'m>(
        &mut self,
        message: &Message<'m>,
        now: Instant,
    ) -> Result<News<'m>, Error> {
        if let Link::Greeting(_) = self.link {
            return self.greeted(message, now).map(|()| News::Nothing);
        }
        let object = message.u32(attribute::OBJID);
        let is = |goal| object.is_some_and(|number| goal == Goal::Reached(number));
        match message.kind {
            message::DATA => self.data(message.sequence, object),
            message::STATUS => return Ok(self.status(message, now)),
            message::INVOKE if is(self.object) => return Ok(self.call(message)),
            message::INVOKE if is(self.listener) => return Ok(self.event(message, now)),
            message::NOTIFY if is(self.object) => {
                self.subscribed = message.flag(attribute::ACTIVE);
            }
            _ => {}
        }
        Ok(News::Nothing)
    }

    fn greeted(&mut self, message: &Message, now: Instant) -> Result<(), Error> {
        if message.kind != message::HELLO {
            return Err(Error::Value);
        }
        self.link = Link::Open;
        self.object = Goal::At(now);
        self.listener = Goal::At(now);
        self.events = Goal::GivenUp;
        self.hotplug = Goal::At(now);
        self.zone.start(now);
        Ok(())
    }

    /// Data of an answer: the only thing of interest is the number of an object.
    fn data(&mut self, sequence: u16, object: Option<u32>) {
        if let Some(request) = self.request.as_mut().filter(|it| it.sequence == sequence) {
            request.number = request.number.or(object);
        }
    }

    /// The end of an answer.
    fn status(&mut self, message: &Message, now: Instant) -> News<'static> {
        let Some(request) = self.request.take_if(|it| it.sequence == message.sequence) else {
            return News::Nothing;
        };
        self.failures = 0;
        let status = message.u32(attribute::STATUS).map_or(Status::UNKNOWN_ERROR, Status);
        self.answered(request, status, now)
    }

    fn answered(&mut self, request: Request, status: Status, now: Instant) -> News<'static> {
        let number = request.number.filter(|_| status == Status::OK);
        match request.question {
            Question::Object => return self.offered(number, status, now),
            Question::Listener => {
                self.listener = number.map_or(Goal::GivenUp, Goal::Reached);
                self.events = number.map_or(Goal::GivenUp, |_| Goal::At(now));
            }
            // Without events the zone is asked for once in a connection.
            Question::Events => self.events = Goal::GivenUp,
            Question::Hotplug => self.hotplug = number.map_or(Goal::GivenUp, Goal::Reached),
            Question::Find(wish) => {
                self.helper = number.map(|number| (wish, number));
                if number.is_none() {
                    return News::Zone(self.zone.missing(wish, now));
                }
            }
            Question::Fulfil(wish) => return News::Zone(self.zone.done(wish, status, now)),
        }
        News::Nothing
    }

    /// ubusd took our object, or did not: another program may have one of that name.
    fn offered(&mut self, number: Option<u32>, status: Status, now: Instant) -> News<'static> {
        self.object = number.map_or(Goal::At(now + REFUSED_MS), Goal::Reached);
        let refused_before = core::mem::replace(&mut self.refused, number.is_none());
        match number {
            Some(_) => News::Ready,
            None if refused_before => News::Nothing,
            None => News::Refused(status),
        }
    }

    fn call<'m>(&self, message: &Message<'m>) -> News<'m> {
        let Goal::Reached(object) = self.object else { return News::Nothing };
        let caller = Caller { object, peer: message.peer, sequence: message.sequence };
        News::Call(Call {
            caller: (!message.flag(attribute::NO_REPLY)).then_some(caller),
            method: message.text(attribute::METHOD).unwrap_or(b""),
            arguments: message.whole.then(|| message.find(attribute::DATA).unwrap_or(b"")),
        })
    }

    fn event(&mut self, message: &Message, now: Instant) -> News<'static> {
        let data = message.find(attribute::DATA).unwrap_or(b"");
        let Ok(Some(blob::Value::Text(path))) = blob::find(data, "path") else {
            return News::Nothing;
        };
        let is_hotplug = path == HOTPLUG.as_bytes();
        match message.text(attribute::METHOD) {
            Some(APPEARED) if is_hotplug => self.hotplug = Goal::At(now),
            Some(VANISHED) if is_hotplug => self.hotplug = Goal::GivenUp,
            Some(APPEARED) => self.zone.appeared(path, now),
            Some(VANISHED) => return News::Zone(self.zone.vanished(path, now)),
            _ => {}
        }
        News::Nothing
    }

    /// Writes the next request, if one is due and none is under way. Whether there was one.
    pub fn poll_request(&mut self, writer: &mut Writer, now: Instant) -> bool {
        let idle = self.request.is_none() && matches!(self.link, Link::Open);
        let Some(question) = idle.then(|| self.next_question(now)).flatten() else { return false };
        let sequence = self.next_sequence();
        let patience = match question {
            Question::Fulfil(_) => NETIFD_MS,
            _ => ANSWER_MS,
        };
        self.request = Some(Request { question, sequence, until: now + patience, number: None });
        self.ask(question, sequence, writer);
        true
    }

    fn next_question(&mut self, now: Instant) -> Option<Question> {
        if let Some((wish, _)) = self.helper {
            return Some(Question::Fulfil(wish));
        }
        let due = |goal| matches!(goal, Goal::At(at) if at <= now);
        match () {
            () if due(self.object) => Some(Question::Object),
            () if due(self.listener) => Some(Question::Listener),
            () if due(self.events) => Some(Question::Events),
            () if due(self.hotplug) => Some(Question::Hotplug),
            () => self.zone.begin(now).map(Question::Find),
        }
    }

    fn ask(&mut self, question: Question, sequence: u16, writer: &mut Writer) {
        match question {
            Question::Object => put_object(writer, sequence, self.path, self.methods),
            Question::Listener => put_listener(writer, sequence),
            Question::Events => {
                let Goal::Reached(listener) = self.listener else { return };
                put_invoke(writer, sequence, EVENTS, "register", |arguments| {
                    arguments.u32("object", listener);
                    arguments.text("pattern", PATTERN);
                });
            }
            Question::Hotplug => put_lookup(writer, sequence, HOTPLUG),
            Question::Find(wish) => put_lookup(writer, sequence, wish.path()),
            Question::Fulfil(wish) => {
                let Some((_, helper)) = self.helper.take() else { return };
                put_invoke(writer, sequence, helper, wish.method(), |arguments| {
                    self.zone.put_arguments(wish, arguments);
                });
            }
        }
    }

    /// When `handle_timeout` or `poll_request` has something to do.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        match (self.link, self.request) {
            (Link::Away(until), _) => Some((until, "ubus connection")),
            (Link::Greeting(until), _) => Some((until, "ubus greeting")),
            (Link::Open, Some(request)) => Some((request.until, "ubus answer")),
            (Link::Open, None) => {
                let goals = [self.object, self.listener, self.events, self.hotplug];
                let goals = goals.into_iter().filter_map(|goal| match goal {
                    Goal::At(at) => Some(at),
                    _ => None,
                });
                deadline(goals.chain(self.zone.poll_timeout()).min(), "ubus request")
            }
        }
    }

    /// Gives up what takes too long. After an error the connection is of no use any more.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<News<'static>, Error> {
        match (self.link, self.request) {
            (Link::Greeting(until), _) if until <= now => Err(Error::Short),
            (Link::Open, Some(request)) if request.until <= now => {
                self.request = None;
                match request.question {
                    Question::Fulfil(_) => Ok(self.answered(request, Status::TIMEOUT, now)),
                    _ => Err(Error::Short),
                }
            }
            _ => Ok(News::Nothing),
        }
    }
}
