//! Callers of the field, octet by octet: what they are known to send, in their order, and exactly
//! what they must hear.

use pptp::proto::mschap;
use pptp::reason::Cause;

use crate::common::line::GOOD;
use crate::common::world::{PASSWORD, USER, World, config, in_world};

/// Octets from hex digits; blanks do not matter.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A caller that is played octet by octet.
struct Peer<'w, 'a> {
    world: &'w mut World<'a>,
    at: usize,
}

impl Peer<'_, '_> {
    /// Sends a PPP frame, without address and control field.
    fn says(&mut self, frame: &str) {
        self.world.send(self.at, &octets(&format!("ff03{frame}")));
        self.world.run(12);
    }

    /// The next frame is this one; `??` is any octet.
    fn hears(&mut self, pattern: &str) -> Vec<u8> {
        let frame = self.world.callers[self.at].calls[0].inbox.pop_front();
        let frame = frame.unwrap_or_else(|| panic!("nothing, not {pattern}"));
        let digits: String = pattern.split_whitespace().collect();
        let heard = hex(&frame[2..]);
        let matches = digits.len() == heard.len()
            && digits.bytes().zip(heard.bytes()).all(|(want, have)| want == b'?' || want == have);
        assert!(matches, "heard {heard}, not {digits}");
        frame[2..].to_vec()
    }

    fn hears_nothing(&mut self) {
        let inbox = &self.world.callers[self.at].calls[0].inbox;
        assert!(inbox.is_empty(), "heard {}", hex(&inbox[0][2..]));
    }

    /// The first request of the server is acknowledged.
    fn acknowledges_lcp(&mut self) {
        let ours = self.hears("c021 0101 0013 0104057c 0305c22381 0506????????");
        self.says(&format!("c021 0201 0013 {}", hex(&ours[6..])));
    }

    /// The challenge is answered, and the answer accepted.
    fn logs_in(&mut self) {
        let challenge =
            self.hears(&format!("c223 0101 0020 10 {} {}", "??".repeat(16), hex(b"pptp-server")));
        let challenge: [u8; 16] = challenge[7..23].try_into().unwrap();
        let (peer, hash) = ([0x33; 16], mschap::nt_hash_of(PASSWORD).unwrap());
        let user = USER.as_bytes();
        let response = mschap::generate_nt_response(&challenge, &peer, user, &hash);
        let (length, zeros) = (4 + 50 + user.len(), "00".repeat(8));
        self.says(&format!(
            "c223 0201 {length:04x} 31 {} {zeros} {} 00 {}",
            hex(&peer),
            hex(&response),
            hex(user)
        ));
        let proof =
            mschap::generate_authenticator_response(&hash, &response, &peer, &challenge, user);
        let text = format!("S={} M=Welcome", hex(&proof).to_uppercase());
        self.hears(&format!("c223 0301 {:04x} {}", 4 + text.len(), hex(text.as_bytes())));
    }

    fn is_open(&self) -> bool {
        self.world.server.sessions().all(|session| session.state == "open")
    }
}

/// Plays `story` on a call that was just accepted.
fn play(story: impl FnOnce(&mut Peer)) {
    in_world(config(), 1, |world| {
        let at = world.scripted(1);
        story(&mut Peer { world, at });
    });
}

