//! libFuzzer's way into `targets::relay`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::relay(data));
