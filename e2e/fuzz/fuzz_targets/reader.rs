#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sqledge_ha_fuzz::checks::reader::check(bytes));
