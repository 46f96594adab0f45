//! libFuzzer's way into `targets::ubus`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ubus(data));
