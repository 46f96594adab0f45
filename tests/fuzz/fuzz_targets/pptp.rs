//! libFuzzer's way into `targets::pptp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::pptp(data));
