//! libFuzzer's way into `targets::ipv6`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ipv6(data));
