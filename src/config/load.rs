//! Statements to a configuration: opens sections, finds each option's row, keeps where it stood.

use core::fmt::Write;
use core::net::Ipv4Addr;

use heapless::{String, Vec};

use super::check;
use super::options::{Row, SERVER, USER};
use super::problem::{Allowed, Problem, Report};
use super::uci::{Found, NAME, Parser, Statement, Syntax};
use super::{Config, Network, Rights, Secret, User};
use crate::limits::{PUSHED_PER_USER, USERNAME, USERS};

/// What a section is called in messages: its name, or `@user[0]`.
pub type Label = String<{ NAME + 16 }>;

/// What the rows of the options write to.
#[derive(Debug)]
pub struct Draft {
    /// The configuration so far, without accounts.
    pub config: Config,
    /// The account whose section is open.
    pub account: Account,
}

/// An account that may not be complete yet.
#[derive(Debug, Clone)]
pub struct Account {
    /// May dial in.
    pub enabled: bool,
    /// Empty until it is given.
    pub name: String<USERNAME>,
    /// What the option password says.
    pub password: Option<Secret>,
    /// What the option nt_hash says.
    pub nt_hash: Option<Secret>,
    /// The fixed address.
    pub ip: Option<Ipv4Addr>,
    /// Networks that its callers are told.
    pub push_routes: Vec<Network, PUSHED_PER_USER, u8>,
    /// What it may do.
    pub rights: Rights,
    /// Where it stands.
    pub note: Note<{ USER.len() }>,
}

/// Where an option stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    /// The line; 0 when the file does not give the option.
    pub line: u32,
    /// Its value was accepted.
    pub good: bool,
}

/// Where a section and its options stand.
#[derive(Debug, Clone)]
pub struct Note<const N: usize> {
    /// What it is called.
    pub section: Label,
    /// The line of its `config`; 0 when there is no such section.
    pub line: u32,
    rows: &'static [Row],
    given: [Given; N],
}

impl<const N: usize> Note<N> {
    fn new(rows: &'static [Row], section: Label, line: u32) -> Note<N> {
        Note { section, line, rows, given: [Given::default(); N] }
    }

    /// Where `option` stands.
    pub fn given(&self, option: &str) -> Given {
        let place = self.rows.iter().position(|row| row.name == option);
        place.and_then(|place| self.given.get(place)).copied().unwrap_or_default()
    }

    /// The value of `option` is what the file says or the default, not a leftover of an error.
    pub fn usable(&self, option: &str) -> bool {
        let given = self.given(option);
        given.good || given.line == 0
    }
}

impl Account {
    fn new(section: Label, line: u32) -> Account {
        let note = Note::new(USER, section, line);
        let (password, nt_hash, ip) = (None, None, None);
        let (name, push_routes, rights) = (String::new(), Vec::new(), Rights::default());
        Account { enabled: true, name, password, nt_hash, ip, push_routes, rights, note }
    }

    /// The account as callers use it, unless its password or name is missing.
    fn user(&self) -> Option<User> {
        let secret = self.password.clone().or(self.nt_hash.clone())?;
        let (enabled, name, ip) = (self.enabled, self.name.clone(), self.ip);
        let (push_routes, rights) = (self.push_routes.clone(), self.rights.clone());
        (!name.is_empty()).then_some(User { enabled, name, secret, ip, push_routes, rights })
    }
}

/// The section that is open.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// None yet.
    Nothing,
    Server,
    /// The account at this place.
    Account(usize),
    /// One whose options are not read.
    Ignored,
}

struct Loader {
    draft: Draft,
    server: Note<{ SERVER.len() }>,
    accounts: Vec<Account, USERS>,
    open: Open,
    report: Report,
    /// More accounts than fit were reported.
    overflow: bool,
}

/// Reads the text of a configuration file.
pub fn load(text: &[u8]) -> (Config, Report) {
    let mut loader = Loader::new();
    match text.iter().position(|&octet| octet == 0) {
        Some(nul) => loader.damaged(text.get(..nul).unwrap_or_default()),
        None => loader.read(text),
    }
    loader.finish();
    (loader.draft.config, loader.report)
}

