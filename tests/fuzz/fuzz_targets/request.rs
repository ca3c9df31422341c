#![no_main]

fuzz::target!(REQUEST);
