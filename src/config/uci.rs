//! UCI text to statements: the grammar of the files in /etc/config as OpenWrt's libuci reads it,
//! so that this program never understands a file otherwise than LuCI and the init script do.
//!
//! One line holds one command: `config TYPE [NAME]`, `option NAME [VALUE]`, `list NAME [VALUE]` or
//! `package NAME`, each also by its first letter. Arguments are separated by blanks. Within
//! single quotes every octet counts as itself; within double quotes and outside of quotes a
//! backslash makes the next octet count as itself. Quoted and plain pieces that touch are one
//! argument. Quoted text may span lines; a backslash before the end of a line joins two lines.
//! An unquoted `#` starts a comment, even in the middle of a word. An unquoted `;` ends a command.

use heapless::Vec;
use zeroize::Zeroize;

/// Octets of the longest name of a section or option, or of a section's type.
pub const NAME: usize = 64;

/// Octets of the longest value: a password of 256 UTF-16 units takes 768.
pub const VALUE: usize = 1024;

/// One command of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement<'a> {
    /// `package`: libuci ignores it in a file of /etc/config.
    Package,
    /// `config`: a section starts, or goes on if one of that name exists already.
    Section {
        /// The type, printable ASCII.
        kind: &'a str,
        /// The name, letters, digits and `_`; an anonymous section has none.
        name: Option<&'a str>,
    },
    /// `option`: takes the place of an earlier one; libuci ignores an empty value.
    Option {
        /// Letters, digits and `_`.
        name: &'a str,
        /// Any text.
        value: &'a str,
    },
    /// `list`: one more value of the option.
    List {
        /// Letters, digits and `_`.
        name: &'a str,
        /// Any text.
        value: &'a str,
    },
}

/// Why a line is not UCI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// The first word is no command.
    Command,
    /// A command without the argument that it needs.
    Missing,
    /// More arguments than the command takes.
    Extra,
    /// A type of a section with an octet that is not printable ASCII.
    Kind,
    /// A name with something else than letters, digits and `_`.
    Name,
    /// A name of more than [`NAME`] octets.
    NameLength,
    /// A value of more than [`VALUE`] octets.
    ValueLength,
    /// A value that is not UTF-8.
    Encoding,
    /// A quote that nothing closes up to the end of the file.
    Quote,
    /// A NUL octet, which ends text for libuci: the file is damaged.
    Nul,
}

impl Syntax {
    /// What is wrong, and what is allowed.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Syntax::Command => ("the line starts with an unknown word", "config, option or list"),
            Syntax::Missing => ("the line ends too early", "config TYPE, option NAME VALUE"),
            Syntax::Extra => ("the line goes on after the value", "one value, if need be quoted"),
            Syntax::Kind => ("the section's type has a wrong character", "printable ASCII"),
            Syntax::Name => ("the name has a wrong character", "letters, digits and _"),
            Syntax::NameLength => ("the name is too long", "64 octets"),
            Syntax::ValueLength => ("the value is too long", "1024 octets"),
            Syntax::Encoding => ("the text is not UTF-8", "UTF-8"),
            Syntax::Quote => ("a quote is not closed", "'text' or \"text\""),
            Syntax::Nul => ("the file is damaged: it has a NUL octet", "text"),
        }
    }
}

/// A statement and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The line on which the command stands, from 1.
    pub line: u32,
    /// The command is `config`.
    pub is_section: bool,
    /// What the command says.
    pub statement: Result<Statement<'a>, Syntax>,
    /// A plain word was cut short by a `#` or `;` that touches it: probably quotes are missing.
    pub cut: bool,
}

/// Reads a file's text statement by statement.
pub struct Parser<'a> {
    cursor: Cursor<'a>,
    first: Word,
    second: Word,
    extra: Word,
}

impl<'a> Parser<'a> {
    /// A parser at the front of `text`.
    pub fn new(text: &'a [u8]) -> Parser<'a> {
        let (first, second, extra) = (Word::default(), Word::default(), Word::default());
        Parser { cursor: Cursor::new(text), first, second, extra }
    }

    /// The next statement. After an error the rest of its line is skipped.
    pub fn advance(&mut self) -> Option<Found<'_>> {
        let keyword = loop {
            if self.cursor.peek().is_none() {
                self.cursor.open_line().then_some(())?;
            }
            if let Some(keyword) = self.cursor.keyword() {
                break keyword;
            }
        };
        let command = Command::of(keyword);
        let (line, is_section) = (self.cursor.line, command == Some(Command::Config));
        self.cursor.cut = false;
        let read = command.ok_or(Syntax::Command).and_then(|command| self.arguments(command));
        if read.is_err() {
            self.cursor.skip_line();
        }
        let cut = self.cursor.cut;
        let statement = read.and_then(|command| self.statement(command));
        Some(Found { line, is_section, statement, cut })
    }

