//! Throws bytes at `fuzz::classifier`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::classifier(bytes));
