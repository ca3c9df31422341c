#![no_main]

fuzz::target!(STATE);
