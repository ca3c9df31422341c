#![no_main]

fuzz::target!(CHECKPOINT);
