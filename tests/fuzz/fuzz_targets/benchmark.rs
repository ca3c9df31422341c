#![no_main]

fuzz::target!(BENCHMARK);
