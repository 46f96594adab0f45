//! The exact words of every error and warning about a configuration file.

use pptp::config::{Config, Problems};
use pptp::limits;

/// The configuration, or the errors as text; and the warnings as text.
fn parse(text: impl AsRef<[u8]>) -> (Result<Config, String>, String) {
    let mut warnings = Problems::default();
    let config = Config::parse(text.as_ref(), &mut warnings);
    (config.map_err(|errors| errors.to_string()), warnings.to_string())
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

/// Lines of a server section, from line 5, and what is said about them.
const SERVER_ERRORS: &[(&str, &str)] = &[
    ("option port x", "5: main.port: 'x' is not a number, allowed: 1 to 65535"),
    ("option port -1", "5: main.port: '-1' is not a number, allowed: 1 to 65535"),
    ("option port 0", "5: main.port: '0' is out of range, allowed: 1 to 65535"),
    ("option port 65536", "5: main.port: '65536' is out of range, allowed: 1 to 65535"),
    ("option mtu 575", "5: main.mtu: '575' is out of range, allowed: 576 to 1456"),
    ("option mtu 1457", "5: main.mtu: '1457' is out of range, allowed: 576 to 1456"),
    (
        "option max_sessions 1025",
        "5: main.max_sessions: '1025' is out of range, allowed: 1 to 1024",
    ),
    (
        "option enabled maybe",
        "5: main.enabled: 'maybe' is neither on nor off, \
         allowed: 1 or 0 (on, off, true, false, yes, no, ...)",
    ),
    (
        "option mppe 'Required'",
        "5: main.mppe: 'Required' is not known, allowed: required, optional, off",
    ),
    (
        "option local_ip 300.1.2.3",
        "5: main.local_ip: '300.1.2.3' is not an IPv4 address, \
         allowed: an address outside of 0.x, 127.x and 224.x to 255.x",
    ),
    (
        "option local_ip 224.0.0.1",
        "5: main.local_ip: '224.0.0.1' is no address of a machine, \
         allowed: an address outside of 0.x, 127.x and 224.x to 255.x",
    ),
    (
        "option local_ip 127.0.0.1",
        "5: main.local_ip: '127.0.0.1' is no address of a machine, \
         allowed: an address outside of 0.x, 127.x and 224.x to 255.x",
    ),
    (
        "list listen 224.0.0.1",
        "5: main.listen: '224.0.0.1' is no address of a machine, \
         allowed: up to 8 different addresses of this machine",
    ),
    (
        "list listen 10.0.0.1\nlist listen 10.0.0.1",
        "6: main.listen: '10.0.0.1' is in the list already, \
         allowed: up to 8 different addresses of this machine",
    ),
    (
        "option listen '10.0.0.1 0.0.0.0'",
        "5: main.listen: has more than 0.0.0.0, which is every address already",
    ),
    ("option listen ' '", "5: main.listen: has no address"),
    (
        "option dns '1.1.1.1 8.8.8.8 9.9.9.9'",
        "5: main.dns: '9.9.9.9' is one too many, allowed: up to 2 different addresses, or none",
    ),
    (
        "list wins 0.0.0.0",
        "5: main.wins: '0.0.0.0' is no address of a machine, \
         allowed: up to 2 different addresses, or none",
    ),
    (
        "list ipv6_prefix 2001:db8::/56",
        "5: main.ipv6_prefix: '2001:db8::/56' is not 64 bits long, \
         allowed: up to 2 of ADDRESS/64, such as fd12:3456:789a:77::/64, or auto",
    ),
    (
        "list ipv6_prefix fd00::/64\nlist ipv6_prefix fd00::/64",
        "6: main.ipv6_prefix: 'fd00::/64' is in the list already, \
         allowed: up to 2 of ADDRESS/64, such as fd12:3456:789a:77::/64, or auto",
    ),
    (
        "list ipv6_dns fe80::1",
        "5: main.ipv6_dns: 'fe80::1' is no address of a machine, \
         allowed: up to 2 different IPv6 addresses, or router, or none",
    ),
    (
        "list ipv6_prefix auto\noption mtu 1279",
        "6: main.mtu: mtu is less than 1280, which IPv6 cannot do with",
    ),
    ("list mtu 1000", "5: main.mtu: takes one value, write option instead of list"),
    (
        "option zone 'my lan'",
        "5: main.zone: 'my lan' has a character that is not allowed, \
         allowed: 1 to 32 letters, digits or any of _-",
    ),
    (
        "list src 'wan!'",
        "5: main.src: 'wan!' has a character that is not allowed, allowed: 1 to 32 letters, digits or any of _-",
    ),
    (
        "option device 'pptp-server-tunnel'",
        "5: main.device: 'pptp-server-tunnel' is too long, \
         allowed: 1 to 15 letters, digits or any of ._-",
    ),
    (
        "option hook run",
        "5: main.hook: 'run' is not a path from the root, \
         allowed: a path such as /root/hook, up to 128 octets",
    ),
    (
        "list push_route 192.168.5.1/24",
        "5: main.push_route: '192.168.5.1/24' has address bits beyond its prefix, \
         allowed: different networks, such as 192.168.5.0/24",
    ),
    (
        "list push_route 10.0.0.0/8\nlist push_route 10.0.0.0/8",
        "6: main.push_route: '10.0.0.0/8' is in the list already, \
         allowed: different networks, such as 192.168.5.0/24",
    ),
    (
        "option domain 'my lan'",
        "5: main.domain: 'my lan' has a character that is not allowed, \
         allowed: 1 to 64 letters, digits or any of ._-",
    ),
    (
        "option device ..",
        "5: main.device: '..' is no name, allowed: 1 to 15 letters, digits or any of ._-",
    ),
    (
        "option name \"a\x1b[31m\"",
        "5: main.name: 'a...' has a character that is not allowed, allowed: 1 to 64 letters, digits or any of ._-",
    ),
];

const POOL: &str =
    "allowed: FIRST-LAST with up to 4096 addresses, such as 192.168.77.10-192.168.77.99";

/// Values of the option pool, and what is said about them.
const POOL_ERRORS: &[(&str, &str)] = &[
    ("192.168.77.0/24", "is a network, not a range"),
    ("192.168.77.10", "is not a range"),
    ("192.168.77.10-20", "is not a range of two IPv4 addresses"),
    ("192.168.7.10 - 192.168.7.20", "is not a range of two IPv4 addresses"),
    ("192.168.77.99-192.168.77.10", "ends before it starts"),
    ("10.0.0.0-10.0.16.0", "has too many addresses"),
    ("0.0.0.1-0.0.0.9", "has addresses that no machine can have"),
    ("223.255.255.255-224.0.0.0", "has addresses that no machine can have"),
];

#[test]
fn errors_of_the_server_section() {
    for (lines, expected) in SERVER_ERRORS {
        assert_eq!(parse(server(lines)).0, Err(format!("{expected}\n")), "{lines}");
    }
    for (value, what) in POOL_ERRORS {
        let expected = format!("5: main.pool: '{value}' {what}, {POOL}\n");
        assert_eq!(parse(server(&format!("option pool '{value}'"))).0, Err(expected));
    }
}

#[test]
fn errors_between_options_of_the_server() {
    let inside =
        "local_ip is one of the addresses of the pool, allowed: an address outside of the pool\n";
    let error = |lines| parse(server(lines)).0.expect_err("an error");
    assert_eq!(error("option local_ip 192.168.77.99"), format!("5: main.local_ip: {inside}"));
    assert_eq!(error("option pool 192.168.77.1-192.168.77.9"), format!("5: main.pool: {inside}"));
    assert_eq!(
        error("list listen 192.168.77.20"),
        "5: main.listen: an address to listen on is one of the addresses of the pool, \
         allowed: an address outside of the pool\n"
    );
    assert_eq!(
        error("option local_ip x\noption pool 192.168.77.1-192.168.77.9").lines().count(),
        1
    );
}

/// Lines of an account, from line 2, and what is said about them.
const USER_ERRORS: &[(&str, &str)] = &[
    ("option username a", "1: @user[0].password: is missing, allowed: password or nt_hash"),
    ("option password b", "1: @user[0].username: is missing, allowed: the name of the account"),
    (
        "option username 'A\\a'\noption password b",
        "2: @user[0].username: 'A\\a' has a backslash, which callers use to put a domain in front, \
         allowed: 1 to 128 octets without \\ and control characters",
    ),
    (
        "option username \"a\tb\"\noption password b",
        "2: @user[0].username: 'a...' has a control character, \
         allowed: 1 to 128 octets without \\ and control characters",
    ),
    (
        "option username a\noption nt_hash 8846F7EAEE8FB117AD06BDD830B7586",
        "3: @user[0].nt_hash: is not an NT hash, \
         allowed: 32 hex digits as `pptp-server nt-hash` prints them",
    ),
    (
        "option username a\noption nt_hash +846F7EAEE8FB117AD06BDD830B7586C",
        "3: @user[0].nt_hash: is not an NT hash, \
         allowed: 32 hex digits as `pptp-server nt-hash` prints them",
    ),
    (
        "option username a\noption nt_hash 31d6cfe0d16ae931b73c59d7e0c089c0",
        "3: @user[0].nt_hash: is the hash of an empty password, \
         allowed: 32 hex digits as `pptp-server nt-hash` prints them",
    ),
    (
        "option username a\noption nt_hash 8846F7EAEE8FB117AD06BDD830B7586C\noption password b",
        "4: @user[0].password: password and nt_hash are both given (line 3), allowed: one of them",
    ),
    (
        "option username a\noption password 'b\n'",
        "3: @user[0].password: has a line break or another control character, \
         allowed: 1 to 256 characters without line breaks",
    ),
    (
        "option username a\noption password b\noption ip 192.168.77.1",
        "4: @user[0].ip: '192.168.77.1' is the server's own address, local_ip, \
         allowed: an address of its own",
    ),
    (
        "option username a\noption password b\noption ip 10.0.0\n",
        "4: @user[0].ip: '10.0.0' is not an IPv4 address, \
         allowed: an address outside of 0.x, 127.x and 224.x to 255.x",
    ),
    (
        "option username a\noption password b\nconfig user two\noption username a\noption password c",
        "5: two.username: 'a' is the name of another account (line 2), allowed: each name once",
    ),
    (
        "option username a\noption password b\noption ip 10.0.0.1\n\
         config user\noption username A\noption password c\noption ip 10.0.0.1",
        "8: @user[1].ip: '10.0.0.1' is the address of another account (line 4), \
         allowed: an address of its own",
    ),
];

#[test]
fn errors_of_accounts() {
    for (lines, expected) in USER_ERRORS {
        assert_eq!(parse(user(lines)).0, Err(format!("{expected}\n")), "{lines}");
    }
    let name = user(&format!("option username '{}'\noption password b", "n".repeat(129)));
    assert_eq!(
        parse(name).0,
        Err(format!(
            "2: @user[0].username: '{}...' is too long, \
             allowed: 1 to 128 octets without \\ and control characters\n",
            "n".repeat(32)
        ))
    );
    let password = user(&format!("option username a\noption password '{}'", "é".repeat(257)));
    assert_eq!(
        parse(password).0,
        Err(
            "3: @user[0].password: is too long, allowed: 1 to 256 characters without line breaks\n"
                .to_string()
        )
    );
}

#[test]
fn more_accounts_than_there_is_room_for() {
    let accounts = |count| {
        (0..count).fold(String::new(), |text, number| {
            text + &user(&format!("option username u{number}\noption password p"))
        })
    };
    assert_eq!(
        parse(accounts(limits::USERS)).0.map(|config| config.users.len()),
        Ok(limits::USERS)
    );
    let expected = "385: there are too many accounts, allowed: up to 128\n";
    assert_eq!(parse(accounts(limits::USERS + 5)).0, Err(expected.to_string()));
}

/// Whole files and what is said about them.
const SYNTAX_ERRORS: &[(&[u8], &str)] = &[
    (b"option a b\n", "1: an option stands in front of every section"),
    (
        b"config server main\noptoin port 1\n",
        "2: main: the line starts with an unknown word, allowed: config, option or list",
    ),
    (b"config\n", "1: the line starts with an unknown word, allowed: config, option or list"),
    (b"config ''\n", "1: the line ends too early, allowed: config TYPE, option NAME VALUE"),
    (
        b"config server main\noption port 1 2\n",
        "2: main: the line goes on after the value, allowed: one value, if need be quoted",
    ),
    (
        b"config s\xc3\xa4rver\n",
        "1: the section's type has a wrong character, allowed: printable ASCII",
    ),
    (
        b"config user my-name\noption x y",
        "1: the name has a wrong character, allowed: letters, digits and _",
    ),
    (
        b"config server main\n\noption zone 'lan\noption mtu 1400\n",
        "3: main: a quote is not closed, allowed: 'text' or \"text\"",
    ),
    (
        b"config server main\noption zone \"\xff\"\n",
        "2: main: the text is not UTF-8, allowed: UTF-8",
    ),
    (
        b"config server main\noption zone 'a\0'\noption mtu x",
        "2: the file is damaged: it has a NUL octet, allowed: text",
    ),
    (b"config server main\nconfig server b\n", "2: b: is a second server section (line 1)"),
    (b"config server main\nconfig user main\n", "2: main: a section of another type has this name"),
    (
        b"config user a\noption enabled 0\nconfig server a\n",
        "3: a: a section of another type has this name",
    ),
];

#[test]
fn errors_of_syntax() {
    for (text, expected) in SYNTAX_ERRORS {
        assert_eq!(parse(text).0, Err(format!("{expected}\n")));
    }
    let long = |octets| format!("config server main\noption name '{}'\n", "n".repeat(octets));
    let expected = "2: main: the value is too long, allowed: 1024 octets\n";
    assert_eq!(parse(long(1025)).0, Err(expected.to_string()));
    assert_eq!(parse(long(1 << 20)).0, Err(expected.to_string()));
    let expected = "1: the name is too long, allowed: 64 octets\n";
    assert_eq!(parse(format!("config user {}", "n".repeat(65))).0, Err(expected.to_string()));
}

/// Lines of a server section, from line 5, and the warning.
const WARNINGS: &[(&str, &str)] = &[
    ("option pasword secret", "5: main.pasword: unknown option, ignored"),
    ("config foo bar\noption x y", "5: bar: a section of unknown type is ignored"),
    ("config foo\noption x y", "5: foo: a section of unknown type is ignored"),
    ("option port 1\noption port 2", "6: main.port: is given twice, the last one counts (line 5)"),
    (
        "option zone lan#old",
        "5: main: the line is not read behind an unquoted # or ;, allowed: quotes around the value",
    ),
    (
        "option zone lan;option mtu 1",
        "5: main: the line is not read behind an unquoted # or ;, allowed: quotes around the value",
    ),
    (
        "option max_sessions 91",
        "5: main.max_sessions: the pool has fewer addresses than max_sessions allows calls\n5: main.max_sessions: max_connections is less than max_sessions: the last calls find no connection",
    ),
    (
        "option pool 10.0.0.1-10.0.0.9",
        "5: main.pool: the pool has fewer addresses than max_sessions allows calls",
    ),
    (
        "option pool 10.0.0.200-10.0.0.255",
        "5: main.pool: has addresses that end in .0 or .255, which some callers cannot use",
    ),
    (
        "list listen 192.168.77.1",
        "5: main.listen: local_ip is an address to listen on: callers of it cannot reach it by the tunnel",
    ),
    (
        "option mppe off\noption mppe_min_bits 40",
        "6: main.mppe_min_bits: has no effect since mppe is off",
    ),
    (
        "config user\noption username 'b '\noption password p",
        "6: @user[1].username: 'b ' starts or ends with a blank, which callers have to type",
    ),
    (
        "config user\noption username b\noption password p\noption ip 10.0.0.255",
        "8: @user[1].ip: '10.0.0.255' ends in .0 or .255, which some callers cannot use",
    ),
];

#[test]
fn warnings_do_not_refuse_the_file() {
    for (lines, expected) in WARNINGS {
        let (config, warnings) = parse(server(lines));
        assert!(config.is_ok(), "{lines}: {config:?}");
        assert_eq!(warnings, format!("{expected}\n"), "{lines}");
    }
    let expected = "1: @server[0]: is not named 'main': LuCI and the init script look for that\n\
                    1: no account is enabled: nobody can dial in\n";
    assert_eq!(parse("config server\n").1, expected);
}

#[test]
fn all_problems_are_told_in_order_of_lines() {
    let text = "config user\noption username a\nconfig server main\noption mtu 1\noption port x\n";
    let errors = parse(text).0.expect_err("errors");
    let lines: Vec<_> = errors.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["1", "4", "5"]);
    let many = server(&"option mtu 1\n".repeat(50));
    assert!(parse(many).0.expect_err("errors").ends_with("and 34 more\n"));
}
