//! The octets of ubus against recordings of OpenWrt's libubus and ubusd (data/ubus): what we write
//! is what they write, and what they write is read.

#[path = "common/ubus.rs"]
mod recorded;

use pptp::wire::Error;
use pptp::wire::blob::{Table, kind};
use pptp::wire::ubus::{
    Caller, Message, Status, attribute, message, message_length, put_invoke, put_listener,
    put_lookup, put_object,
};
use recorded::{LAB, all, recording, written};

fn number(message: &Message, id: u8) -> u32 {
    message.u32(id).unwrap()
}

#[test]
fn every_recorded_message_is_read_and_no_cut_of_one() {
    for recorded in all() {
        let whole = &recorded.octets;
        let read = Message::parse(whole).unwrap();
        assert_eq!((read.sequence, read.peer), (recorded.sequence, recorded.peer));
        assert!(read.whole);
        assert_eq!(message_length(whole), Ok(Some(whole.len())));
        for cut in 0..whole.len() {
            match Message::parse(&whole[..cut]) {
                Ok(read) => assert!(cut >= 12 && !read.whole),
                Err(error) => assert!(cut < 12 && error == Error::Short),
            }
        }
    }
}

/// What we would write for a message that a client sent; `None` for kinds that we never send.
fn rewritten(read: &Message) -> Option<Vec<u8>> {
    let sequence = read.sequence;
    let text = |id| String::from_utf8(read.text(id).unwrap().to_vec()).unwrap();
    let caller = || Caller { object: number(read, attribute::OBJID), peer: read.peer, sequence };
    match read.kind {
        message::ADD_OBJECT if read.find(attribute::OBJPATH).is_none() => {
            Some(written(|writer| put_listener(writer, sequence)))
        }
        message::ADD_OBJECT => {
            let path = text(attribute::OBJPATH);
            Some(written(|writer| put_object(writer, sequence, &path, LAB)))
        }
        message::LOOKUP if read.find(attribute::OBJPATH).is_some() => {
            Some(written(|writer| put_lookup(writer, sequence, &text(attribute::OBJPATH))))
        }
        message::INVOKE => {
            let (object, method) = (number(read, attribute::OBJID), text(attribute::METHOD));
            let data = tree(read.find(attribute::DATA).unwrap())?;
            Some(written(|writer| {
                put_invoke(writer, sequence, object, &method, |table| put_tree(&data, table));
            }))
        }
        message::STATUS => {
            let status = Status(number(read, attribute::STATUS));
            Some(written(|writer| caller().put_status(writer, status)))
        }
        message::DATA => {
            let data = tree(read.find(attribute::DATA)?)?;
            Some(written(|writer| caller().put_data(writer, |table| put_tree(&data, table))))
        }
        _ => None,
    }
}

/// Named values as they stand in a message: name, type, and a value or more of them.
type Tree = Vec<(String, u8, Leaf)>;

enum Leaf {
    Octets(Vec<u8>),
    More(Tree),
}

/// Reads a table with nothing of the library. `None` when there are types that we never write.
fn tree(mut data: &[u8]) -> Option<Tree> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let length = usize::from(data[2]) << 8 | usize::from(data[3]);
        let name_length = usize::from(data[5]);
        let name = String::from_utf8(data[6..6 + name_length].to_vec()).unwrap();
        let value = &data[4 + (3 + name_length).next_multiple_of(4)..length];
        let kind = data[0] & 0x7f;
        let leaf = match kind {
            kind::TABLE | kind::ARRAY => Leaf::More(tree(value)?),
            kind::STRING | kind::INT32 | kind::INT64 | kind::INT8 => Leaf::Octets(value.to_vec()),
            _ => return None,
        };
        fields.push((name, kind, leaf));
        data = &data[length.next_multiple_of(4).min(data.len())..];
    }
    Some(fields)
}

fn put_tree(tree: &Tree, table: &mut Table) {
    for (name, kind, leaf) in tree {
        match (leaf, *kind) {
            (Leaf::More(more), kind::TABLE) => table.table(name, |inner| put_tree(more, inner)),
            (Leaf::More(more), _) => table.array(name, |inner| put_tree(more, inner)),
            (Leaf::Octets(value), kind::STRING) => {
                table.text(name, str::from_utf8(&value[..value.len() - 1]).unwrap());
            }
            (Leaf::Octets(value), kind::INT64) => {
                table.u64(name, u64::from_be_bytes(value[..].try_into().unwrap()));
            }
            (Leaf::Octets(value), kind::INT32) => {
                table.u32(name, u32::from_be_bytes(value[..].try_into().unwrap()));
            }
            (Leaf::Octets(value), _) => table.bool(name, value[0] != 0),
        }
    }
}

