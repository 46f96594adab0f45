//! The configuration file: good files and what they say.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::Ipv6Addr;

use pptp::config::hours::Span;
use pptp::config::{
    AUTO_PREFIX, Config, Duplicate, LanMode, LogLevel, Mppe, Network, Pool, Ports, Problems,
    RATE_MAX, Relay, Rights, User, options,
};
use pptp::limits;
use pptp::proto::mppe::Strength;

const EVERY_OPTION: &str = include_str!("data/config/every-option");
const EVERY_OPTION_CHANGED: &str = include_str!("data/config/every-option-changed");

/// The configuration, or the errors as text; and the warnings as text.
fn parse(text: impl AsRef<[u8]>) -> (Result<Config, String>, String) {
    let mut warnings = Problems::default();
    let config = Config::parse(text.as_ref(), &mut warnings);
    (config.map_err(|errors| errors.to_string()), warnings.to_string())
}

fn accepted(text: impl AsRef<[u8]>) -> Config {
    let (config, warnings) = parse(text);
    assert_eq!(warnings, "");
    config.expect("an accepted file")
}

fn ipv6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

/// A file whose line 5 is the first one of `lines`, in the server section. It has an account, so
/// that nothing warns that nobody can dial in.
fn server(lines: &str) -> String {
    format!("config user\noption username a\noption password b\nconfig server main\n{lines}\n")
}

/// A file whose line 2 is the first one of `lines`, in an account.
fn user(lines: &str) -> String {
    format!("config user\n{lines}\n")
}

#[test]
fn every_option_with_its_default() {
    let mut config = accepted(EVERY_OPTION);
    let users = std::mem::take(&mut config.users);
    assert_eq!(config, Config::default());
    let mut alice = User::new("alice", "correct horse battery staple").expect("a good account");
    alice.ip = Some([192, 168, 77, 50].into());
    alice.push_routes.push(Network::around([192, 168, 9, 0].into(), 24)).unwrap();
    let mut bob = User::new("Bob \"the builder\"", "password").expect("a good account");
    bob.enabled = false;
    bob.rights = Rights {
        lan: false,
        internet: false,
        callers: false,
        relay: false,
        routes: ["192.168.5.0", "10.5.0.0"]
            .into_iter()
            .zip([24, 16])
            .map(|(address, prefix)| Network::around(address.parse().unwrap(), prefix))
            .collect(),
        rate_up: RATE_MAX,
        rate_down: 1,
        idle_timeout: 65535,
        session_timeout: 1,
        hours: ["mon-fri 08:00-22:00", "sat,sun 22:00-06:00"]
            .into_iter()
            .map(|text| Span::parse(text).unwrap())
            .collect(),
    };
    assert_eq!(users, [alice, bob]);
}

#[test]
fn every_option_with_another_value() {
    let (config, warnings) = parse(EVERY_OPTION_CHANGED);
    assert_eq!(warnings, "1: no account is enabled: nobody can dial in\n");
    let expected = Config {
        enabled: false,
        listen: [[192, 0, 2, 1].into(), [127, 0, 0, 1].into()].into_iter().collect(),
        port: 11723,
        zone: "vpn_zone".try_into().unwrap(),
        lan: "home_2".try_into().unwrap(),
        lan_device: "br-home.7".try_into().unwrap(),
        lan_mode: LanMode::SameSubnet,
        device: "tun-9.x".try_into().unwrap(),
        name: "router.example".try_into().unwrap(),
        local_ip: [10, 9, 0, 1].into(),
        pool: Pool { first: [10, 9, 0, 2].into(), last: [10, 9, 0, 9].into() },
        dns: [[9, 9, 9, 9].into(), [1, 1, 1, 1].into()].into_iter().collect(),
        wins: [[10, 9, 0, 1].into(), [10, 8, 0, 1].into()].into_iter().collect(),
        domain: "lan.example".try_into().unwrap(),
        push_routes: [Network::around([10, 8, 0, 0].into(), 16)].into_iter().collect(),
        hook: "/root/hook".try_into().unwrap(),
        ipv6_prefix: [0xfd12_3456_789a_0077, AUTO_PREFIX].into_iter().collect(),
        ipv6_dns: [ipv6("2001:db8::53"), Ipv6Addr::UNSPECIFIED].into_iter().collect(),
        mppe: Mppe::Optional,
        mppe_min: Strength::Bits40,
        mppe_stateful: true,
        mtu: 1280,
        max_sessions: 5,
        max_connections: 2048,
        max_per_address: 1,
        login_timeout: 600,
        echo_interval: 5,
        lcp_echo_interval: 0,
        lcp_echo_failures: 255,
        duplicate: Duplicate::Allow,
        backoff_failures: 0,
        backoff_time: 65535,
        relay: Relay {
            on: false,
            ports: [Ports { first: 6112, last: 6112 }, Ports { first: 27015, last: 27030 }]
                .into_iter()
                .collect(),
            deny: Default::default(),
            rate: 250,
            mdns: true,
            ssdp: true,
        },
        log_level: LogLevel::Trace,
        users: Default::default(),
    };
    assert_eq!(config, Ok(expected));
}

