//! Throws bytes at `fuzz::json_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::json_files(bytes));
