#![no_main]

fuzz::target!(IDX);
