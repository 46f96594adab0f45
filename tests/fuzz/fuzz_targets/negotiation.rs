//! libFuzzer's way into `targets::negotiation`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::negotiation(data));
