#![no_main]

fuzz::target!(HEADER);
