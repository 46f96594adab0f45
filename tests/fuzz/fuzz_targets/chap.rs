//! libFuzzer's way into `targets::chap`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::chap(data));
