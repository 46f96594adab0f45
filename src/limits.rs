//! Every limit of the server in one place, each with its price in memory.
//!
//! The storage itself is handed in by the program (`session::Storage`), so a limit that the
//! configuration may lower costs only what is used.

/// Calls at once that one server can be configured for. The low bits of a Call ID are the slot: with
/// all of these and `LOGINS` five random bits remain above it, with the default of 32 there are ten.
pub const SESSIONS: usize = 1024;

/// Control connections at once, logged in or not. A connection costs `size_of::<Control>()`.
pub const CONTROLS: usize = 2048;

/// Calls that are logging in, beside those that have: a crowd of them keeps no slot from a session.
pub const LOGINS: usize = 32;

/// Calls on one control connection. A real caller has one; RFC 2637 allows many.
pub const CALLS_PER_CONTROL: usize = 8;

/// Octets of the longest control message that is read: Outgoing-Call-Request is 168 and
/// Incoming-Call-Request 220 octets; a longer length field ends the connection.
pub const CONTROL_MESSAGE: usize = 220;

/// Octets of answers kept for a control connection whose peer does not read. Four answers of the
/// longest kind; when they are full the connection is closed.
pub const CONTROL_OUTPUT: usize = 640;

/// Octets of the largest PPP information field that is received or sent (RFC 1661 section 6.1
/// prescribes that 1500 is always accepted).
pub const MRU: usize = 1500;

/// Octets in front of an inner packet: IP 20, GRE 16, address and control 2, protocol 2,
/// MPPE 2, inner protocol 2, rounded up so that the inner packet stands aligned.
pub const HEADROOM: usize = 64;

/// Octets of one packet buffer.
pub const PACKET: usize = 2048;

/// TCP segments that go to the kernel as one packet: as many as one turn of the loop takes.
pub const MERGED: u16 = 16;

/// Octets of such a packet: its buffer is the price.
pub const MERGED_OCTETS: usize = 24 * 1024;

/// Octets of the largest packet that the TUN device gives, with its virtio header: IPv6 and 65535 behind
/// it. Its buffer is the price.
pub const READ_OCTETS: usize = 12 + 40 + 65_535 + 1;

/// Packets that wait in the kernel's queue of the TUN device, where it gives large ones: 64 KiB each at
/// the most, so that a flood takes no more than 8 MiB of a router. It is read into `WAITING` places as
/// soon as it fills. Linux has 500 of them, which is right for small ones.
pub const TUN_QUEUE: u16 = 128;

/// Octets of one queued PPP frame: address and control are added when it is sent, so protocol,
/// code, identifier, length and an information field of the largest kind.
pub const FRAME: usize = MRU + 4;

/// PPP frames of our own that wait to be sent. `FRAMES * size_of::<Frame>()` is about 48 KiB.
pub const FRAMES: usize = 32;

/// Received packets that wait for an earlier one, for all calls together: about 1.5 KiB each.
pub const HELD: usize = 64;

/// Received packets that one call may hold back.
pub const HELD_PER_CALL: usize = 16;

/// Packets that were read and wait for their turn under overload, for all callers together: the
/// buffer of each is the price, 2 KiB. One caller alone may have all of them, which is some 20 ms of
/// a small router's time; as soon as others send, its last ones make room.
pub const WAITING: usize = 128;

/// What one caller may be ahead of the others before it is their turn, in the unit of
/// `session::fair`: four of the largest packets. With less, segments of two callers that alternate
/// could not be merged; with more, a ping would wait longer.
pub const FAIR_BURST: u32 = 4 * (800 + 1400);

/// Milliseconds that a received packet waits for an earlier one. Wi-Fi and LTE reorder within a
/// few milliseconds; what is later than this was lost.
pub const REORDER_MS: u64 = 40;

/// Milliseconds that an acknowledgment waits for a data packet to ride on (RFC 2637 section 4.2).
pub const ACK_DELAY_MS: u64 = 100;

/// Milliseconds between the ticks to which such waits are rounded down.
pub const ACK_TICK_MS: u64 = 50;

/// Unacknowledged packets after which an acknowledgment goes alone at the end of the turn. A
/// windowed peer (FreeBSD) stalls at 16 outstanding.
pub const ACK_EVERY: u32 = 8;

/// Packets that a peer may have outstanding, as announced in Outgoing-Call-Reply.
pub const RECEIVE_WINDOW: u16 = 64;

/// Key changes that one received packet may cost (RFC 3078 section 8.1 would allow 4095). A key
/// change costs about 6 000 cycles.
pub const REKEYS_PER_PACKET: u16 = 64;

