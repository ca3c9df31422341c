#![no_main]

fuzz::target!(RECORDS);
