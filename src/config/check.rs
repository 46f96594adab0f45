//! Checks between options: values that are right alone and wrong together.

use super::load::{Account, Note};
use super::options::SERVER;
use super::problem::{Allowed, Problem, Report};
use super::{Config, Mppe, rights};
use crate::wire::ipv6;

type Server = Note<{ SERVER.len() }>;

/// Checks the whole configuration.
pub fn check(config: &Config, server: &Server, accounts: &[Account], report: &mut Report) {
    check_listen(config, server, report);
    check_pool(config, server, report);
    check_limits(config, server, report);
    check_mppe(config, server, report);
    check_ipv6(config, server, report);
    for (place, account) in accounts.iter().enumerate() {
        let earlier = accounts.get(..place).unwrap_or_default();
        check_name(account, earlier, report);
        check_secret(account, report);
        check_ip(config, server, account, earlier, report);
        rights::check_routes(config, server, accounts, place, report);
    }
    if !accounts.iter().any(|account| account.enabled) {
        let what = "no account is enabled: nobody can dial in";
        report.warnings.push(Problem::new(1, "", what));
    }
}

/// A problem at that one of two options which stands further below.
fn between(server: &Server, options: [&str; 2], what: &'static str) -> Problem {
    let [a, b] = options.map(|option| (server.given(option).line, option));
    let (line, option) = a.max(b);
    Problem::new(line, &server.section, what).option(option)
}

fn check_listen(config: &Config, server: &Server, report: &mut Report) {
    let given = server.given("listen");
    let problem = |what| Problem::new(given.line, &server.section, what).option("listen");
    if given.good && config.listen.is_empty() {
        report.errors.push(problem("has no address"));
    }
    if config.listen.len() > 1 && config.listen.iter().any(|address| address.is_unspecified()) {
        report.errors.push(problem("has more than 0.0.0.0, which is every address already"));
    }
}

fn check_pool(config: &Config, server: &Server, report: &mut Report) {
    if !server.usable("pool") || !server.usable("local_ip") {
        return;
    }
    if config.pool.offset(config.local_ip).is_some() {
        let what = "local_ip is one of the addresses of the pool";
        let problem = between(server, ["pool", "local_ip"], what);
        report.errors.push(problem.allowed(Allowed::Words("an address outside of the pool")));
    }
    check_outer(config, server, report);
    if (0..config.pool.count()).filter_map(|at| config.pool.address(at)).any(is_edge) {
        let what = "has addresses that end in .0 or .255, which some callers cannot use";
        report.warnings.push(between(server, ["pool", "pool"], what));
    }
}

/// A caller that reaches our inner or another caller's address by the address that it dialled
/// sends its own GRE packets into the tunnel.
fn check_outer(config: &Config, server: &Server, report: &mut Report) {
    if !server.usable("listen") {
        return;
    }
    if config.listen.iter().any(|&address| config.pool.offset(address).is_some()) {
        let what = "an address to listen on is one of the addresses of the pool";
        let problem = between(server, ["pool", "listen"], what);
        report.errors.push(problem.allowed(Allowed::Words("an address outside of the pool")));
    }
    if config.listen.contains(&config.local_ip) {
        let what =
            "local_ip is an address to listen on: callers of it cannot reach it by the tunnel";
        report.warnings.push(between(server, ["local_ip", "listen"], what));
    }
}

/// The first or last address of a /24, which callers take for the network's own or its broadcast:
/// Windows gives its adapter the class C mask.
fn is_edge(address: core::net::Ipv4Addr) -> bool {
    matches!(address.octets()[3], 0 | 255)
}

fn check_limits(config: &Config, server: &Server, report: &mut Report) {
    let sessions = config.max_sessions;
    if !server.usable("max_sessions") {
        return;
    }
    if server.usable("pool") && config.pool.count() < usize::from(sessions) {
        let what = "the pool has fewer addresses than max_sessions allows calls";
        report.warnings.push(between(server, ["pool", "max_sessions"], what));
    }
    if server.usable("max_connections") && config.max_connections < sessions {
        let what = "max_connections is less than max_sessions: the last calls find no connection";
        report.warnings.push(between(server, ["max_connections", "max_sessions"], what));
    }
}