#[test]
fn we_write_what_libubus_writes() {
    let mut same = [0; 11];
    for recorded in all().iter().filter(|recorded| !recorded.from_ubusd) {
        let read = Message::parse(&recorded.octets).unwrap();
        if let Some(octets) = rewritten(&read) {
            assert_eq!(octets, recorded.octets);
            same[usize::from(read.kind)] += 1;
        }
    }
    let [_, statuses, _, _, lookups, calls, objects, ..] = same;
    assert!(statuses >= 8 && lookups >= 8 && calls >= 15 && objects >= 10, "{same:?}");
}

#[test]
fn nested_values_stand_as_libubus_has_them() {
    // The recorded answer has types that we never write; those fields are taken out of it.
    let recorded = recording("a-object-server");
    let answer = recorded.iter().find(|it| !it.from_ubusd && it.octets[1] == message::DATA);
    let read = Message::parse(&answer.unwrap().octets).unwrap();
    let data = without_unwritten(read.find(attribute::DATA).unwrap());
    let ours = written(|writer| {
        let caller = Caller { object: 1, peer: 2, sequence: 3 };
        caller.put_data(writer, |table| put_tree(&tree(&data).unwrap(), table));
    });
    let ours = Message::parse(&ours).unwrap();
    assert_eq!(ours.find(attribute::DATA), Some(&data[..]));
    assert!(data.len() > 250);
}

/// The same values without those of types that we never write, lengths made right.
fn without_unwritten(mut data: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    while !data.is_empty() {
        let length = usize::from(data[2]) << 8 | usize::from(data[3]);
        let start = 4 + (3 + usize::from(data[5])).next_multiple_of(4);
        let padded = length.next_multiple_of(4);
        match data[0] & 0x7f {
            kind::INT16 | kind::DOUBLE => {}
            kind::TABLE | kind::ARRAY => {
                let inner = without_unwritten(&data[start..length]);
                kept.extend_from_slice(&[data[0], 0]);
                kept.extend_from_slice(&((start + inner.len()) as u16).to_be_bytes());
                kept.extend_from_slice(&data[4..start]);
                kept.extend_from_slice(&inner);
            }
            _ => kept.extend_from_slice(&data[..padded]),
        }
        data = &data[padded..];
    }
    kept
}

#[test]
fn the_package_for_notifications_agrees_with_libubus_and_with_us() {
    use ubus_rs::{ATTR_DATA, ATTR_METHOD, ATTR_NO_REPLY, ATTR_OBJID, BlobBuf, MSG_NOTIFY};
    let recorded = recording("c2-notify-server");
    let notify = recorded.iter().find(|it| !it.from_ubusd && it.octets[1] == MSG_NOTIFY).unwrap();
    let mut blob = BlobBuf::new();
    blob.put_u32(ATTR_OBJID, notify.peer);
    blob.put_string(ATTR_METHOD, "session.down");
    let data = blob.nest_start(ATTR_DATA);
    blob.blobmsg_add_u32("id", 1);
    blob.nest_end(data);
    blob.put_u8(ATTR_NO_REPLY, 1);
    assert_eq!(blob.bytes(), notify.octets[8..]);
    let ours = [message::HELLO, message::STATUS, message::DATA, message::INVOKE];
    let theirs = [ubus_rs::MSG_HELLO, ubus_rs::MSG_STATUS, ubus_rs::MSG_DATA, ubus_rs::MSG_INVOKE];
    assert_eq!(ours, theirs);
    assert_eq!((message::ADD_OBJECT, message::NOTIFY), (ubus_rs::MSG_ADD_OBJECT, MSG_NOTIFY));
    assert_eq!((attribute::OBJID, attribute::NO_REPLY), (ATTR_OBJID, ATTR_NO_REPLY));
    assert_eq!((kind::STRING, kind::INT32), (ubus_rs::BLOBMSG_STRING, ubus_rs::BLOBMSG_INT32));
}
