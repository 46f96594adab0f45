//! What an account may do, as the configuration file says it: the exact words of every error.

use pptp::config::hours::Span;
use pptp::config::{Config, Problems, RATE_MAX};

/// The accounts `a`, `b` and so on with these lines each, the first of them in lines 1 to 3; then
/// the server section.
fn file(accounts: &[&str], server: &str) -> String {
    let mut text = String::new();
    for (name, lines) in ('a'..).zip(accounts) {
        text += &format!("config user\noption username {name}\noption password x\n{lines}\n");
    }
    text + &format!("config server main\n{server}\n")
}

fn parse(text: &str) -> Result<Config, String> {
    let mut warnings = Problems::default();
    Config::parse(text.as_bytes(), &mut warnings).map_err(|errors| errors.to_string())
}

const NETWORKS: &str = "allowed: different networks, such as 192.168.5.0/24";
const SWITCH: &str = "allowed: 1 or 0 (on, off, true, false, yes, no, ...)";
const HOURS: &str = "allowed: up to 8 times such as mon-fri 08:00-22:00, sat,sun 20:00-02:00 or \
                     06:00-24:00";

#[test]
fn wrong_values() {
    for (line, what) in [
        ("option lan maybe", "lan: 'maybe' is neither on nor off, {switch}"),
        ("option rate_up -1", "rate_up: '-1' is not a number, allowed: 0 to 10000000"),
        (
            "option rate_down 10000001",
            "rate_down: '10000001' is out of range, allowed: 0 to 10000000",
        ),
        (
            "option rate_down 99999999999",
            "rate_down: '99999999999' is out of range, allowed: 0 to 10000000",
        ),
        ("option idle_timeout 65536", "idle_timeout: '65536' is out of range, allowed: 0 to 65535"),
        ("list route 0.0.0.0/0", "route: '0.0.0.0/0' is out of range, {networks}"),
        (
            "list route 0.0.0.0/1",
            "route: '0.0.0.0/1' has addresses that no machine can have, {networks}",
        ),
        (
            "list route 192.168.5.1/24",
            "route: '192.168.5.1/24' has address bits beyond its prefix, {networks}",
        ),
        ("list route 192.168.5.0/33", "route: '192.168.5.0/33' is out of range, {networks}"),
        (
            "list route 224.0.0.0/4",
            "route: '224.0.0.0/4' has addresses that no machine can have, {networks}",
        ),
        ("list route default", "route: 'default' is not a network, {networks}"),
        (
            "list hours '25:00-26:00'",
            "hours: '25:00-26:00' has a time that is not within 00:00 and 24:00, \
             {hours}",
        ),
        ("list hours 'mon'", "hours: 'mon' has no time such as 08:00-22:00, {hours}"),
        (
            "list hours 'mom-fri 08:00-22:00'",
            "hours: 'mom-fri 08:00-22:00' has a day that is none of mon to sun, {hours}",
        ),
        (
            "list hours '08:00-08:00'",
            "hours: '08:00-08:00' has a time that ends when it begins, {hours}",
        ),
    ] {
        let what = what.replace("{networks}", NETWORKS).replace("{hours}", HOURS);
        let what = what.replace("{switch}", SWITCH);
        assert_eq!(parse(&file(&[line], "")), Err(format!("4: @user[0].{what}\n")), "{line}");
    }
}

