//! libFuzzer's way into `targets::config`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::config(data));