/// Key changes that the unreadable packets of one call may cost in a second: what is further ahead is
/// not looked for until the next. An outage of 5000 packets is caught up in little more than that.
pub const REKEYS_PER_SECOND: u32 = 4096;

/// Encrypted packets that cannot be read, one after the other and for `UNREAD_MS` at least, after
/// which a call is given up: its keys are out of step for good. Looking for the key of a packet
/// after the longest outage that can be caught up takes about 500 packets.
pub const UNREAD_PACKETS: u32 = 32;

/// Milliseconds that go with `UNREAD_PACKETS`. A shorter time would end calls that are about to
/// find their key; and whoever can forge packets for so long can end a call by one forged
/// Terminate-Request as well.
pub const UNREAD_MS: u64 = 30_000;

/// Accounts in the configuration.
pub const USERS: usize = 128;

/// Octets of an account's name in UTF-8.
pub const USERNAME: usize = 128;

/// UTF-16 code units of the longest password (RFC 2759 section 8.3: 256 Unicode characters).
pub const PASSWORD_UNITS: usize = 256;

/// Octets of the server's name in Start-Control-Connection-Reply (RFC 2637 section 2.2) and in
/// CHAP Challenges.
pub const HOST_NAME: usize = 64;

/// Octets of a network device's name, without the final NUL.
pub const DEVICE_NAME: usize = 15;

/// Octets of a firewall zone's name.
pub const ZONE_NAME: usize = 32;

/// Octets of the path of a program.
pub const PROGRAM: usize = 128;

/// Octets of a domain's name; DHCP could tell 255.
pub const DOMAIN: usize = 64;

/// Networks that callers are told of: 5 octets each, once and in every account.
pub const PUSHED: usize = 8;
pub const PUSHED_PER_USER: usize = 4;

/// Networks that one answer to a DHCPINFORM names: 9 octets each in its 255.
pub const TOLD_ROUTES: usize = 28;

/// Milliseconds that each answer to a DHCPINFORM costs a call, and answers that may come at once.
pub const INFORM_MS: u64 = 2000;
pub const INFORM_BURST: u64 = 5;

/// Networks of the LAN: 8 octets each.
pub const LAN_NETWORKS: usize = 4;

/// Ports and ranges of ports in a list of the broadcast relay: 4 octets each.
pub const RELAY_PORTS: usize = 16;

/// Sources of broadcasts whose rate is watched: 16 octets each.
pub const RELAY_SOURCES: usize = 64;

/// Broadcasts that are remembered for a moment to know them again: 16 octets each.
pub const RELAY_MEMORY: usize = 128;

/// Addresses of the LAN that are asked for there at once, and those that are known to be in use: 8
/// and 16 octets each.
pub const LAN_ADDRESSES: usize = 32;

/// Local addresses to listen on.
pub const LISTEN: usize = 8;

/// Addresses in the pool: the index from addresses to slots takes 2 octets each.
pub const POOL: usize = 4096;

/// IPv6 prefixes of the callers: one of the household's own, one of the provider.
pub const IPV6_PREFIXES: usize = 2;

/// IPv6 networks of 64 bits of this machine that are not the callers'.
pub const IPV6_NETWORKS: usize = 8;

/// DNS servers that callers are told in IPv6.
pub const IPV6_DNS: usize = 2;

/// IPv6 addresses that one caller may use at once, each under every prefix: 8 octets for each call.
/// Hosts keep one that stays and a new one for every day (RFC 8981).
pub const IPV6_ADDRESSES: usize = 8;

/// Places in which the caller that has an IPv6 address is remembered: 2 octets each.
pub const IPV6_CACHE: usize = 64;

/// Sources and accounts whose failed logins are remembered: about 32 octets each.
pub const FAILED_LOGINS: usize = 256;

/// Networks behind one caller: 5 octets each, in every account.
pub const ROUTES: usize = 4;

/// Networks behind all live callers: 8 octets each, looked through for packets of no leased address.
pub const ROUTES_LIVE: usize = 64;

/// Times of the week in which an account may be online: 4 octets each, in every account.
pub const HOURS: usize = 8;

/// Ended calls that `failures` remembers.
pub const FAILURES: usize = 32;

/// Events that wait for the program to read them. It reads all of them every turn.
pub const EVENTS: usize = 64;

/// Octets of the largest ubus message, as ubusd has it. Replies take their memory only while they
/// are being sent.
pub const UBUS_MESSAGE: usize = 1024 * 1024;

const _: () = assert!(SESSIONS + LOGINS <= 4096);
const _: () = assert!(HEADROOM + MRU + 64 <= PACKET);
const _: () = assert!(HEADROOM >= 20 + 16 + 2 + 2 + 2 + 2);
