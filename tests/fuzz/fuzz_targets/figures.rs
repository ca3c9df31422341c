#![no_main]

fuzz::target!(FIGURES);
