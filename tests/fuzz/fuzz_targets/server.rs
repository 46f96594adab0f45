//! libFuzzer's way into `targets::server`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::server(data));
