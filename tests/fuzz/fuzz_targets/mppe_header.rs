//! libFuzzer's way into `targets::mppe_header`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::mppe_header(data));