/// Control messages of Windows 10, in octets, and what it hears.
#[test]
fn windows_on_the_control_connection() {
    in_world(config(), 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        let text = |text: &str| format!("{}{}", hex(text.as_bytes()), "00".repeat(64 - text.len()));
        let mut exchange = |said: String| {
            let now = world.now;
            world.callers[at].messages.clear();
            world.callers[at].say_octets(octets(&said), now);
            world.run(20);
            world.callers[at].messages.clone()
        };
        let heard = exchange(format!(
            "009c 0001 1a2b3c4d 0001 0000 0100 0000 00000001 00000001 0000 0000 {} {}",
            text(""),
            text("Microsoft")
        ));
        let reply = format!(
            "009c 0001 1a2b3c4d 0002 0000 0100 01 00 00000003 00000003 0000 0001 {} {}",
            text("pptp-server"),
            text("pptp-server")
        );
        assert_eq!(heard, [octets(&reply)]);
        let heard = exchange(format!(
            "00a8 0001 1a2b3c4d 0007 0000 2961 0004 0000012c 05f5e100 00000003 00000003 0040 0000 \
             0000 0000 {} {}",
            text(""),
            text("")
        ));
        let call_id = hex(&heard[0][12..14]);
        let reply = format!(
            "0020 0001 1a2b3c4d 0008 0000 {call_id} 2961 01 00 0000 05f5e100 0040 0000 00000000"
        );
        assert_eq!(heard, [octets(&reply)]);
        // Set-Link-Info, three times in a call; nothing is to be said.
        let info = format!("0018 0001 1a2b3c4d 000f 0000 {call_id} 0000 ffffffff ffffffff");
        assert_eq!(exchange(info), [] as [Vec<u8>; 0]);
        let heard = exchange("0010 0001 1a2b3c4d 0005 0000 00000009".to_string());
        assert_eq!(heard, [octets("0014 0001 1a2b3c4d 0006 0000 00000009 01 00 0000")]);
        // Call-Clear-Request: Call-Disconnect-Notify has our Call ID, and the result 4.
        let heard = exchange("0010 0001 1a2b3c4d 000c 0000 2961 0000".to_string());
        let notify =
            format!("0094 0001 1a2b3c4d 000d 0000 {call_id} 04 00 0000 0000 {}", "00".repeat(128));
        assert_eq!(heard, [octets(&notify)]);
        let heard = exchange("0010 0001 1a2b3c4d 0003 0000 01 00 0000".to_string());
        assert_eq!(heard, [octets("0010 0001 1a2b3c4d 0004 0000 01 00 0000")]);
    });
}

#[test]
fn windows_10() {
    play(|peer| {
        peer.says("c021 0100 0015 01040578 0506 52aa1c3e 0702 0802 0d0306");
        peer.acknowledges_lcp();
        peer.hears("c021 0400 0007 0d0306");
        peer.says("c021 0101 0012 01040578 0506 52aa1c3e 0702 0802");
        peer.hears("c021 0201 0012 01040578 0506 52aa1c3e 0702 0802");
        // Three Identifications, the last of which is no text.
        peer.says(&format!("c021 0c02 0012 52aa1c3e {}", hex(b"MSRASV5.20")));
        peer.says(&format!("c021 0c03 0016 52aa1c3e {}", hex(b"MSRAS-0-DESKTO")));
        peer.says("c021 0c04 0018 52aa1c3e 00ff10809099a0b1c2d3e4f505060708");
        peer.logs_in();
        // IPV6CP, CCP without a strength, IPCP: in one go.
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.hears_nothing();
        peer.says("8057 0105 000e 010a 0c2d3e4f50617283");
        peer.hears("c021 08?? 0014 8057 0105 000e 010a 0c2d3e4f50617283");
        peer.says("80fd 0106 000a 1206 01000000");
        peer.hears("80fd 0306 000a 1206 01000040");
        peer.says(
            "8021 0107 0022 0306 00000000 8106 00000000 8206 00000000 8306 00000000 8406 00000000",
        );
        peer.hears_nothing();
        peer.says("80fd 0201 000a 1206 01000040");
        peer.says("80fd 0108 000a 1206 01000040");
        peer.hears("80fd 0208 000a 1206 01000040");
        // IPCP waited until now. There is one DNS server, and no WINS server.
        peer.hears("8021 0101 000a 0306 c0a84d01");
        peer.hears("8021 0407 0016 8206 00000000 8306 00000000 8406 00000000");
        peer.says("8021 0201 000a 0306 c0a84d01");
        peer.says("8021 0109 0010 0306 00000000 8106 00000000");
        peer.hears("8021 0309 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.says("8021 010a 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.hears("8021 020a 0010 0306 c0a84d0a 8106 c0a84d01");
        assert!(peer.is_open());
        // Its goodbye, with the numbers that it is known for.
        peer.says("c021 050b 0010 52aa1c3e 003ccd74 00000000");
        peer.hears("c021 060b 0004");
        peer.world.run(3000);
        assert_eq!(peer.world.ended(), [Cause::PeerTerminated]);
    });
}

/// "Negotiate multi-link" is checked: three options more, all of which are rejected as they came.
#[test]
fn windows_with_multilink() {
    play(|peer| {
        peer.acknowledges_lcp();
        let class = "1317 01 3b7e2a91c4d5f60718293a4b5c6d7e8f90a1b2c3";
        peer.says(&format!(
            "c021 0100 0034 01040578 0506 52aa1c3e 0702 0802 0d0306 1104064e {class} 17040001"
        ));
        peer.hears(&format!("c021 0400 0026 0d0306 1104064e {class} 17040001"));
    });
}

/// It asks for the authentication that it was offered.
#[test]
fn windows_naks_what_it_wants() {
    play(|peer| {
        peer.hears("c021 0101 0013 0104057c 0305c22381 0506????????");
        peer.says("c021 0301 0009 0305c22381");
        peer.hears("c021 0102 0013 0104057c 0305c22381 0506????????");
    });
}

/// "No encryption allowed": CCP is refused by Protocol-Reject, and the caller is told why the call
/// ends.
#[test]
fn windows_without_encryption() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0100 0012 01040578 0506 52aa1c3e 0702 0802");
        peer.hears("c021 0200 0012 01040578 0506 52aa1c3e 0702 0802");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("c021 0806 0010 80fd 0101 000a 1206 01000040");
        let text = hex(b"MPPE encryption is required");
        peer.hears(&format!("c021 05?? 001f {text}"));
        peer.world.run(3000);
        assert_eq!(peer.world.ended(), [Cause::EncryptionRefused]);
    });
}