impl Loader {
    fn new() -> Loader {
        let draft = Draft { config: Config::default(), account: Account::new(Label::new(), 0) };
        let server = Note::new(SERVER, Label::new(), 0);
        let (accounts, report) = (Vec::new(), Report::default());
        Loader { draft, server, accounts, open: Open::Nothing, report, overflow: false }
    }

    fn damaged(&mut self, before: &[u8]) {
        let lines = before.iter().filter(|&&octet| octet == b'\n').count();
        self.syntax(u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1), Syntax::Nul);
    }

    fn read(&mut self, text: &[u8]) {
        let mut parser = Parser::new(text);
        while let Some(found) = parser.advance() {
            self.take(&found);
        }
        self.close();
    }

    fn take(&mut self, found: &Found<'_>) {
        let line = found.line;
        if found.cut {
            let what = "the line is not read behind an unquoted # or ;";
            let allowed = Allowed::Words("quotes around the value");
            self.warn(Problem::new(line, self.label(), what).allowed(allowed));
        }
        match found.statement {
            Ok(Statement::Package) => {}
            Ok(Statement::Section { kind, name }) => self.section(line, kind, name),
            Ok(Statement::Option { name, value }) => self.option(line, name, value, false),
            Ok(Statement::List { name, value }) => self.option(line, name, value, true),
            Err(syntax) => {
                if found.is_section {
                    self.close();
                    self.open = Open::Ignored;
                }
                self.syntax(line, syntax);
            }
        }
    }

    fn syntax(&mut self, line: u32, syntax: Syntax) {
        let (what, allowed) = syntax.words();
        self.refuse(Problem::new(line, self.label(), what).allowed(Allowed::Words(allowed)));
    }

    fn refuse(&mut self, problem: Problem) {
        self.report.errors.push(problem);
    }

    fn warn(&mut self, problem: Problem) {
        self.report.warnings.push(problem);
    }

    /// What the open section is called.
    fn label(&self) -> &str {
        match self.open {
            Open::Server => &self.server.section,
            Open::Account(_) => &self.draft.account.note.section,
            Open::Nothing | Open::Ignored => "",
        }
    }
}

/// Sections.
impl Loader {
    fn section(&mut self, line: u32, kind: &str, name: Option<&str>) {
        self.close();
        self.open = match kind {
            "server" => self.open_server(line, name),
            "user" => self.open_account(line, name),
            _ => {
                let what = "a section of unknown type is ignored";
                self.warn(Problem::new(line, name.unwrap_or(kind), what));
                Open::Ignored
            }
        };
    }

    fn open_server(&mut self, line: u32, name: Option<&str>) -> Open {
        let label = label("server", name, 0);
        if self.server.line != 0 && (name.is_none() || self.server.section != label) {
            let problem = Problem::new(line, &label, "is a second server section");
            self.refuse(problem.with_line(self.server.line));
            return Open::Ignored;
        }
        if self.accounts.iter().any(|account| account.note.section == label) {
            return self.taken(line, &label);
        }
        if name != Some("main") {
            let what = "is not named 'main': LuCI and the init script look for that";
            self.warn(Problem::new(line, &label, what));
        }
        (self.server.section, self.server.line) = (label, line);
        Open::Server
    }

    fn open_account(&mut self, line: u32, name: Option<&str>) -> Open {
        let label = label("user", name, self.accounts.len());
        if self.server.line != 0 && self.server.section == label {
            return self.taken(line, &label);
        }
        let known = self.accounts.iter().position(|account| account.note.section == label);
        if let Some((place, account)) = known.and_then(|at| Some((at, self.accounts.get(at)?))) {
            self.draft.account = account.clone();
            return Open::Account(place);
        }
        if self.accounts.is_full() {
            self.too_many(line);
            return Open::Ignored;
        }
        self.draft.account = Account::new(label, line);
        Open::Account(self.accounts.len())
    }

    fn taken(&mut self, line: u32, label: &str) -> Open {
        self.refuse(Problem::new(line, label, "a section of another type has this name"));
        Open::Ignored
    }

    fn too_many(&mut self, line: u32) {
        if !self.overflow {
            let problem = Problem::new(line, "", "there are too many accounts");
            self.refuse(problem.allowed(Allowed::UpTo(USERS)));
        }
        self.overflow = true;
    }

