//! libFuzzer's way into `targets::gre`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::gre(data));