/// RouterOS sends IPCP right behind CCP; a Terminate-Ack would be the end for it.
#[test]
fn mikrotik() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0101 0012 010405aa 0506 1a2b3c4d 1104064e");
        peer.hears("c021 0401 0008 1104064e");
        peer.says("c021 0102 000e 010405aa 0506 1a2b3c4d");
        peer.hears("c021 0202 000e 010405aa 0506 1a2b3c4d");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("80fd 0101 000a 1206 01000060");
        peer.says("8021 0101 0010 0306 00000000 8106 00000000");
        // Bridging.
        peer.says("8031 0101 0004");
        peer.hears("80fd 0301 000a 1206 01000040");
        peer.hears("c021 08?? 000a 8031 0101 0004");
        peer.says("80fd 0102 000a 1206 01000040");
        peer.hears("80fd 0202 000a 1206 01000040");
        peer.hears_nothing();
        peer.says("80fd 0201 000a 1206 01000040");
        peer.hears("8021 0101 000a 0306 c0a84d01");
        peer.hears("8021 0301 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.says("8021 0201 000a 0306 c0a84d01");
        peer.says("8021 0102 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.hears("8021 0202 0010 0306 c0a84d0a 8106 c0a84d01");
        assert!(peer.is_open());
    });
}

/// It asks for no encryption at all, and does so again after every answer: it is answered now and
/// then, and does not keep its place for ever.
#[test]
fn tp_link() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0101 000e 010405b4 0506 00112233");
        peer.hears("c021 0201 000e 010405b4 0506 00112233");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("80fd 0201 000a 1206 01000040");
        let mut answers = Vec::new();
        for identifier in 0..200 {
            peer.says(&format!("80fd 01{identifier:02x} 000a 1206 00000000"));
            peer.world.run(50);
            let inbox = &mut peer.world.callers[peer.at].calls[0].inbox;
            let ccp = inbox.drain(..).filter(|frame| frame[2..4] == [0x80, 0xfd] && frame[4] != 1);
            answers.extend(ccp.map(|frame| hex(&frame[4..5]) + &hex(&frame[8..])));
        }
        assert_eq!(answers[0], "03120601000040", "Nak");
        assert_eq!(answers.last().unwrap(), "04120600000000", "Reject");
        assert!((10..30).contains(&answers.len()), "{} answers to 200", answers.len());
        peer.world.run(60_000);
        assert_eq!(peer.world.ended(), [Cause::EncryptionTimeout]);
    });
}

