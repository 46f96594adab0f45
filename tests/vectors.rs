//! Every value of data/mschap-mppe.json that this server computes: the samples of RFC 2759 section
//! 9.2 and RFC 3079 section 3.5, and further ones computed independently.

#[path = "common/mppe_peers.rs"]
mod mppe_peers;

use mppe_peers::{Kind, Sender, rc4};
use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::proto::mschap;
use pptp::reason::Discard;
use rc4::StreamCipher;
use serde_json::{Map, Value};

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/mschap-mppe.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name}"))
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    octets(hex).try_into().unwrap()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A start key of 8 or 16 octets in the shape that the server keeps it in.
fn start_key(hex: &str) -> [u8; 16] {
    let mut key = [0; 16];
    let short = octets(hex);
    key[..short.len()].copy_from_slice(&short);
    key
}

fn strength(bits: &str) -> Strength {
    match bits {
        "40" => Strength::Bits40,
        "56" => Strength::Bits56,
        "128" => Strength::Bits128,
        _ => panic!("strength {bits}"),
    }
}

fn packet(data: &[u8]) -> Packet {
    let mut packet = Packet::new();
    assert!(packet.set(data));
    packet
}

fn sealed(encryptor: &mut Encryptor, clear: &[u8]) -> Vec<u8> {
    let mut packet = packet(clear);
    encryptor.seal(&mut packet);
    packet.data().to_vec()
}

/// First packet of a stateful sender: encrypted under the initial session key.
fn first_stateful(start: &[u8; 16], strength: Strength, clear: &[u8]) -> Vec<u8> {
    let mut encryptor = Encryptor::new(start, Method { strength, stateful: true });
    sealed(&mut encryptor, clear).split_off(2)
}

/// `clear` under RC4 with a key from the file.
fn under(key: &str, clear: &[u8]) -> Vec<u8> {
    let mut data = clear.to_vec();
    rc4(&octets(key)).apply_keystream(&mut data);
    data
}

#[test]
fn values_printed_in_the_rfcs() {
    let vectors = vectors();
    let base = &vectors["base"];
    let (peer, authenticator) =
        (array(text(base, "peer_challenge")), array(text(base, "auth_challenge")));
    let hash = mschap::nt_hash_of("clientPass").unwrap();
    let hash_hash = mschap::hash_nt_password_hash(&hash);
    let response = mschap::generate_nt_response(&authenticator, &peer, b"User", &hash);
    let signature =
        mschap::generate_authenticator_response(&hash, &response, &peer, &authenticator, b"User");
    let master = mschap::get_master_key(&hash_hash, &response);
    let start = mschap::get_asymmetric_start_key(&master, true);
    for (name, check) in object(&vectors["rfc_checks"]) {
        let message = |bits| hex(&first_stateful(&start, strength(bits), b"test message"));
        let ours = match name.as_str() {
            "rfc2759_9.2.Challenge" => hex(&mschap::challenge_hash(&peer, &authenticator, b"User")),
            "rfc2759_9.2.PasswordHash" => hex(&hash),
            "rfc2759_9.2.NT-Response" => hex(&response),
            "rfc2759_9.2.PasswordHashHash" => hex(&hash_hash),
            "rfc2759_9.2.AuthenticatorResponse" => format!("S={}", hex(&signature).to_uppercase()),
            "rfc2759_9.3.PasswordHash" => hex(&mschap::nt_hash_of("MyPw").unwrap()),
            "rfc3079_3.5.MasterKey" => hex(&master),
            "rfc3079_3.5.SendStartKey128" => hex(&start),
            "rfc3079_3.5.SendStartKey40" | "rfc3079_3.5.SendStartKey56" => hex(&start[..8]),
            "rfc3079_3.5.rc4(test message)40" => message("40"),
            "rfc3079_3.5.rc4(test message)56" => message("56"),
            "rfc3079_3.5.rc4(test message)128" => message("128"),
            // The keys themselves stay inside; what they encrypt is compared.
            "rfc3079_3.5.SendSessionKey40" => same_stream(&start, "40", check),
            "rfc3079_3.5.SendSessionKey56" => same_stream(&start, "56", check),
            "rfc3079_3.5.SendSessionKey128" => same_stream(&start, "128", check),
            // DES keys with parity, and MS-CHAPv1, which this server does not speak.
            "rfc2759_9.3.deskey1" | "rfc2759_9.3.deskey2" => continue,
            "rfc3079_2.5.3.InitialSessionKey" | "rfc3079_2.5.3.CurrentSessionKey" => continue,
            _ => panic!("unknown check {name}"),
        };
        assert_eq!(ours, text(check, "value"), "{name}");
    }
}

/// The key of `check` if it encrypts like the initial session key.
fn same_stream(start: &[u8; 16], bits: &str, check: &Value) -> String {
    let key = text(check, "value");
    assert_eq!(first_stateful(start, strength(bits), &[0; 300]), under(key, &[0; 300]));
    key.to_owned()
}

