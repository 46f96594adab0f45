//! What is wrong with a configuration file: where, what, and what is allowed. Never a password.

use core::fmt;

use heapless::{String, Vec};

use super::options::Field;

/// Problems that are kept; further ones are only counted.
const PROBLEMS: usize = 16;

/// Characters of a wrong value that are shown: a range of addresses has up to 31.
const SHOWN: usize = 32;

/// Octets of the name of a section or option that are shown.
const NAME: usize = 32;

/// What is allowed instead.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
    /// There is nothing to say.
    Nothing,
    /// Words.
    Words(&'static str),
    /// A number of things.
    UpTo(usize),
    /// What the option takes.
    Field(&'static Field),
}

/// One problem. Displays as `LINE: SECTION.OPTION: what is wrong, allowed: what is allowed`.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The line of the file, from 1.
    pub line: u32,
    /// `main`, `@user[0]`, or empty outside of sections.
    pub section: String<NAME>,
    /// The option, or empty.
    pub option: String<NAME>,
    /// The beginning of the wrong value unless it is secret or says nothing. It ends before a
    /// control character: behind a line break that only a forgotten quote made part of the value
    /// may stand a password.
    pub value: Option<String<{ 4 * SHOWN + 4 }>>,
    /// What is wrong.
    pub what: &'static str,
    /// Another line that belongs to the problem.
    pub other_line: Option<u32>,
    /// What is allowed.
    pub allowed: Allowed,
}

impl Problem {
    /// A problem in `line`.
    pub fn new(line: u32, section: &str, what: &'static str) -> Problem {
        let (section, option) = (fitting(section), String::new());
        let (value, other_line, allowed) = (None, None, Allowed::Nothing);
        Problem { line, section, option, value, what, other_line, allowed }
    }

    /// The problem is with this option.
    pub fn option(mut self, option: &str) -> Problem {
        self.option = fitting(option);
        self
    }

    /// The wrong value, which must not be a secret.
    pub fn value(mut self, value: &str) -> Problem {
        let mut shown = String::new();
        for (count, character) in value.chars().enumerate() {
            if count == SHOWN || character.is_control() {
                _ = shown.push_str("...");
                break;
            }
            _ = shown.push(character);
        }
        self.value = Some(shown);
        self
    }

    /// The line that this one contradicts.
    pub fn with_line(mut self, line: u32) -> Problem {
        self.other_line = Some(line);
        self
    }

    /// What is allowed.
    pub fn allowed(mut self, allowed: Allowed) -> Problem {
        self.allowed = allowed;
        self
    }
}

/// As much of `text` as fits.
fn fitting<const N: usize>(text: &str) -> String<N> {
    let mut out = String::new();
    for character in text.chars() {
        if out.push(character).is_err() {
            break;
        }
    }
    out
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        self.write_place(f)?;
        self.write_value(f)?;
        f.write_str(self.what)?;
        if let Some(line) = self.other_line {
            write!(f, " (line {line})")?;
        }
        match self.allowed {
            Allowed::Nothing => Ok(()),
            Allowed::Words(words) => write!(f, ", allowed: {words}"),
            Allowed::UpTo(number) => write!(f, ", allowed: up to {number}"),
            Allowed::Field(field) => write!(f, ", allowed: {field}"),
        }
    }
}

impl Problem {
    fn write_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.section.as_str(), self.option.as_str()) {
            ("", _) => Ok(()),
            (section, "") => write!(f, "{section}: "),
            (section, option) => write!(f, "{section}.{option}: "),
        }
    }

    /// Invisible characters are written as escapes, so that the text looks like what it is.
    fn write_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = &self.value else { return Ok(()) };
        f.write_str("'")?;
        for character in value.chars() {
            match character {
                '\'' | '"' | '\\' => write!(f, "{character}")?,
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        f.write_str("' ")
    }
}

/// Problems in the order of their lines. Displays one problem in each line.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    kept: Vec<Problem, PROBLEMS>,
    more: usize,
}

impl Problems {
    /// Adds a problem behind those of the same line.
    pub fn push(&mut self, problem: Problem) {
        let place = self.kept.iter().take_while(|kept| kept.line <= problem.line).count();
        self.more += usize::from(self.kept.insert(place, problem).is_err());
    }

    /// The problems that were kept.
    pub fn iter(&self) -> core::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there were beyond those that were kept.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = core::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self {
            writeln!(f, "{problem}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        Ok(())
    }
}

/// What a file is found to be: errors refuse it, warnings do not.
#[derive(Debug, Default)]
pub struct Report {
    /// Why the file is refused.
    pub errors: Problems,
    /// What its author should know.
    pub warnings: Problems,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn order_of_lines_and_counting() {
        let mut problems = Problems::default();
        for line in [3, 1, 2] {
            problems.push(Problem::new(line, "main", "is wrong").option("mtu"));
        }
        let expected = "1: main.mtu: is wrong\n2: main.mtu: is wrong\n3: main.mtu: is wrong\n";
        assert_eq!(problems.to_string(), expected);
        for _ in 0..PROBLEMS {
            problems.push(Problem::new(4, "", "is wrong"));
        }
        assert_eq!((problems.iter().count(), problems.more()), (PROBLEMS, 3));
        assert!(problems.to_string().ends_with("and 3 more\n"));
    }

    #[test]
    fn values_are_short_and_visible() {
        let shown = |value| Problem::new(1, "", "x").value(value).to_string();
        assert_eq!(shown("a\u{202e}'\"\\b"), "1: 'a\\u{202e}'\"\\b' x");
        assert_eq!(shown("a\nb"), "1: 'a...' x");
        let long = "\u{1f600}".repeat(SHOWN + 1);
        assert!(shown(&long).ends_with("\u{1f600}...' x"));
        assert!(shown(&long[4..]).ends_with("\u{1f600}' x"));
    }
}
