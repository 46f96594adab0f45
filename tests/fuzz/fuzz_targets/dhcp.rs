//! libFuzzer's way into `targets::dhcp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::dhcp(data));
