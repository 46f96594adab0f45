//! The option negotiation automaton (RFC 1661 section 4), as the table of section 4.1 prints it.

/// States (RFC 1661 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Initial,
    Starting,
    Closed,
    Stopped,
    Closing,
    Stopping,
    ReqSent,
    AckRcvd,
    AckSent,
    Opened,
}

/// Events (RFC 1661 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Up,
    Down,
    Open,
    Close,
    /// TO+: time-out with the restart counter above zero.
    Timeout,
    /// TO-: time-out with the restart counter at zero.
    TimeoutLast,
    /// RCR+: acceptable Configure-Request.
    GoodRequest,
    /// RCR-: unacceptable Configure-Request.
    BadRequest,
    /// RCA: Configure-Ack.
    Ack,
    /// RCN: Configure-Nak or Configure-Reject.
    Nak,
    /// RTR: Terminate-Request.
    TerminateRequest,
    /// RTA: Terminate-Ack.
    TerminateAck,
    /// RUC: unknown code.
    UnknownCode,
    /// RXJ+: permitted Code-Reject or Protocol-Reject.
    RejectPermitted,
    /// RXJ-: catastrophic Code-Reject or Protocol-Reject.
    RejectFatal,
    /// RXR: Echo-Request, Echo-Reply or Discard-Request.
    Echo,
}

/// A set of actions (RFC 1661 section 4.4), in the order of the bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions(u16);

impl Actions {
    /// Nothing to do.
    pub const NONE: Actions = Actions(0);
    /// tlu: This-Layer-Up.
    pub const TLU: Actions = Actions(1);
    /// tld: This-Layer-Down.
    pub const TLD: Actions = Actions(1 << 1);
    /// tls: This-Layer-Started.
    pub const TLS: Actions = Actions(1 << 2);
    /// tlf: This-Layer-Finished.
    pub const TLF: Actions = Actions(1 << 3);
    /// irc: Initialize-Restart-Count.
    pub const IRC: Actions = Actions(1 << 4);
    /// zrc: Zero-Restart-Count.
    pub const ZRC: Actions = Actions(1 << 5);
    /// scr: Send-Configure-Request.
    pub const SCR: Actions = Actions(1 << 6);
    /// sca: Send-Configure-Ack.
    pub const SCA: Actions = Actions(1 << 7);
    /// scn: Send-Configure-Nak or -Reject.
    pub const SCN: Actions = Actions(1 << 8);
    /// str: Send-Terminate-Request.
    pub const STR: Actions = Actions(1 << 9);
    /// sta: Send-Terminate-Ack.
    pub const STA: Actions = Actions(1 << 10);
    /// scj: Send-Code-Reject.
    pub const SCJ: Actions = Actions(1 << 11);
    /// ser: Send-Echo-Reply.
    pub const SER: Actions = Actions(1 << 12);

    /// Whether any action of `other` is in the set.
    pub fn has(self, other: Actions) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    const fn and(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }
}

/// One cell of the table: what to do and where to go, or `None` where the table has a dash. The
/// marks r (restart option), p (passive option) and x (crossed connection) change nothing here.
pub fn transition(state: State, event: Event) -> Option<(Actions, State)> {
    match event {
        Event::Up | Event::Down | Event::Open | Event::Close => on_layer(state, event),
        Event::Timeout | Event::TimeoutLast => on_timeout(state, event),
        _ if matches!(state, State::Initial | State::Starting) => None,
        Event::GoodRequest | Event::BadRequest => Some(on_request(state, event)),
        Event::Ack | Event::Nak => Some(on_answer(state, event)),
        Event::TerminateRequest | Event::TerminateAck => Some(on_terminate(state, event)),
        Event::UnknownCode => Some((Actions::SCJ, state)),
        Event::RejectPermitted => Some((Actions::NONE, without_ack(state))),
        Event::RejectFatal => Some(on_fatal_reject(state)),
        Event::Echo if state == State::Opened => Some((Actions::SER, state)),
        Event::Echo => Some((Actions::NONE, state)),
    }
}

const IRC_SCR: Actions = Actions::IRC.and(Actions::SCR);
const IRC_STR: Actions = Actions::IRC.and(Actions::STR);
const TLD_SCR: Actions = Actions::TLD.and(Actions::SCR);

