//! No text whatsoever makes the configuration's parser panic, show a password, or accept nonsense.

#[path = "fuzz/targets/config.rs"]
#[allow(dead_code)] // the fuzzer's way in
mod target;

use pptp::config::{Config, Problems};
use target::{check_config, check_places};

const SAMPLE: &[u8] = include_bytes!("data/config/every-option");

/// Whether the text is accepted, having checked what must hold for every text.
fn check(text: &[u8]) -> bool {
    let mut warnings = Problems::default();
    let config = Config::parse(text, &mut warnings);
    check_problems(text, &warnings);
    match &config {
        Ok(config) => check_config(config),
        Err(errors) => check_problems(text, errors),
    }
    config.is_ok()
}

fn check_problems(text: &[u8], problems: &Problems) {
    check_places(text, problems);
    let said = problems.to_string();
    let hash = "8846F7EAEE8FB117";
    for secret in ["horse", "battery", hash] {
        assert!(!said.contains(secret), "{said}\n{}", String::from_utf8_lossy(text));
    }
}

/// xorshift64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

#[test]
fn every_truncation() {
    for end in 0..=SAMPLE.len() {
        check(&SAMPLE[..end]);
    }
    assert!(check(SAMPLE));
}

#[test]
fn every_flipped_bit() {
    let mut text = SAMPLE.to_vec();
    for bit in 0..8 * text.len() {
        text[bit / 8] ^= 1 << (bit % 8);
        check(&text);
        text[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_octet_left_out() {
    for at in 0..SAMPLE.len() {
        check(&[&SAMPLE[..at], &SAMPLE[at + 1..]].concat());
    }
}

#[test]
fn random_octets() {
    let mut numbers = Numbers(1);
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..numbers.below(60)).map(|_| numbers.below(256) as u8).collect();
        check(&text);
    }
}

/// Words, quotes and blanks in any order reach much further than random octets.
#[test]
fn random_words() {
    let words = "config|option|list|package|server|user|main|enabled|username|password|nt_hash|ip|\
                 pool|local_ip|dns|listen|mtu|10.0.0.1|10.0.0.2-10.0.0.9|none|1|a|'|\"|\\|;|#| |\t|\
                 \r|\u{b}|é|config server 'main'\n|config user\n|'a b'|\"c\\\"d\"|\\\n";
    let words: Vec<&str> = words.split('|').collect();
    let mut numbers = Numbers(2);
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut text = String::from("config server main\n");
        for _ in 0..numbers.below(24) {
            text += words[numbers.below(words.len())];
            text += [" ", " ", " ", "\n", ""][numbers.below(5)];
        }
        accepted += usize::from(check(text.as_bytes()));
    }
    assert!((100..40_000).contains(&accepted), "{accepted} files accepted");
}

/// Lines of the sample in any order, some twice, some broken.
#[test]
fn random_lines() {
    let lines: Vec<&[u8]> = SAMPLE.split_inclusive(|&octet| octet == b'\n').collect();
    let mut numbers = Numbers(3);
    for _ in 0..5_000 {
        let mut text = Vec::new();
        for _ in 0..numbers.below(40) {
            text.extend_from_slice(lines[numbers.below(lines.len())]);
            if numbers.below(40) == 0 {
                text.truncate(text.len() - numbers.below(text.len().min(8)));
            }
        }
        check(&text);
    }
}

/// A megabyte of anything is read in one pass.
#[test]
fn huge_files() {
    let size = 1 << 20;
    for piece in [
        "a",
        "'",
        "\"",
        "\\",
        "\\\n",
        ";",
        "#",
        " ",
        "\n",
        "config user\n",
        "config user x\n",
        "config server main\noption mtu 1\n",
        "'a'",
        "config x y\n",
        "config user;",
        "option a 'b' ''",
    ] {
        let body = piece.repeat(size / piece.len());
        for head in ["config server main\n", "config user\noption username '"] {
            check([head, &body].concat().as_bytes());
        }
    }
}
