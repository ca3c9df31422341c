#![no_main]

fuzz::target!(TABLE);