fn on_layer(state: State, event: Event) -> Option<(Actions, State)> {
    use State::*;
    Some(match (event, state) {
        (Event::Up, Initial) => (Actions::NONE, Closed),
        (Event::Up, Starting) => (IRC_SCR, ReqSent),
        (Event::Down, Closed | Closing) => (Actions::NONE, Initial),
        (Event::Down, Stopped) => (Actions::TLS, Starting),
        (Event::Down, Stopping | ReqSent | AckRcvd | AckSent) => (Actions::NONE, Starting),
        (Event::Down, Opened) => (Actions::TLD, Starting),
        (Event::Open, Initial) => (Actions::TLS, Starting),
        (Event::Open, Closed) => (IRC_SCR, ReqSent),
        (Event::Open, Closing) => (Actions::NONE, Stopping),
        (Event::Open, _) => (Actions::NONE, state),
        (Event::Close, Initial | Closed | Closing) => (Actions::NONE, state),
        (Event::Close, Starting) => (Actions::TLF, Initial),
        (Event::Close, Stopped) => (Actions::NONE, Closed),
        (Event::Close, Stopping) => (Actions::NONE, Closing),
        (Event::Close, ReqSent | AckRcvd | AckSent) => (IRC_STR, Closing),
        (Event::Close, Opened) => (Actions::TLD.and(IRC_STR), Closing),
        _ => return None,
    })
}

fn on_timeout(state: State, event: Event) -> Option<(Actions, State)> {
    use State::*;
    let last = event == Event::TimeoutLast;
    Some(match state {
        Closing | Stopping if !last => (Actions::STR, state),
        Closing => (Actions::TLF, Closed),
        Stopping => (Actions::TLF, Stopped),
        ReqSent | AckRcvd | AckSent if last => (Actions::TLF, Stopped),
        ReqSent | AckRcvd => (Actions::SCR, ReqSent),
        AckSent => (Actions::SCR, AckSent),
        _ => return None,
    })
}

fn on_request(state: State, event: Event) -> (Actions, State) {
    use State::*;
    let good = event == Event::GoodRequest;
    let answer = if good { Actions::SCA } else { Actions::SCN };
    let answered = if good { AckSent } else { ReqSent };
    match state {
        Closed => (Actions::STA, Closed),
        Stopped => (IRC_SCR.and(answer), answered),
        ReqSent | AckSent => (answer, answered),
        AckRcvd if good => (answer.and(Actions::TLU), Opened),
        AckRcvd => (answer, AckRcvd),
        Opened => (TLD_SCR.and(answer), answered),
        Initial | Starting | Closing | Stopping => (Actions::NONE, state),
    }
}

fn on_answer(state: State, event: Event) -> (Actions, State) {
    use State::*;
    let ack = event == Event::Ack;
    match state {
        Closed | Stopped => (Actions::STA, state),
        ReqSent if ack => (Actions::IRC, AckRcvd),
        ReqSent => (IRC_SCR, ReqSent),
        AckRcvd => (Actions::SCR, ReqSent),
        AckSent if ack => (Actions::IRC.and(Actions::TLU), Opened),
        AckSent => (IRC_SCR, AckSent),
        Opened => (TLD_SCR, ReqSent),
        Initial | Starting | Closing | Stopping => (Actions::NONE, state),
    }
}

fn on_terminate(state: State, event: Event) -> (Actions, State) {
    use State::*;
    let request = event == Event::TerminateRequest;
    match state {
        Opened if request => (Actions::TLD.and(Actions::ZRC).and(Actions::STA), Stopping),
        ReqSent | AckRcvd | AckSent if request => (Actions::STA, ReqSent),
        _ if request => (Actions::STA, state),
        Closing => (Actions::TLF, Closed),
        Stopping => (Actions::TLF, Stopped),
        Opened => (TLD_SCR, ReqSent),
        _ => (Actions::NONE, without_ack(state)),
    }
}

fn on_fatal_reject(state: State) -> (Actions, State) {
    use State::*;
    match state {
        Closed | Closing => (Actions::TLF, Closed),
        Opened => (Actions::TLD.and(IRC_STR), Stopping),
        _ => (Actions::TLF, Stopped),
    }
}