    /// Reads what stands after the first word.
    fn arguments(&mut self, command: Command) -> Result<Command, Syntax> {
        self.second.clear();
        self.cursor.argument(&mut self.first)?;
        if command != Command::Package {
            self.cursor.argument(&mut self.second)?;
        }
        self.cursor.argument(&mut self.extra)?;
        if !self.extra.is_empty() { Err(Syntax::Extra) } else { Ok(command) }
    }

    /// Judges the arguments.
    fn statement(&self, command: Command) -> Result<Statement<'_>, Syntax> {
        if self.first.is_empty() {
            return Err(Syntax::Missing);
        }
        Ok(match command {
            Command::Package => self.first.package().map(|()| Statement::Package)?,
            Command::Config if self.second.is_empty() => {
                Statement::Section { kind: self.first.kind()?, name: None }
            }
            Command::Config => {
                Statement::Section { kind: self.first.kind()?, name: Some(self.second.name()?) }
            }
            Command::Option => {
                Statement::Option { name: self.first.name()?, value: self.second.value()? }
            }
            Command::List => {
                Statement::List { name: self.first.name()?, value: self.second.value()? }
            }
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Command {
    Package,
    Config,
    Option,
    List,
}

impl Command {
    fn of(word: &[u8]) -> Option<Command> {
        Some(match word {
            b"package" | b"p" => Command::Package,
            b"config" | b"c" => Command::Config,
            b"option" | b"o" => Command::Option,
            b"list" | b"l" => Command::List,
            _ => return None,
        })
    }
}

/// One argument with quotes and backslashes taken away.
#[derive(Default)]
struct Word {
    octets: Vec<u8, VALUE>,
    /// Some octets had no room.
    lost: bool,
    /// No octet of the text was left out: it had neither quotes nor backslashes.
    plain: bool,
}

impl Word {
    /// A value may have been a password.
    fn clear(&mut self) {
        self.octets.as_mut_slice().zeroize();
        self.octets.clear();
        (self.lost, self.plain) = (false, true);
    }

    fn push(&mut self, octet: u8) {
        self.lost |= self.octets.push(octet).is_err();
    }

    fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    fn value(&self) -> Result<&str, Syntax> {
        if self.lost {
            return Err(Syntax::ValueLength);
        }
        core::str::from_utf8(&self.octets).map_err(|_| Syntax::Encoding)
    }

    fn name(&self) -> Result<&str, Syntax> {
        self.ascii(|octet| octet.is_ascii_alphanumeric() || octet == b'_', Syntax::Name)
    }

    fn kind(&self) -> Result<&str, Syntax> {
        self.ascii(|octet| octet.is_ascii_graphic(), Syntax::Kind)
    }

    fn package(&self) -> Result<(), Syntax> {
        let known = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
        self.ascii(known, Syntax::Name).map(|_| ())
    }

    fn ascii(&self, allowed: fn(u8) -> bool, otherwise: Syntax) -> Result<&str, Syntax> {
        if !self.octets.iter().copied().all(allowed) {
            return Err(otherwise);
        }
        if self.octets.len() > NAME {
            return Err(Syntax::NameLength);
        }
        core::str::from_utf8(&self.octets).map_err(|_| otherwise)
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A place in the text. Everything but a quote and a backslash sees only the current line.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the current line ends, behind its newline.
    end: usize,
    line: u32,
    cut: bool,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor { text, at: 0, end: 0, line: 0, cut: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn skip_line(&mut self) {
        self.at = self.end;
    }

    /// Goes to the front of the next line; false at the end of the text.
    fn next_line(&mut self) -> bool {
        let below = self.text.get(self.end..).unwrap_or_default();
        self.at = self.end;
        self.end += below.iter().position(|&octet| octet == b'\n').map_or(below.len(), |n| n + 1);
        self.line = self.line.saturating_add(u32::from(self.at < self.end));
        self.at < self.end
    }

    /// Goes to the first word of the next line.
    fn open_line(&mut self) -> bool {
        let opened = self.next_line();
        self.skip_blanks();
        opened
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().iter().take_while(|&&octet| is_blank(octet)).count();
    }

    /// The word that says which command this is. Unlike arguments it ends at blanks and tabs
    /// alone. None, and the line is done, when there is no more command on it.
    fn keyword(&mut self) -> Option<&'a [u8]> {
        let blank = |octet: &&u8| matches!(octet, b' ' | b'\t');
        self.at += self.rest().iter().take_while(blank).count();
        let rest = self.rest();
        let (word, _) = rest.split_at(rest.iter().take_while(|octet| !blank(octet)).count());
        if word.is_empty() || word.starts_with(b"#") {
            self.skip_line();
            return None;
        }
        self.at += word.len();
        Some(word)
    }

    /// Reads one argument; an empty one where there is none.
    fn argument(&mut self, word: &mut Word) -> Result<(), Syntax> {
        word.clear();
        self.skip_blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
            return Ok(());
        }
        self.pieces(word)?;
        match self.peek() {
            Some(b'#') => self.comment(word),
            Some(b';') => self.semicolon(word),
            Some(_) => self.at += 1,
            None => {}
        }
        Ok(())
    }

    /// Reads pieces until something ends the argument.
    fn pieces(&mut self, word: &mut Word) -> Result<(), Syntax> {
        loop {
            match self.peek() {
                None | Some(b'#' | b';') => return Ok(()),
                Some(b'\'') => self.single_quoted(word)?,
                Some(b'"') => self.double_quoted(word)?,
                Some(b'\\') => self.escaped(word),
                Some(octet) => self.take(word, octet),
            }
            if self.peek().is_none_or(is_blank) {
                return Ok(());
            }
        }
    }

    fn take(&mut self, word: &mut Word, octet: u8) {
        word.push(octet);
        self.at += 1;
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), Syntax> {
        word.plain = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'\'') => break,
                Some(octet) => self.take(word, octet),
                None if self.next_line() => {}
                None => return Err(Syntax::Quote),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Syntax> {
        word.plain = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escaped(word),
                Some(octet) => self.take(word, octet),
                None if self.next_line() => {}
                None => return Err(Syntax::Quote),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the octet behind a backslash as it is; at the end of a line goes on with the next.
    fn escaped(&mut self, word: &mut Word) {
        word.plain = false;
        self.at += 1;
        match self.rest() {
            [] | [b'\n'] | [b'\r', b'\n'] => _ = self.next_line(),
            [octet, ..] => self.take(word, *octet),
        }
    }

    /// The rest of the line is a comment.
    fn comment(&mut self, word: &Word) {
        self.cut |= word.plain && !word.is_empty();
        self.skip_line();
    }

    /// Behind a plain word libuci writes its end mark over the `;` and so loses the rest of the
    /// line; behind other words the `;` stands and ends the command.
    fn semicolon(&mut self, word: &Word) {
        if word.plain {
            self.cut = true;
            self.skip_line();
        }
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the value of the first command of `text`, and whether it was cut.
    fn value(text: &str, expected: Result<&str, Syntax>, cut: bool) {
        let mut parser = Parser::new(text.as_bytes());
        let found = parser.advance().expect("a statement");
        let value = found.statement.map(|statement| match statement {
            Statement::Option { value, .. } | Statement::List { value, .. } => value,
            _ => panic!("{statement:?}"),
        });
        assert_eq!((value, found.cut), (expected, cut), "{text:?}");
    }

    #[test]
    fn quotes_and_backslashes() {
        for (text, expected) in [
            ("option a b", "b"),
            ("\t o  a \x0bb \r\n", "b"),
            ("list 'a' 'b c'", "b c"),
            (r#"option a 'it'\''s "x"'"#, r#"it's "x""#),
            (r#"option a "\"b\" \\ \n'""#, r#""b" \ n'"#),
            (r"option a 'b\'", r"b\"),
            (r"option a b\ c\#d", "b c#d"),
            ("option a b'c d'\"e f\"g", "bc de fg"),
            ("option a 'b\nc' # d", "b\nc"),
            ("option a b\\\nc", "bc"),
            ("option a \"b\\\r\nc\"", "bc"),
            ("option a '#;'#c", "#;"),
            ("option a", ""),
            ("option a ''", ""),
            ("option a # b", ""),
        ] {
            value(text, Ok(expected), false);
        }
    }

    #[test]
    fn unquoted_marks_cut() {
        value("option a b#c", Ok("b"), true);
        value("option a b;option c d", Ok("b"), true);
        value("option a 'b'\\", Ok("b"), false);
    }

    #[test]
    fn wrong_lines() {
        for (text, syntax) in [
            ("optiona b", Syntax::Command),
            ("option", Syntax::Missing),
            ("option a b c", Syntax::Extra),
            ("option a-b c", Syntax::Name),
            ("option a 'b", Syntax::Quote),
            ("option a \"b\\\"", Syntax::Quote),
            ("option a \\\n b", Syntax::Extra),
        ] {
            value(text, Err(syntax), false);
        }
    }

    #[test]
    fn several_commands_on_a_line() {
        let mut parser =
            Parser::new(b"package 'x-1';config a 'b';option c 'd' ;; o e f\n\nconfig g");
        let expected = [
            (1, Ok(Statement::Package)),
            (1, Ok(Statement::Section { kind: "a", name: Some("b") })),
            (1, Ok(Statement::Option { name: "c", value: "d" })),
            (1, Err(Syntax::Command)),
            (3, Ok(Statement::Section { kind: "g", name: None })),
        ];
        for (line, statement) in expected {
            let found = parser.advance().expect("a statement");
            assert_eq!((found.line, found.statement), (line, statement));
        }
        assert_eq!(parser.advance(), None);
    }
}
