#![no_main]

fuzz::target!(MATLAB);