/// The samples above lack no option, so that a new one is tested as well.
#[test]
fn the_samples_have_every_option() {
    for section in options::ALL {
        for row in section.rows {
            let word = format!(" {} ", row.name);
            assert!(EVERY_OPTION.contains(&word), "{} is missing", row.name);
            if section.kind == "server" {
                assert!(EVERY_OPTION_CHANGED.contains(&word), "{} is missing", row.name);
            }
        }
    }
}

/// The table's defaults, written into a file, say what a file without them says.
#[test]
fn the_defaults_of_the_table_are_the_defaults() {
    let mut text = String::from("config server 'main'\n");
    for row in options::SERVER.iter().filter(|row| row.name != "dns") {
        writeln!(text, "\toption {} '{}'", row.name, row.default).unwrap();
    }
    assert_eq!(parse(text).0, Ok(Config::default()));
    assert_eq!(parse("").0, Ok(Config::default()));
    let mut text = String::from("config user\noption username a\noption password b\n");
    for row in options::USER.iter().filter(|row| !row.default.is_empty()) {
        writeln!(text, "option {} '{}'", row.name, row.default).unwrap();
    }
    assert_eq!(accepted(text).users[0], User::new("a", "b").unwrap());
}

#[test]
fn every_option_has_words() {
    for section in options::ALL {
        let names: HashSet<_> = section.rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), section.rows.len(), "an option of {} stands twice", section.kind);
        for row in section.rows {
            assert!(row.help.ends_with('.') && !row.field.to_string().is_empty(), "{}", row.name);
        }
    }
}

#[test]
fn dns_follows_local_ip_unless_it_is_given() {
    let dns = |lines| accepted(server(lines)).dns.to_vec();
    let own = "option local_ip 10.0.0.1";
    assert_eq!(dns(own), [std::net::Ipv4Addr::new(10, 0, 0, 1)]);
    assert_eq!(
        dns("list dns 9.9.9.9\noption local_ip 10.0.0.1"),
        [[9, 9, 9, 9].into()] as [std::net::Ipv4Addr; 1]
    );
    assert!(dns("option dns none").is_empty());
}

#[test]
fn switches_have_the_words_of_openwrt() {
    for (words, expected) in [("1 on true yes enabled", true), ("0 off false no disabled", false)] {
        for word in words.split(' ') {
            let config = accepted(server(&format!("option mppe_stateful {word}")));
            assert_eq!(config.mppe_stateful, expected, "{word}");
        }
    }
}

#[test]
fn a_section_of_the_same_name_goes_on() {
    let text = "config user bob\noption username Bob\nconfig server main\noption port 17\n\
                config user bob\noption password x\nconfig server main\noption mtu 1000\n";
    let config = accepted(text);
    assert_eq!((config.port, config.mtu, config.users.len()), (17, 1000, 1));
    assert_eq!(config.users[0], User::new("Bob", "x").unwrap());
}

#[test]
fn an_incomplete_account_may_wait_disabled() {
    let config =
        accepted(user("option username a\noption password b\nconfig user\noption enabled 0"));
    assert_eq!(config.users.len(), 1);
}

#[test]
fn names_and_passwords_of_all_kinds() {
    let password = "\u{1f600}'\"\\# ;\u{43f}\u{430}\u{440}";
    let quoted = password.replace('\'', "'\\''");
    let config =
        accepted(user(&format!("option username 'Жанна d\"Arc'\noption password '{quoted}'")));
    assert_eq!(config.users[0], User::new("Жанна d\"Arc", password).unwrap());
    assert!(config.users[0].secret.widened_hash.is_some());
    let longest = "\u{1f600}".repeat(limits::PASSWORD_UNITS / 2);
    let config = accepted(user(&format!(
        "option username '{}'\noption password '{longest}'",
        "n".repeat(128)
    )));
    assert_eq!(config.users[0].name.len(), 128);
}
