#![no_main]

fuzz::target!(EVENTS);
