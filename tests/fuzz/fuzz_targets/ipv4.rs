//! libFuzzer's way into `targets::ipv4`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ipv4(data));
