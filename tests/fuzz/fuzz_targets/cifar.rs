#![no_main]

fuzz::target!(CIFAR);
