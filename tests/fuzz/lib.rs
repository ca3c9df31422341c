//! What all targets share. The readers are those of the ordinary tests.

pub mod readers;

// The modules of the tests that make the seeds.
#[path = "../datasets"]
pub mod datasets {
    pub mod files;
}
#[path = "../drawings"]
pub mod drawings {
    pub mod story;
}
#[path = "../nasbench101"]
pub mod nasbench101 {
    pub mod writer;
}
#[path = "../search"]
pub mod search {
    pub mod tiny;
}

use std::alloc::System;

use cap::Cap;
use readers::Reader;

/// Memory that a reader may take: a thousand times what the longest input has (64 KiB), as that much gzip
/// can unpack to; and far less than a length of four bytes can claim.
const ROOM: usize = 192 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Reads the seeds, so that everything that is made once is there, and bounds the memory from there on.
///
/// # Panics
/// If a seed is refused.
pub fn begin(reader: &Reader) {
    for seed in (reader.seeds)() {
        if let Err(reason) = (reader.read)(&seed) {
            panic!("{}: a seed is refused: {reason}", reader.name);
        }
    }
    let limit = ALLOCATOR.allocated() + ROOM;
    // With no limit that could have been passed already.
    ALLOCATOR
        .set_limit(limit)
        .unwrap_or_else(|()| panic!("the seeds took more than {limit} bytes"));
}

/// A target of libFuzzer for one of the readers.
#[macro_export]
macro_rules! target {
    ($reader:ident) => {
        libfuzzer_sys::fuzz_target!(
            init: $crate::begin(&$crate::readers::$reader),
            |input: &[u8]| {
                let _ = ($crate::readers::$reader.read)(input);
            }
        );
    };
}