fn users(vectors: &Value) -> Vec<&Value> {
    let extra = vectors["extra"].as_array().unwrap();
    assert_eq!(extra.len(), 7);
    std::iter::once(&vectors["base"]).chain(extra).collect()
}

#[test]
fn names_and_passwords() {
    for user in users(&vectors()) {
        let name = mschap::base_name(text(user, "user_on_wire").as_bytes());
        assert_eq!(hex(name), text(user, "user_hashed_hex"));
        let password = text(user, "password");
        let units = octets(text(user, "password_utf16le"));
        let units = units.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let hash = mschap::nt_hash_of(password).unwrap();
        assert_eq!(mschap::nt_password_hash(units), Ok(hash));
        assert_eq!(hex(&hash), text(user, "nt_password_hash"));
        let hash_hash = mschap::hash_nt_password_hash(&hash);
        assert_eq!(hex(&hash_hash), text(user, "nt_password_hash_hash"));
        let widened = mschap::widened_hash_of(password).unwrap();
        assert_eq!(widened == hash, password.is_ascii());
    }
}

#[test]
fn responses_and_keys() {
    for user in users(&vectors()) {
        let name = octets(text(user, "user_hashed_hex"));
        let peer = array(text(user, "peer_challenge"));
        let authenticator = array(text(user, "auth_challenge"));
        let hash = array(text(user, "nt_password_hash"));
        let challenge = mschap::challenge_hash(&peer, &authenticator, &name);
        assert_eq!(hex(&challenge), text(user, "challenge_hash"));
        let response = mschap::generate_nt_response(&authenticator, &peer, &name, &hash);
        assert_eq!(hex(&response), text(user, "nt_response"));
        assert_eq!(mschap::challenge_response(&challenge, &hash), response);
        let blocks = user["des"].as_array().unwrap().iter();
        let blocks: String = blocks.map(|block| text(block, "out")).collect();
        assert_eq!(hex(&response), blocks);
        assert_eq!(text(user, "chap_response_value_49")[48..96], hex(&response));
        let signature =
            mschap::generate_authenticator_response(&hash, &response, &peer, &authenticator, &name);
        assert_eq!(hex(&signature), text(user, "authresp_sha1_step2"));
        let shown = format!("S={}", hex(&signature).to_uppercase());
        assert_eq!(shown, text(user, "authenticator_response"));
        let hash_hash = array(text(user, "nt_password_hash_hash"));
        let master = mschap::get_master_key(&hash_hash, &response);
        assert_eq!(hex(&master), text(user, "master_key"));
        session_keys(user, &master);
    }
}