fn check_mppe(config: &Config, server: &Server, report: &mut Report) {
    if config.mppe != Mppe::Off || !server.usable("mppe") {
        return;
    }
    for option in ["mppe_min_bits", "mppe_stateful"] {
        let line = server.given(option).line;
        if line != 0 {
            let what = "has no effect since mppe is off";
            report.warnings.push(Problem::new(line, &server.section, what).option(option));
        }
    }
}

fn check_ipv6(config: &Config, server: &Server, report: &mut Report) {
    if !config.ipv6_prefix.is_empty() && config.mtu < ipv6::MTU_MIN && server.usable("mtu") {
        let what = "mtu is less than 1280, which IPv6 cannot do with";
        report.errors.push(between(server, ["ipv6_prefix", "mtu"], what));
    }
}

/// A problem of one account's option, or of its section when the option is not given.
fn at(account: &Account, option: &str, what: &'static str) -> Problem {
    let line = match account.note.given(option).line {
        0 => account.note.line,
        line => line,
    };
    Problem::new(line, &account.note.section, what).option(option)
}

/// Names are compared octet by octet, as MS-CHAPv2 hashes them (RFC 2759 section 8.2).
fn check_name(account: &Account, earlier: &[Account], report: &mut Report) {
    let given = account.note.given("username");
    if given.line == 0 && account.enabled {
        let problem = at(account, "username", "is missing");
        report.errors.push(problem.allowed(Allowed::Words("the name of the account")));
    }
    if !given.good {
        return;
    }
    if let Some(other) = earlier.iter().find(|other| other.name == account.name) {
        let problem = at(account, "username", "is the name of another account");
        let problem = problem.value(&account.name).with_line(other.note.given("username").line);
        report.errors.push(problem.allowed(Allowed::Words("each name once")));
    }
    if account.name.trim() != account.name {
        let what = "starts or ends with a blank, which callers have to type";
        report.warnings.push(at(account, "username", what).value(&account.name));
    }
}

fn check_secret(account: &Account, report: &mut Report) {
    let [password, hash] = ["password", "nt_hash"].map(|option| account.note.given(option).line);
    if password == 0 && hash == 0 && account.enabled {
        let problem = at(account, "password", "is missing");
        report.errors.push(problem.allowed(Allowed::Words("password or nt_hash")));
    }
    if password != 0 && hash != 0 {
        let (option, other) =
            if password > hash { ("password", hash) } else { ("nt_hash", password) };
        let problem = at(account, option, "password and nt_hash are both given").with_line(other);
        report.errors.push(problem.allowed(Allowed::Words("one of them")));
    }
}

fn check_ip(
    config: &Config,
    server: &Server,
    account: &Account,
    earlier: &[Account],
    report: &mut Report,
) {
    let Some(ip) = account.ip.filter(|_| account.note.given("ip").good) else { return };
    let mut text = heapless::String::<15>::new();
    _ = core::fmt::Write::write_fmt(&mut text, format_args!("{ip}"));
    let problem = |what| at(account, "ip", what).value(&text);
    if ip == config.local_ip && server.usable("local_ip") {
        let allowed = Allowed::Words("an address of its own");
        report.errors.push(problem("is the server's own address, local_ip").allowed(allowed));
    }
    if let Some(other) = earlier.iter().find(|other| other.ip == Some(ip)) {
        let problem = problem("is the address of another account");
        let problem = problem.with_line(other.note.given("ip").line);
        report.errors.push(problem.allowed(Allowed::Words("an address of its own")));
    }
    if is_edge(ip) {
        report.warnings.push(problem("ends in .0 or .255, which some callers cannot use"));
    }
}
