//! libFuzzer's way into `targets::control`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::control(data));
