//! libFuzzer's way into `targets::ipcp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ipcp(data));
