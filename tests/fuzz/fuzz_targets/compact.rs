#![no_main]

fuzz::target!(COMPACT);
