//! libFuzzer's way into `targets::ppp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ppp(data));
