//! libFuzzer's way into `targets::ipv6cp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ipv6cp(data));
