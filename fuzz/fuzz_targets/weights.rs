//! Throws bytes at `fuzz::weights`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::weights(bytes));
