//! libFuzzer's way into `targets::ccp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ccp(data));
