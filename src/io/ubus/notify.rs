//! What subscribers of our object hear: `up` when a caller is online, `down` when it no longer is,
//! `auth-failed` when a login was refused.
//!
//! Such messages are flat and want no answer: the part of ubus that `ubus-rs` has. The rest of that
//! client cannot be used here: it blocks, and its objects have no methods.

use pptp::session::{Event, Step};
use pptp::wire::Writer;
use pptp::wire::ubus::Header;
use ubus_rs::{ATTR_DATA, ATTR_METHOD, ATTR_NO_REPLY, ATTR_OBJID, BlobBuf, MSG_NOTIFY};

/// The message for an event that subscribers of `object` want to know of.
pub fn message(event: &Event, object: u32, sequence: u16) -> Option<Vec<u8>> {
    let method = method(event)?;
    let mut blob = BlobBuf::new();
    blob.put_u32(ATTR_OBJID, object);
    blob.put_string(ATTR_METHOD, method);
    let data = blob.nest_start(ATTR_DATA);
    fill(event, &mut blob);
    blob.nest_end(data);
    blob.put_u8(ATTR_NO_REPLY, 1);
    let mut header = [0; 8];
    Header { kind: MSG_NOTIFY, sequence, peer: object }.emit(&mut Writer::new(&mut header));
    Some([&header[..], &blob.bytes()].concat())
}

fn method(event: &Event) -> Option<&'static str> {
    match &event.step {
        Step::Open { .. } => Some("up"),
        Step::Ended { address: Some(_), .. } => Some("down"),
        Step::LoginFailed { .. } => Some("auth-failed"),
        _ => None,
    }
}

fn fill(event: &Event, blob: &mut BlobBuf) {
    if let Some(call_id) = event.call_id {
        blob.blobmsg_add_u32("id", call_id.into());
    }
    blob.blobmsg_add_string("peer", &event.remote.to_string());
    match &event.step {
        Step::Open { name, address, mtu, encrypted } => {
            blob.blobmsg_add_string("name", name.as_str());
            blob.blobmsg_add_string("address", &address.to_string());
            blob.blobmsg_add_u32("mtu", (*mtu).into());
            blob.blobmsg_add_u32("encrypted", (*encrypted).into());
        }
        Step::Ended { cause, name, address: Some(address), seconds, .. } => {
            blob.blobmsg_add_string("name", name.as_str());
            blob.blobmsg_add_string("address", &address.to_string());
            blob.blobmsg_add_u32("seconds", *seconds as u32);
            blob.blobmsg_add_string("cause", cause.name());
            blob.blobmsg_add_string("text", cause.words());
        }
        Step::LoginFailed { name, cause } => {
            blob.blobmsg_add_string("name", name.as_str());
            blob.blobmsg_add_string("cause", cause.name());
            blob.blobmsg_add_string("text", cause.words());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pptp::reason::Cause;
    use pptp::session::event::ShownName;
    use pptp::wire::blob::{Value, find};
    use pptp::wire::ubus::{Message, attribute};
    use std::net::Ipv4Addr;

    fn event(step: Step) -> Event {
        Event { remote: Ipv4Addr::new(203, 0, 113, 7), call_id: Some(77), step }
    }

    #[test]
    fn messages_read_back() {
        let name = ShownName::new("Jürgen".as_bytes());
        let step = Step::LoginFailed { name, cause: Cause::WrongPassword };
        let octets = super::message(&event(step), 5, 9).unwrap();
        let read = Message::parse(&octets).unwrap();
        assert_eq!((read.sequence, read.peer, read.whole), (9, 5, true));
        assert_eq!(read.text(attribute::METHOD), Some(&b"auth-failed"[..]));
        assert!(read.flag(attribute::NO_REPLY));
        let data = read.find(attribute::DATA).unwrap();
        assert_eq!(find(data, "id"), Ok(Some(Value::Number(77))));
        assert_eq!(find(data, "peer"), Ok(Some(Value::Text(b"203.0.113.7"))));
        assert_eq!(find(data, "name"), Ok(Some(Value::Text("Jürgen".as_bytes()))));
        assert_eq!(find(data, "cause"), Ok(Some(Value::Text(b"wrong_password"))));
    }

    #[test]
    fn calls_that_never_were_online_do_not_go_down() {
        let ended = |address| Step::Ended {
            cause: Cause::NoGre,
            name: ShownName::default(),
            address,
            seconds: 1,
            traffic: Default::default(),
        };
        assert!(super::message(&event(ended(None)), 5, 9).is_none());
        assert!(super::message(&event(ended(Some(Ipv4Addr::LOCALHOST))), 5, 9).is_some());
        assert!(super::message(&event(Step::Started), 5, 9).is_none());
    }
}