#[test]
fn the_most_of_everything() {
    let lines = format!("option rate_up 0\noption rate_down {RATE_MAX}\noption idle_timeout 65535");
    let rights = parse(&file(&[&lines], "")).unwrap().users[0].rights.clone();
    assert_eq!((rights.rate_up, rights.rate_down, rights.idle_timeout), (0, RATE_MAX, 65535));
    let routes: Vec<_> = (0..100).map(|n| format!("list route 10.{n}.0.0/16")).collect();
    let config = parse(&file(&[&routes[..4].join("\n")], "")).unwrap();
    assert_eq!(config.users[0].rights.routes.len(), 4);
    let errors = parse(&file(&[&routes.join("\n")], "")).unwrap_err();
    let first = format!("8: @user[0].route: '10.4.0.0/16' is one too many, {NETWORKS}");
    assert!(errors.starts_with(&first), "{errors}");
    assert!(errors.ends_with("and 80 more\n"), "{errors}");
    // A hundred accounts may have one each.
    let lines: Vec<&str> = routes.iter().map(String::as_str).collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        text += &format!("config user\noption username u{at}\noption password x\n{line}\n");
    }
    assert_eq!(parse(&text).unwrap().users.len(), 100);
    let hours: Vec<_> = (0..9).map(|n| format!("list hours 0{n}:00-0{n}:30")).collect();
    let errors = parse(&file(&[&hours.join("\n")], "")).unwrap_err();
    assert_eq!(errors, format!("12: @user[0].hours: '08:00-08:30' is one too many, {HOURS}\n"));
}

/// The blank within is a part of the value, whether it is written as a list or not.
#[test]
fn hours_as_option_and_as_list() {
    let span = Span::parse("mon-fri 08:00-22:00").unwrap();
    for line in ["option hours 'mon-fri 08:00-22:00'", "list hours 'mon-fri 08:00-22:00'"] {
        assert_eq!(parse(&file(&[line], "")).unwrap().users[0].rights.hours, [span]);
    }
}

const NOBODY: &str = "allowed: a network that nobody else has\n";

#[test]
fn networks_that_clash() {
    for (accounts, server, what) in [
        (
            &["list route 192.168.77.0/30"][..],
            "",
            "4: @user[0].route: '192.168.77.0/30' contains the server's own address, local_ip, ",
        ),
        (
            &["list route 10.0.0.0/8"],
            "option local_ip 10.1.1.1",
            "4: @user[0].route: '10.0.0.0/8' contains the server's own address, local_ip (line 6), ",
        ),
        (
            &["list route 192.168.77.64/26"],
            "option pool 192.168.77.10-192.168.77.99",
            "4: @user[0].route: '192.168.77.64/26' overlaps the pool (line 6), ",
        ),
        (
            &["list route 192.168.77.11/32"],
            "",
            "4: @user[0].route: '192.168.77.11/32' overlaps the pool, ",
        ),
        (
            &["list route 192.168.5.0/24", "list route 192.168.0.0/20"],
            "",
            "8: @user[1].route: '192.168.0.0/20' overlaps a network of another account (line 4), ",
        ),
        (
            &["list route 192.168.5.0/24\nlist route 192.168.5.128/25"],
            "",
            "5: @user[0].route: '192.168.5.128/25' overlaps another network of the account, ",
        ),
        (
            &["list route 192.168.5.0/24", "option ip 192.168.5.7"],
            "",
            "4: @user[0].route: '192.168.5.0/24' contains the address of another account (line 8), ",
        ),
        (
            &["option ip 192.168.5.7", "list route 192.168.5.0/24"],
            "",
            "8: @user[1].route: '192.168.5.0/24' contains the address of another account (line 4), ",
        ),
    ] {
        assert_eq!(parse(&file(accounts, server)), Err(format!("{what}{NOBODY}")), "{accounts:?}");
    }
    // The router's own fixed address may be one of its network.
    assert!(parse(&file(&["option ip 192.168.5.1\nlist route 192.168.5.0/24"], "")).is_ok());
    // Written twice it is one too many.
    let twice = parse(&file(&["list route 192.168.5.0/24\nlist route 192.168.5.0/24"], ""));
    assert!(twice.unwrap_err().contains("is in the list already"));
    // What is wrong with the server is told once.
    let errors = parse(&file(&["list route 192.168.77.0/24"], "option pool x\noption local_ip y"));
    assert_eq!(errors.unwrap_err().lines().count(), 2);
}

#[test]
fn an_address_twice() {
    let errors = parse(&file(&["option ip 10.0.0.7", "option ip 10.0.0.7"], "")).unwrap_err();
    let what = "8: @user[1].ip: '10.0.0.7' is the address of another account (line 4)";
    assert!(errors.starts_with(what), "{errors}");
}
