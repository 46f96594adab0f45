//! Replays the corpora of the fuzz targets: every input that once reached something new or broke a
//! promise. It needs no fuzzer; tests/fuzz/run looks for more.

use std::fs;
use std::path::Path;

#[path = "fuzz/targets/mod.rs"]
mod targets;

/// The inputs of a target, by name.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut inputs: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// Says which input it was when a promise is broken.
struct Guard<'n>(&'n str);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("input: {}", self.0);
        }
    }
}

#[test]
fn every_input_of_every_target() {
    let mut total = 0;
    for (name, target) in targets::ALL {
        let inputs = inputs(name);
        for (path, octets) in &inputs {
            let _guard = Guard(path);
            target(octets);
        }
        println!("{name}: {} inputs", inputs.len());
        assert!(!inputs.is_empty(), "{name} has no corpus");
        total += inputs.len();
    }
    println!("{total} inputs replayed");
}
