//! libFuzzer's way into `targets::mppe`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::mppe(data));
