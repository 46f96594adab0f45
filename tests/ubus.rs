//! Our ubus client against the recorded half of ubusd (data/ubus), against silence, refusals and
//! nonsense: nothing makes it panic, spin, or ask without end.

#[path = "common/ubus.rs"]
mod recorded;

use pptp::proto::ubus::{Call, Client, News};
use pptp::proto::zone;
use pptp::random::Random;
use pptp::time::Instant;
use pptp::wire::Writer;
use pptp::wire::ubus::{Caller, EVENTS, Message, Status, message, put_invoke, put_lookup};
use recorded::{LAB, Recorded, all, octets, recording, written};

const NOW: Instant = Instant(1_000_000);

/// A client that has a connection, and a zone to care for.
fn connected() -> Client {
    let mut client = Client::new("lab.vpn", LAB);
    client.zone().want("lan", "pptps0", NOW);
    assert!(client.wants_connection(NOW));
    client.handle_open(NOW);
    client
}

fn request(client: &mut Client, now: Instant) -> Option<Vec<u8>> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    let asked = client.poll_request(&mut writer, now);
    let length = writer.finish().expect("a request of more than 512 octets");
    asked.then(|| buffer[..length].to_vec())
}

/// Hands one message over; the call or the other news, as text.
fn hand<'m>(client: &mut Client, octets: &'m [u8]) -> News<'m> {
    client.handle_message(&Message::parse(octets).unwrap(), NOW).unwrap()
}

fn status_of(sequence: u16, status: u32) -> Vec<u8> {
    written(|writer| Caller { object: 0, peer: 0, sequence }.put_status(writer, Status(status)))
}

fn found(sequence: u16, object: u32) -> Vec<u8> {
    written(|writer| Caller { object, peer: 0, sequence }.put_data(writer, |_| {}))
}

/// Plays ubusd's recorded half of a connection of the recorded server up to the calls, compares
/// what our client asks with what the recorded one asked, and returns the calls' messages.
fn play<'r>(client: &mut Client, recorded: &[&'r Recorded]) -> Vec<&'r Recorded> {
    let sequences = |at: &&&Recorded| at.from_ubusd && at.octets[1] != message::INVOKE;
    for answer in recorded.iter().filter(sequences) {
        hand(client, &answer.octets);
        let Some(octets) = request(client, NOW) else { continue };
        let asked = Message::parse(&octets).unwrap();
        let theirs = recorded.iter().find(|it| !it.from_ubusd && it.sequence == asked.sequence);
        match asked.sequence {
            1 | 2 => assert_eq!(octets, theirs.unwrap().octets),
            3 => assert_eq!(asked.peer, EVENTS),
            // The recorded server sent an event then; ours looks for netifd.
            _ => assert_eq!(asked.kind, message::LOOKUP),
        }
    }
    let calls = recorded.iter().filter(|it| it.from_ubusd && it.octets[1] == message::INVOKE);
    calls.copied().collect()
}

fn call<'m>(client: &mut Client, octets: &'m [u8]) -> Call<'m> {
    let News::Call(call) = hand(client, octets) else { panic!("no call") };
    call
}

#[test]
fn the_recorded_ubusd_gets_on_with_our_client_before_and_after_its_restart() {
    let recorded = recording("f-restart");
    let of = |connection| -> Vec<_> {
        recorded.iter().filter(|it| it.connection == connection).collect()
    };
    let mut client = connected();
    assert!(play(&mut client, &of(1)).is_empty());
    client.handle_close(NOW);
    assert!(!client.wants_connection(NOW + 999) && client.wants_connection(NOW + 1000));
    client.handle_open(NOW + 1000);
    let second = of(2);
    // Sequence numbers go on in our client; the recorded one was a new process.
    let mut fresh = connected();
    let calls = play(&mut fresh, &second);
    let call = call(&mut fresh, &calls[0].octets);
    assert_eq!((call.method, call.arguments), (&b"status"[..], Some(&b""[..])));
    let ended = written(|writer| call.caller.unwrap().put_status(writer, Status::OK));
    assert_eq!(ended, second.last().unwrap().octets);
}