/// Ack-Rcvd falls back to Req-Sent; every other state stays.
fn without_ack(state: State) -> State {
    if state == State::AckRcvd { State::ReqSent } else { state }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// RFC 1661 section 4.1, both halves of the table side by side.
    const TABLE: &str = "
        Up    2         irc,scr/6 -         -               -     -     -         -         -         -
        Down  -         -         0         tls/1           0     1     1         1         1         tld/1
        Open  tls/1     1         irc,scr/6 3r              5r    5r    6         7         8         9r
        Close 0         tlf/0     2         2               4     4     irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
        TO+   -         -         -         -               str/4 str/5 scr/6     scr/6     scr/8     -
        TO-   -         -         -         -               tlf/2 tlf/3 tlf/3p    tlf/3p    tlf/3p    -
        RCR+  -         -         sta/2     irc,scr,sca/8   4     5     sca/8     sca,tlu/9 sca/8     tld,scr,sca/8
        RCR-  -         -         sta/2     irc,scr,scn/6   4     5     scn/6     scn/7     scn/6     tld,scr,scn/6
        RCA   -         -         sta/2     sta/3           4     5     irc/7     scr/6x    irc,tlu/9 tld,scr/6x
        RCN   -         -         sta/2     sta/3           4     5     irc,scr/6 scr/6x    irc,scr/8 tld,scr/6x
        RTR   -         -         sta/2     sta/3           sta/4 sta/5 sta/6     sta/6     sta/6     tld,zrc,sta/5
        RTA   -         -         2         3               tlf/2 tlf/3 6         6         8         tld,scr/6
        RUC   -         -         scj/2     scj/3           scj/4 scj/5 scj/6     scj/7     scj/8     scj/9
        RXJ+  -         -         2         3               4     5     6         6         8         9
        RXJ-  -         -         tlf/2     tlf/3           tlf/2 tlf/3 tlf/3     tlf/3     tlf/3     tld,irc,str/5
        RXR   -         -         2         3               4     5     6         7         8         ser/9
    ";

    const STATES: [State; 10] = [
        State::Initial,
        State::Starting,
        State::Closed,
        State::Stopped,
        State::Closing,
        State::Stopping,
        State::ReqSent,
        State::AckRcvd,
        State::AckSent,
        State::Opened,
    ];

    fn event(name: &str) -> Event {
        match name {
            "Up" => Event::Up,
            "Down" => Event::Down,
            "Open" => Event::Open,
            "Close" => Event::Close,
            "TO+" => Event::Timeout,
            "TO-" => Event::TimeoutLast,
            "RCR+" => Event::GoodRequest,
            "RCR-" => Event::BadRequest,
            "RCA" => Event::Ack,
            "RCN" => Event::Nak,
            "RTR" => Event::TerminateRequest,
            "RTA" => Event::TerminateAck,
            "RUC" => Event::UnknownCode,
            "RXJ+" => Event::RejectPermitted,
            "RXJ-" => Event::RejectFatal,
            "RXR" => Event::Echo,
            other => panic!("{other}"),
        }
    }

    fn action(name: &str) -> Actions {
        match name {
            "tlu" => Actions::TLU,
            "tld" => Actions::TLD,
            "tls" => Actions::TLS,
            "tlf" => Actions::TLF,
            "irc" => Actions::IRC,
            "zrc" => Actions::ZRC,
            "scr" => Actions::SCR,
            "sca" => Actions::SCA,
            "scn" => Actions::SCN,
            "str" => Actions::STR,
            "sta" => Actions::STA,
            "scj" => Actions::SCJ,
            "ser" => Actions::SER,
            other => panic!("{other}"),
        }
    }

    fn cell(text: &str) -> Option<(Actions, State)> {
        if text == "-" {
            return None;
        }
        let (actions, next) = text.split_once('/').unwrap_or(("", text));
        let names = actions.split(',').filter(|name| !name.is_empty());
        let actions = names.map(action).fold(Actions::NONE, Actions::and);
        let digit: usize = next.trim_end_matches(['r', 'p', 'x']).parse().unwrap();
        Some((actions, STATES[digit]))
    }

    #[test]
    fn every_cell_is_as_the_rfc_prints_it() {
        let mut cells = 0;
        for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
            let mut columns = line.split_whitespace();
            let event = event(columns.next().unwrap());
            let columns: Vec<&str> = columns.collect();
            assert_eq!(columns.len(), STATES.len());
            for (state, text) in STATES.into_iter().zip(columns) {
                assert_eq!(transition(state, event), cell(text), "{state:?} {event:?}");
                cells += 1;
            }
        }
        assert_eq!(cells, 160);
    }
}