/// Android up to 11: mtpd with pppd 2.4, which wants header compression and two DNS servers.
#[test]
fn android() {
    play(|peer| {
        peer.says("c021 0101 0018 01040578 0206 00000000 0506 7d3b5c11 0702 0802");
        peer.acknowledges_lcp();
        peer.hears("c021 0201 0018 01040578 0206 00000000 0506 7d3b5c11 0702 0802");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("80fd 0101 000a 1206 01000060");
        peer.hears("80fd 0301 000a 1206 01000040");
        peer.says("80fd 0201 000a 1206 01000040");
        peer.says("80fd 0102 000a 1206 01000040");
        peer.hears("80fd 0202 000a 1206 01000040");
        peer.hears("8021 0101 000a 0306 c0a84d01");
        peer.says("8021 0101 001c 0206 002d0f01 0306 00000000 8106 00000000 8306 00000000");
        peer.hears("8021 0401 0010 0206 002d0f01 8306 00000000");
        peer.says("8021 0102 0010 0306 00000000 8106 00000000");
        peer.hears("8021 0302 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.says("8021 0103 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.hears("8021 0203 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.says("8021 0201 000a 0306 c0a84d01");
        assert!(peer.is_open());
    });
}

/// iOS up to 9 and macOS up to 10.11: 40 bit beside 128, and Apple's own protocol.
#[test]
fn apple() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0101 0014 0206 00000000 0506 3a91b7e0 0702 0802");
        peer.hears("c021 0201 0014 0206 00000000 0506 3a91b7e0 0702 0802");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("8235 0101 0010 0106 00000000 0206 00000001");
        peer.hears("c021 08?? 0016 8235 0101 0010 0106 00000000 0206 00000001");
        peer.says("80fd 0101 000a 1206 01000060");
        peer.hears("80fd 0301 000a 1206 01000040");
        peer.says("80fd 0102 000a 1206 01000040");
        peer.hears("80fd 0202 000a 1206 01000040");
        peer.says("80fd 0201 000a 1206 01000040");
        peer.hears("8021 0101 000a 0306 c0a84d01");
        peer.says("8021 0201 000a 0306 c0a84d01");
        peer.says("8021 0101 0016 0306 00000000 8106 00000000 8306 00000000");
        peer.hears("8021 0401 000a 8306 00000000");
        peer.says("8021 0102 0010 0306 00000000 8106 00000000");
        peer.hears("8021 0302 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.says("8021 0103 0010 0306 c0a84d0a 8106 c0a84d01");
        peer.hears("8021 0203 0010 0306 c0a84d0a 8106 c0a84d01");
        assert!(peer.is_open());
    });
}

/// pptp-linux with pppd asks for echoes, and hangs up with a text.
#[test]
fn pppd() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0101 0014 0206 00000000 0506 3a91b7e0 0702 0802");
        peer.hears("c021 0201 0014 0206 00000000 0506 3a91b7e0 0702 0802");
        peer.logs_in();
        peer.hears("80fd 0101 000a 1206 01000040");
        peer.says("c021 0900 0008 3a91b7e0");
        let reply = peer.hears("c021 0a00 0008 ????????");
        assert_ne!(&reply[6..], [0x3a, 0x91, 0xb7, 0xe0], "our own magic number");
        peer.says(&format!("c021 0502 0010 {}", hex(b"User request")));
        peer.hears("c021 0602 0004");
    });
}

/// A client without an MRU option is assumed to take 1500 octets, and our own packets carry the
/// configured MTU.
#[test]
fn a_client_without_options() {
    play(|peer| {
        peer.acknowledges_lcp();
        peer.says("c021 0101 0004");
        peer.hears("c021 0201 0004");
        peer.logs_in();
    });
}
