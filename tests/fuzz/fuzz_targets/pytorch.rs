#![no_main]

fuzz::target!(PYTORCH);