    /// Keeps the account of the open section.
    fn close(&mut self) {
        let Open::Account(place) = self.open else { return };
        let account = self.draft.account.clone();
        match self.accounts.get_mut(place) {
            Some(known) => *known = account,
            None => _ = self.accounts.push(account),
        }
        self.open = Open::Nothing;
    }
}

/// The name of a section, or its number among those of its type.
fn label(kind: &str, name: Option<&str>, number: usize) -> Label {
    let mut label = Label::new();
    _ = match name {
        Some(name) => write!(label, "{name}"),
        None => write!(label, "@{kind}[{number}]"),
    };
    label
}

/// Options.
impl Loader {
    fn option(&mut self, line: u32, name: &str, text: &str, is_list: bool) {
        let rows = match self.open {
            Open::Nothing => {
                self.refuse(Problem::new(line, "", "an option stands in front of every section"));
                return;
            }
            Open::Ignored => return,
            Open::Server => SERVER,
            Open::Account(_) => USER,
        };
        match rows.iter().position(|row| row.name == name) {
            None => self.unknown(line, name, rows),
            Some(_) if text.is_empty() && !is_list => {}
            Some(place) => self.value(line, &rows[place], place, text, is_list),
        }
    }

    /// Without the blank between them a password becomes part of the option's name; it is not shown.
    fn unknown(&mut self, line: u32, name: &str, rows: &[Row]) {
        let mut secret = rows.iter().filter(|row| row.field.is_secret());
        match secret.find(|row| name.starts_with(row.name)) {
            Some(row) => {
                let what = "unknown option that only starts so, ignored";
                self.warn_option(line, row.name, what, None);
            }
            None => self.warn_option(line, name, "unknown option, ignored", None),
        }
    }

    fn value(&mut self, line: u32, row: &'static Row, place: usize, text: &str, is_list: bool) {
        let before = self.given(place);
        if is_list && !row.field.is_list() {
            let what = "takes one value, write option instead of list";
            self.refuse(Problem::new(line, self.label(), what).option(row.name));
            return;
        }
        if !is_list && before.line != 0 {
            let what = "is given twice, the last one counts";
            self.warn_option(line, row.name, what, Some(before.line));
        }
        let goes_on = is_list && before.line != 0;
        if row.field.is_list() && !goes_on {
            row.field.clear(&mut self.draft);
        }
        let good = self.items(line, row, text, is_list) && (before.good || !goes_on);
        self.give(place, Given { line, good });
    }

    /// An `option` of a list may give several items with blanks between, unless an item has blanks.
    fn items(&mut self, line: u32, row: &'static Row, text: &str, is_list: bool) -> bool {
        if is_list || !row.field.is_list() || row.field.has_blanks() {
            return self.item(line, row, text);
        }
        let mut good = true;
        for item in text.split_ascii_whitespace() {
            good &= self.item(line, row, item);
        }
        good
    }

    fn item(&mut self, line: u32, row: &'static Row, text: &str) -> bool {
        let Err(what) = row.field.apply(&mut self.draft, text) else { return true };
        let problem = Problem::new(line, self.label(), what).option(row.name);
        let problem = if row.field.is_secret() { problem } else { problem.value(text) };
        self.refuse(problem.allowed(Allowed::Field(&row.field)));
        false
    }

    fn warn_option(&mut self, line: u32, option: &str, what: &'static str, other: Option<u32>) {
        let mut problem = Problem::new(line, self.label(), what).option(option);
        problem.other_line = other;
        self.warn(problem);
    }

    fn places(&mut self) -> &mut [Given] {
        match self.open {
            Open::Server => &mut self.server.given,
            _ => &mut self.draft.account.note.given,
        }
    }

    fn given(&mut self, place: usize) -> Given {
        self.places().get(place).copied().unwrap_or_default()
    }

    fn give(&mut self, place: usize, given: Given) {
        if let Some(known) = self.places().get_mut(place) {
            *known = given;
        }
    }
}

/// The end.
impl Loader {
    fn finish(&mut self) {
        if self.server.given("dns").line == 0 {
            self.draft.config.tell_own_dns();
        }
        check::check(&self.draft.config, &self.server, &self.accounts, &mut self.report);
        self.draft.config.users = self.accounts.iter().filter_map(Account::user).collect();
    }
}