#[test]
fn recorded_calls_are_understood_and_refusals_are_those_of_libubus() {
    let recorded = recording("a-object-server");
    let first: Vec<_> = recorded.iter().filter(|it| it.connection == 1).collect();
    let mut client = connected();
    let calls = play(&mut client, &first);
    let expected: &[(&[u8], u32)] = &[
        (b"status", 0),
        (b"disconnect", 0),
        (b"disconnect", 4),
        (b"disconnect", 2),
        (b"nosuch", 3),
    ];
    for ((method, status), recorded) in expected.iter().zip(&calls) {
        let call = call(&mut client, &recorded.octets);
        assert_eq!(call.method, *method);
        let caller = call.caller.unwrap();
        let octets = written(|writer| caller.put_status(writer, Status(*status)));
        assert!(first.iter().any(|it| !it.from_ubusd && it.octets == octets));
    }
    // The last one is an event for the other object.
    assert!(matches!(hand(&mut client, &calls[5].octets), News::Nothing));
}

#[test]
fn subscribers_come_and_go() {
    let recorded = recording("c2-notify-server");
    let first: Vec<_> = recorded.iter().filter(|it| it.connection == 1).collect();
    let mut client = connected();
    let (mut seen, mut subscribed) = (Vec::new(), None);
    for message in first.iter().filter(|it| it.from_ubusd) {
        hand(&mut client, &message.octets);
        request(&mut client, NOW);
        if client.subscribed() != subscribed {
            subscribed = client.subscribed();
            seen.push(subscribed);
        }
    }
    assert_eq!(seen, [Some(0xb1cb_7058), None]);
}

#[test]
fn a_name_that_is_taken_is_told_once_and_offered_again() {
    let recorded = recording("e-clash");
    let clash: Vec<_> = recorded.iter().filter(|it| it.connection == 1 && it.from_ubusd).collect();
    let mut client = connected();
    hand(&mut client, &clash[0].octets);
    request(&mut client, NOW);
    assert!(matches!(hand(&mut client, &clash[1].octets), News::Refused(Status(2))));
    // Events, hotplug and the zone do not need the name.
    let listener = request(&mut client, NOW).unwrap();
    assert_eq!(listener[1], message::ADD_OBJECT);
    hand(&mut client, &status_of(2, 9));
    assert_eq!(request(&mut client, NOW).unwrap()[1], message::LOOKUP);
    hand(&mut client, &status_of(3, 4));
    assert_eq!(request(&mut client, NOW).unwrap()[1], message::LOOKUP);
    hand(&mut client, &status_of(4, 4));
    assert!(request(&mut client, NOW + 59_999).is_none());
    let again = request(&mut client, NOW + 60_000).unwrap();
    assert_eq!(again[1], message::ADD_OBJECT);
    assert!(matches!(hand(&mut client, &status_of(5, 2)), News::Nothing));
}

/// Brings a client as far as its zone is asked for; the next sequence number is 5.
fn settled() -> Client {
    let mut client = connected();
    hand(&mut client, &octets("00000000d4e789c400000004"));
    for (sequence, object) in [(1, 0x11), (2, 0x22), (3, 0), (4, 0)] {
        request(&mut client, NOW).unwrap();
        if object != 0 {
            hand(&mut client, &found(sequence, object));
        }
        hand(&mut client, &status_of(sequence, 0));
    }
    client
}

fn event(name: &str, path: &str) -> Vec<u8> {
    written(|writer| {
        put_invoke(writer, 1, 0x22, name, |table| {
            table.u32("id", 5);
            table.text("path", path);
        });
    })
}

#[test]
fn the_zone_is_joined_and_joined_again_when_netifd_comes_back() {
    let mut client = settled();
    let lookup = request(&mut client, NOW).unwrap();
    assert_eq!(lookup, written(|writer| put_lookup(writer, 5, "network")));
    hand(&mut client, &found(5, 0x99));
    hand(&mut client, &status_of(5, 0));
    let join = request(&mut client, NOW).unwrap();
    let expected = written(|writer| {
        put_invoke(writer, 6, 0x99, "add_dynamic", |table| {
            table.text("name", "pptpsrv");
            table.text("proto", "none");
            table.text("device", "pptps0");
            table.text("zone", "lan");
        });
    });
    assert_eq!(join, expected);
    assert!(matches!(hand(&mut client, &status_of(6, 0)), News::Zone(zone::News::Joined)));
    assert!(client.zone().is_joined() && client.poll_timeout().is_none());
    let gone = event("ubus.object.remove", "network.interface.pptpsrv");
    assert!(matches!(hand(&mut client, &gone), News::Zone(zone::News::Left)));
    hand(&mut client, &event("ubus.object.remove", "network"));
    assert!(client.poll_timeout().is_none());
    hand(&mut client, &event("ubus.object.add", "network"));
    let (at, _) = client.poll_timeout().unwrap();
    assert!(request(&mut client, NOW).is_none());
    assert_eq!(request(&mut client, at).unwrap()[1], message::LOOKUP);
}

