#![no_main]

fuzz::target!(BENCHMARK_JSON);
