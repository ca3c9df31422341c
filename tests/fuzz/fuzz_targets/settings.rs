#![no_main]

fuzz::target!(SETTINGS);
