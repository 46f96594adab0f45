//! libFuzzer's way into `targets::arc4`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::arc4(data));
