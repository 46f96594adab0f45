//! libFuzzer's way into `targets::headers`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::headers(data));