#[test]
fn who_runs_hotplug_scripts_is_known_while_it_is_there() {
    let mut client = settled();
    client.zone().want("none", "pptps0", NOW);
    assert_eq!((client.hotplug(), request(&mut client, NOW)), (None, None));
    for (sequence, object) in [(5, 0x77), (6, 0x88)] {
        hand(&mut client, &event("ubus.object.add", "hotplug.pptp-server"));
        let lookup = request(&mut client, NOW).unwrap();
        let expected = written(|writer| put_lookup(writer, sequence, "hotplug.pptp-server"));
        assert_eq!(lookup, expected);
        hand(&mut client, &found(sequence, object));
        hand(&mut client, &status_of(sequence, 0));
        assert_eq!(client.hotplug(), Some(object));
        hand(&mut client, &event("ubus.object.remove", "hotplug.pptp-server"));
        assert_eq!((client.hotplug(), request(&mut client, NOW)), (None, None));
    }
}

#[test]
fn a_silent_ubusd_is_left_and_a_silent_netifd_is_not() {
    let mut client = connected();
    assert!(client.handle_timeout(NOW + 9_999).is_ok());
    assert!(client.handle_timeout(NOW + 10_000).is_err());

    let mut client = settled();
    request(&mut client, NOW).unwrap();
    assert!(client.handle_timeout(NOW + 10_000).is_err());

    let mut client = settled();
    request(&mut client, NOW).unwrap();
    hand(&mut client, &found(5, 0x99));
    hand(&mut client, &status_of(5, 0));
    request(&mut client, NOW).unwrap();
    let late = client.handle_timeout(NOW + 30_000).unwrap();
    assert!(matches!(late, News::Zone(zone::News::Refused(Status::TIMEOUT))));
    // The answer that comes at last is nobody's any more.
    assert!(matches!(hand(&mut client, &status_of(6, 0)), News::Nothing));
}

#[test]
fn attempts_to_connect_grow_rare() {
    let mut client = Client::new("lab.vpn", LAB);
    let (mut now, mut waits) = (NOW, Vec::new());
    for _ in 0..9 {
        assert!(client.wants_connection(now));
        client.handle_close(now);
        let (at, _) = client.poll_timeout().unwrap();
        waits.push(at.since(now) / 1000);
        now = at;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    // A ubusd that answers is worth a quick attempt again.
    client.handle_open(now);
    hand(&mut client, &octets("00000000d4e789c400000004"));
    let sequence = u16::from_be_bytes(request(&mut client, now).unwrap()[2..4].try_into().unwrap());
    hand(&mut client, &status_of(sequence, 0));
    client.handle_close(now);
    assert!(client.wants_connection(now + 1000));
}

#[test]
fn no_messages_whatsoever_make_the_client_panic_or_spin() {
    let seeds: Vec<Vec<u8>> = all().into_iter().map(|it| it.octets).collect();
    for round in 0..300u16 {
        let mut seed = [0x5a; 32];
        seed[..2].copy_from_slice(&round.to_be_bytes());
        storm(&seeds, Random::new(seed));
    }
}

fn storm(seeds: &[Vec<u8>], mut random: Random) {
    let (mut client, mut now, mut asked) = (connected(), NOW, 0);
    hand(&mut client, &octets("00000000d4e789c400000004"));
    for _ in 0..200 {
        let octets = damaged(seeds, &mut random);
        let Ok(message) = Message::parse(&octets) else { continue };
        if client.handle_message(&message, now).is_err() {
            return;
        }
        now = now + u64::from(random.u16() % 100);
        if client.handle_timeout(now).is_err() {
            return;
        }
        asked += usize::from(request(&mut client, now).is_some());
        // Whatever is due has been begun: the next deadline is a wait, unless a request follows.
        while client.poll_timeout().is_some_and(|(at, _)| at <= now) {
            if request(&mut client, now).is_none() {
                panic!("a deadline in the past with nothing to do");
            }
            asked += 1;
            assert!(asked < 400);
        }
    }
}

/// A recorded message with other octets here and there, and a sequence number that may fit.
fn damaged(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut octets = seeds[usize::from(random.u16()) % seeds.len()].clone();
    octets[2..4].copy_from_slice(&(random.u16() % 12).to_be_bytes());
    for _ in 0..random.u16() % 4 {
        let at = usize::from(random.u16()) % octets.len();
        octets[at] = random.u16() as u8;
    }
    octets.truncate(octets.len() - usize::from(random.u16() % 8).min(octets.len() - 12));
    octets
}
