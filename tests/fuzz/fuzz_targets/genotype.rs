#![no_main]

fuzz::target!(GENOTYPE);
