//! The borders inside the program: which layer may use which, where `unsafe` may stand, and that
//! the library stays without system, heap and, but for assembly on MIPS, `unsafe`.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from low to high; those in one row do not matter to each other. A layer may use
/// itself and what stands above it here.
const LAYERS: &[&[&str]] = &[
    &["cipher", "limits", "time", "packet", "random", "reason"],
    &["wire"],
    &["proto"],
    &["config"],
    &["session"],
    &["io", "main"],
];

/// A source file: its path below `src`, its layer, and its text without comments and literals.
struct Source {
    path: String,
    layer: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
        let layer = path.split(['/', '.']).next().unwrap().to_string();
        let code = bare(&fs::read_to_string(file).unwrap());
        Source { path, layer, code }
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code alone: comments, strings and character literals become blanks.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = literal(rest);
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// Octets of the comment or literal that `text` begins with; 0 when there is none.
fn literal(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    // A lifetime has no closing quote two characters on.
    let mut after = text.strip_prefix('\'').unwrap_or("").chars();
    match (after.next(), after.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(char), Some('\'')) => char.len_utf8() + 2,
        _ => 0,
    }
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn level(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

/// The words that follow `prefix` in the code, such as `wire` after `crate::`; all words of a list
/// in braces.
fn named<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        // `crate::wire::pptp::` is a module of ours, not the library from outside.
        if code[..at].ends_with(is_part) || code[..at].ends_with("::") {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.push(rest.split(|char| !is_part(char)).next().unwrap());
            continue;
        };
        names.extend(heads(list, is_part));
    }
    names
}

/// The first words of the paths in a list `a::{b, c}, d}`.
fn heads(list: &str, is_part: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let path = list[start..at].trim();
                heads.push(path.split(|char| !is_part(char)).next().unwrap());
                start = at + 1;
                if char == '}' {
                    return heads;
                }
            }
            _ => {}
        }
    }
    heads
}

#[test]
fn layers_look_down_only() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer != "lib") {
        let own = level(&source.layer);
        assert!(own.is_some(), "src/{}: in no layer of this test", source.path);
        let within = ["crate::", "super::"].map(|root| named(&source.code, root)).concat();
        // Other names than those of layers are what stands beside a file.
        for name in within.iter().filter(|name| level(name) > own) {
            wrong.push(format!("src/{} uses {name}", source.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where `unsafe` may stand: calls of the system, and instructions that the compiler does not use.
const UNSAFE: [&str; 2] = ["cipher/mips/", "io/sys.rs"];

#[test]
fn unsafe_stands_in_two_places_and_gives_reasons() {
    for source in sources() {
        let words = source.code.split(|char: char| !char.is_alphanumeric() && char != '_');
        let count = words.filter(|word| *word == "unsafe").count();
        let may = UNSAFE.iter().any(|place| source.path.starts_with(place));
        assert!(may || count == 0, "src/{}: unsafe belongs into {UNSAFE:?}", source.path);
        if count == 0 {
            continue;
        }
        let text = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path),
        );
        let text = text.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut found = 0;
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| has_unsafe(line)) {
            let above = lines[..at].iter().rev().take_while(|line| !line.trim().is_empty());
            let reason = above.take(6).any(|line| line.contains("// SAFETY: "));
            assert!(reason, "src/{}:{}: no SAFETY above it", source.path, at + 1);
            found += bare(lines[at]).matches("unsafe").count();
        }
        assert_eq!(count, found, "src/{}: unsafe, and looked at", source.path);
    }
}

fn has_unsafe(line: &str) -> bool {
    bare(line).contains("unsafe")
}

#[test]
fn the_library_has_no_system_no_heap_and_no_unsafe() {
    let library = || sources().into_iter().filter(|it| it.layer != "io" && it.layer != "main");
    let root = library().find(|source| source.path == "lib.rs").unwrap();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(root.code.contains(attribute), "src/lib.rs has lost {attribute}");
    }
    let ciphers = library().find(|source| source.path == "cipher/lib.rs").unwrap();
    for attribute in ["#![no_std]", "#![cfg_attr(not(mips_asm), forbid(unsafe_code))]"] {
        assert!(ciphers.code.contains(attribute), "src/cipher/lib.rs has lost {attribute}");
    }
    for source in library() {
        // Tests inside of the library may use the standard library.
        let code = source.code.split("#[cfg(test)]").next().unwrap();
        for system in ["std", "alloc", "libc", "mio"] {
            let used = !named(code, &format!("{system}::")).is_empty()
                || code.contains(&format!("extern crate {system};"));
            assert!(!used, "src/{} names {system}", source.path);
        }
    }
}

#[test]
fn this_test_sees_what_it_looks_for() {
    let code = bare(
        "use crate::{wire::{gre, a}, time};\ncrate::io::f(\"crate::x\", '\"', 'a); // crate::y",
    );
    assert_eq!(named(&code, "crate::"), ["wire", "time", "io"]);
    assert!(named("mystd::x", "std::").is_empty());
    assert_eq!(bare("a /* b */ c '\\'' d"), "a   c   d");
}
