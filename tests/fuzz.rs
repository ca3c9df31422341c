//! Files from elsewhere, changed at random: no reader may panic, hang or fill the memory, and what one
//! accepts it must read again from what is written of it.
//!
//! `SDARTS_FUZZ` sets how many inputs each reader gets. An input that leads a reader to a place where none
//! was before (another message, or another size of what it read) becomes a seed of further ones: that
//! finds its way into a format somewhat as counting branches does, without a build of its own. What counting
//! branches found (fuzz/README.md) is read first, and goes on as seeds.

mod findings;
mod inputs;
mod readers;

use std::collections::BTreeSet;

use inputs::{Mutator, short};
use readers::Reader;

/// Inputs of each reader in an ordinary run of the tests.
const INPUTS: usize = 2_000;

/// Seeds at most; then the oldest are replaced.
const SEEDS: usize = 512;

/// Reads changed seeds, and says which input it was, should the reader panic.
fn fuzz(reader: &Reader) {
    let count = std::env::var("SDARTS_FUZZ").map_or(INPUTS, |count| count.parse().unwrap());
    let sound = (reader.seeds)();
    for seed in &sound {
        let outcome = (reader.read)(seed);
        assert!(outcome.is_ok(), "{}: a seed is refused: {outcome:?}", reader.name);
    }
    let (mut mutator, mut places) = (Mutator::new(reader.name), BTreeSet::new());
    let read = |input: &[u8]| {
        let outcome = std::panic::catch_unwind(|| (reader.read)(input));
        outcome.unwrap_or_else(|_| panic!("{} panics at {}", reader.name, short(input)))
    };
    let before = reader.found();
    for input in &before {
        places.insert(place(read(input)));
    }
    let mut seeds = [&sound[..], &before].concat();
    seeds.truncate(SEEDS);
    let (mut accepted, mut found) = (0_usize, 0_usize);
    for index in 0..count {
        // What was refused leads on only to what is refused, mostly; so every other input begins anew.
        let input = mutator.change(if index % 2 == 0 { &sound } else { &seeds });
        let outcome = read(&input);
        accepted += usize::from(outcome.is_ok());
        if !places.insert(place(outcome)) {
            continue;
        }
        if seeds.len() < SEEDS {
            seeds.push(input);
        } else {
            seeds[found % SEEDS] = input;
        }
        found += 1;
    }
    println!("{}: {count} inputs, {accepted} accepted, {} places", reader.name, places.len());
}

/// Where an input led a reader: its words without numbers and without what they quote of the input.
fn place(outcome: Result<String, String>) -> String {
    let (Ok(words) | Err(words)) = &outcome;
    let words = words.split(['`', '"', '\'']).step_by(2).collect::<String>();
    let kept: String = words.chars().filter(|it| !it.is_ascii_digit()).take(160).collect();
    format!("{}{kept}", if outcome.is_ok() { "+" } else { "-" })
}

#[test]
fn what_fuzzing_found_is_unpacked_as_it_was_packed() {
    let inputs = vec![b"first".to_vec(), Vec::new(), vec![0; 5000]];
    let found: &'static [u8] = readers::packed(&inputs).leak();
    assert_eq!(Reader { found, ..readers::IDX }.found(), inputs);
    assert!(readers::ALL.iter().all(|reader| !reader.found().is_empty()));
    let bytes: usize = readers::ALL.iter().map(|reader| reader.found.len()).sum();
    assert!(bytes < 200_000, "{bytes} bytes are too many to keep");
}

macro_rules! readers {
    ($($test:ident: $reader:ident,)*) => {
        $(
            #[test]
            fn $test() {
                fuzz(&readers::$reader);
            }
        )*

        #[test]
        fn every_reader_of_the_catalogue_has_its_test() {
            let tested = [$(readers::$reader.name),*];
            assert_eq!(tested.to_vec(), readers::ALL.map(|reader| reader.name).to_vec());
        }
    };
}

readers! {
    no_bytes_make_the_reader_of_idx_files_fail_otherwise: IDX,
    no_bytes_make_the_reader_of_cifar_files_fail_otherwise: CIFAR,
    no_bytes_make_the_reader_of_matlab_files_fail_otherwise: MATLAB,
    no_bytes_make_the_reader_of_pytorch_files_fail_otherwise: PYTORCH,
    no_bytes_make_the_reader_of_checkpoints_fail_otherwise: CHECKPOINT,
    no_bytes_make_the_reader_of_headers_of_checkpoints_fail_otherwise: HEADER,
    no_text_makes_the_reader_of_states_in_checkpoints_fail_otherwise: STATE,
    no_bytes_make_the_reader_of_events_fail_otherwise: EVENTS,
    no_bytes_make_the_figures_of_the_page_fail_otherwise: FIGURES,
    no_text_makes_the_reader_of_genotypes_fail_otherwise: GENOTYPE,
    no_text_makes_the_reader_of_settings_fail_otherwise: SETTINGS,
    no_bytes_make_the_reader_of_tables_fail_otherwise: TABLE,
    no_bytes_make_the_reader_of_records_fail_otherwise: RECORDS,
    no_bytes_make_the_reader_of_trained_cells_fail_otherwise: BENCHMARK,
    no_bytes_make_the_reader_of_cells_as_csv_fail_otherwise: BENCHMARK_CSV,
    no_bytes_make_the_reader_of_cells_as_json_fail_otherwise: BENCHMARK_JSON,
    no_bytes_make_the_reader_of_compact_tables_fail_otherwise: COMPACT,
    no_bytes_make_the_server_of_the_page_fail_otherwise: REQUEST,
}
