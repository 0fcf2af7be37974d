//! Throws bytes at `fuzz::hil_serl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::hil_serl(bytes));