/// Start and initial session keys of both directions at all strengths.
fn session_keys(user: &Value, master: &[u8; 16]) {
    let mut compared = 0;
    for (bits, directions) in object(&user["mppe"]) {
        for (direction, keys) in object(directions) {
            let server_sends = matches!(direction.as_str(), "server_send" | "client_recv");
            let start = mschap::get_asymmetric_start_key(master, server_sends);
            let expected = text(keys, "start_key");
            assert_eq!(hex(&start)[..expected.len()], *expected, "{bits} {direction}");
            let session = text(keys, "initial_session_key");
            let first = first_stateful(&start, strength(bits), &[0; 64]);
            assert_eq!(first, under(session, &[0; 64]), "{bits} {direction}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

/// pppd reads the octets of a UTF-8 password as Latin-1. MD4 computed by OpenSSL.
#[test]
fn passwords_widened_octet_by_octet() {
    let hash = |password| hex(&mschap::widened_hash_of(password).unwrap());
    assert_eq!(hash("пароль-Ж"), "b83489168537c4f710b4afd25e708db4");
    assert_eq!(hash("p🔒w"), "57c27412fdc1a6ad31e1c241dd0fd317");
    assert_eq!(hash("clientPass"), "44ebba8d5312b8d611474411f56989ae");
}

#[test]
fn passwords_end_at_256_characters() {
    assert!(mschap::nt_hash_of(&"x".repeat(256)).is_ok());
    assert_eq!(mschap::nt_hash_of(&"x".repeat(257)), Err(mschap::TooLong));
    assert!(mschap::nt_hash_of(&"Ж".repeat(256)).is_ok());
    assert_eq!(mschap::widened_hash_of(&"Ж".repeat(129)), Err(mschap::TooLong));
    assert!(mschap::nt_hash_of(&"🔒".repeat(128)).is_ok());
    assert_eq!(mschap::nt_hash_of(&"🔒".repeat(129)), Err(mschap::TooLong));
}

#[test]
fn names_without_their_domain() {
    for (name, base) in [
        (r"OFFICE\User", "User"),
        (r"A\B\User", "User"),
        (r"User\", ""),
        ("User", "User"),
        ("user@realm", "user@realm"),
        ("", ""),
    ] {
        assert_eq!(mschap::base_name(name.as_bytes()), base.as_bytes());
    }
}

#[test]
fn stateless_frames() {
    let vectors = vectors();
    for (name, direction) in object(&vectors["mppe_stateless"]) {
        let method =
            Method { strength: strength(name.split('_').next().unwrap()), stateful: false };
        let start = start_key(text(direction, "start_key"));
        let mut encryptor = Encryptor::new(&start, method);
        let mut decryptor = Decryptor::new(&start, method);
        for (count, frame) in direction["packets"].as_array().unwrap().iter().enumerate() {
            let clear = octets(text(frame, "plaintext"));
            let wire = octets(&text(frame, "ppp_frame")["ff0300fd".len()..]);
            assert_eq!(hex(&wire[..2]), text(frame, "mppe_header"));
            assert_eq!(hex(&sealed(&mut encryptor, &clear)), hex(&wire), "{name} {count}");
            assert_eq!(under(text(frame, "session_key"), &clear), wire[2..]);
            let mut received = packet(&wire);
            let result = decryptor.open(&mut received);
            if count == 0 {
                // "test message" does not begin with a protocol field: not believed.
                assert_eq!(result, Err(Discard::MppeJump));
            } else {
                assert_eq!(result, Ok(()), "{name} {count}");
                assert_eq!(hex(received.data()), hex(&clear));
            }
        }
    }
}

#[test]
fn stateless_keys_after_many_changes() {
    let vectors = vectors();
    let start = start_key(text(&vectors["mppe_stateless"]["128_client_to_server"], "start_key"));
    let keys = object(&vectors["mppe_stateless_128_client_to_server_key_after_n_changes"]);
    let mut encryptor =
        Encryptor::new(&start, Method { strength: Strength::Bits128, stateful: false });
    let mut compared = 0;
    for changes in 1..=8193 {
        let wire = sealed(&mut encryptor, &[0; 16]);
        let Some(expected) = keys.get(&changes.to_string()) else { continue };
        let count = expected["ccount_of_packet"].as_u64().unwrap() as u16;
        assert_eq!(wire[..2], (0x9000 | count).to_be_bytes());
        assert_eq!(wire[2..], under(text(expected, "session_key"), &[0; 16]), "{changes}");
        compared += 1;
    }
    assert_eq!(compared, keys.len());
}

/// The models of stateful peers, which test the server in tests/mppe.rs, agree with the file, and
/// our sender agrees with them as long as nothing is lost.
#[test]
fn stateful_frames() {
    let vectors = vectors();
    let start = start_key(text(&vectors["mppe_stateless"]["128_server_to_client"], "start_key"));
    for (kind, name) in [(Kind::Rfc, "rfc"), (Kind::Linux, "linux")] {
        let listed = vectors["mppe_stateful_128_server_to_client"][name].as_array().unwrap();
        let mut sender = Sender::new(kind, start);
        let mut encryptor =
            Encryptor::new(&start, Method { strength: Strength::Bits128, stateful: true });
        let mut compared = 0;
        for count in 0..=513 {
            if count == 10 || count == 300 {
                sender.reset();
            }
            let mut clear = vec![0x00, 0x21, (count >> 8) as u8, count as u8];
            clear.resize(12, 0xaa);
            let wire = sender.send(&clear);
            if count < 10 {
                assert_eq!(sealed(&mut encryptor, &clear), wire);
            }
            let frame = listed.iter().find(|frame| frame["ccount"] == count);
            let Some(frame) = frame else { continue };
            assert_eq!(hex(&wire[..2]), text(frame, "mppe_header"), "{name} {count}");
            assert_eq!(hex(&sender.key.session), text(frame, "session_key"), "{name} {count}");
            assert_eq!(hex(&wire[2..]), text(frame, "ciphertext"), "{name} {count}");
            compared += 1;
        }
        assert_eq!(compared, listed.len());
    }
}

/// Our receiver reads the listed frames in which nothing was lost or flushed.
#[test]
fn stateful_frames_are_read() {
    let vectors = vectors();
    let start = start_key(text(&vectors["mppe_stateless"]["128_server_to_client"], "start_key"));
    let mut decryptor =
        Decryptor::new(&start, Method { strength: Strength::Bits128, stateful: true });
    let listed = vectors["mppe_stateful_128_server_to_client"]["rfc"].as_array().unwrap();
    for frame in &listed[..4] {
        let wire = [text(frame, "mppe_header"), text(frame, "ciphertext")].concat();
        let mut received = packet(&octets(&wire));
        assert_eq!(decryptor.open(&mut received), Ok(()));
        assert_eq!(hex(received.data()), text(frame, "plaintext"));
    }
}
