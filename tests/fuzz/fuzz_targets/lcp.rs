//! libFuzzer's way into `targets::lcp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::lcp(data));
