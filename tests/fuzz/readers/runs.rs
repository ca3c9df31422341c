//! Files of a run.

use std::collections::HashMap;
use std::sync::LazyLock;

use smoothdarts::arrays::{self, Arrays};
use smoothdarts::event::Event;
use smoothdarts::event::line::{self, Lines};
use smoothdarts::run::checkpoint::Checkpoint;

use super::{Reader, found, said};
use crate::datasets::files::gunzip;
use crate::drawings::story;
use crate::search::tiny;

/// Numbers that are left of a tensor other than α, so that a checkpoint is small.
const FEW: usize = 4;

/// The events and the last checkpoint of searches in spaces of every kind.
static RUNS: LazyLock<Vec<(Vec<Event>, Checkpoint)>> = LazyLock::new(|| {
    let searches = [("s5", "sdarts-rs", 2), ("oneshot-1", "darts", 3), ("nasbench201", "gdas", 5)];
    let run = |(space, method, cells)| {
        let mut config = tiny::config(space, method);
        config.search.cells = cells;
        let (events, mut checkpoint) = tiny::whole(&config);
        for (name, array) in &mut checkpoint.arrays {
            if !name.starts_with("alpha") && array.values.len() > FEW {
                array.values.truncate(FEW);
                array.shape = vec![FEW];
            }
        }
        (events, checkpoint)
    };
    searches.map(run).to_vec()
});

static RUN_BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| RUNS[0].1.to_bytes().unwrap());

/// What stands before the digits of the checksum of a checkpoint.
const BEFORE: &[u8] = br#"{\"checksum\":\""#;

/// With the right checksum, where there is a place for one: only then all the rest is read.
fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let place = sealed.windows(BEFORE.len()).position(|window| window == BEFORE);
    if let Some(digits) = place.map(|place| place + BEFORE.len()).map(|start| start..start + 8)
        && sealed.get(digits.clone()).is_some()
    {
        sealed[digits.clone()].fill(b'0');
        let sum = format!("{:08x}", crc32c::crc32c(&sealed));
        sealed[digits].copy_from_slice(sum.as_bytes());
    }
    sealed
}

/// Reads a checkpoint and what is derived from it; what is accepted must come back from its bytes.
fn checkpoint(bytes: &[u8]) -> Result<String, String> {
    let sealed = seal(bytes);
    if sealed != bytes {
        // Most often refused; it must not be fatal.
        let _ = Checkpoint::from_bytes(bytes);
    }
    let read = Checkpoint::from_bytes(&sealed).map_err(said)?;
    let written = read.to_bytes().map_err(said)?;
    let again = Checkpoint::from_bytes(&written).map_err(said)?;
    // As bytes, since a tensor may hold what is no number.
    assert!(written == again.to_bytes().map_err(said)?, "it comes back as another one");
    let derived = read.genotype().map_or_else(said, |_| "a genotype".to_owned());
    let more = read.restrictions().map_or_else(said, |all| format!("{} restrictions", all.len()));
    Ok(format!("{}, {derived}, {more}, {:?}", read.epoch(), read.stage().is_some()))
}

pub static CHECKPOINT: Reader = Reader {
    name: "checkpoint",
    seeds: || RUNS.iter().map(|(_, checkpoint)| checkpoint.to_bytes().unwrap()).collect(),
    found: found!("checkpoint"),
    read: checkpoint,
};

/// Length of the header of a safetensors file, which stands before it.
const LENGTH: usize = size_of::<u64>();

/// The header of a safetensors file, and what stands behind it.
fn split(file: &[u8]) -> (&[u8], &[u8]) {
    let length = u64::from_le_bytes(file[..LENGTH].try_into().unwrap()) as usize;
    file[LENGTH..].split_at(length)
}

pub static HEADER: Reader = Reader {
    name: "header",
    seeds: || vec![split(&RUN_BYTES).0.to_vec()],
    found: found!("header"),
    // A header of any length before tensors that are sound.
    read: |header| {
        let tensors = split(&RUN_BYTES).1;
        checkpoint(&[&(header.len() as u64).to_le_bytes(), header, tensors].concat())
    },
};

/// The text in the header that holds the state, which is JSON inside of JSON.
fn state(file: &[u8]) -> Vec<u8> {
    let header: serde_json::Value = serde_json::from_slice(split(file).0).unwrap();
    header["__metadata__"]["smoothdarts"].as_str().unwrap().as_bytes().to_vec()
}

pub static STATE: Reader = Reader {
    name: "state",
    seeds: || {
        let first = include_bytes!("../../data/search-checkpoint-format-1.safetensors.gz");
        let mut stages = RUNS[0].1.clone();
        stages.config.search.method = "p-darts".to_owned();
        stages.config.stages.cells = vec![2, 3, 4];
        stages.observers.insert("job".to_owned(), serde_json::json!({ "stage": 1 }));
        let mut training = RUNS[0].1.clone();
        training.config.train.genotype = "DARTS_V2".to_owned();
        let all = RUNS.iter().map(|(_, checkpoint)| checkpoint).chain([&stages, &training]);
        let written = all.map(|checkpoint| state(&checkpoint.to_bytes().unwrap()));
        written.chain([state(&gunzip(first))]).collect()
    },
    found: found!("state"),
    // Any state beside tensors that are sound.
    read: |text| {
        let text = str::from_utf8(text).map_err(said)?;
        let metadata = HashMap::from([("smoothdarts".to_owned(), text.to_owned())]);
        let all: Arrays = RUNS.iter().flat_map(|(_, run)| run.arrays.clone()).collect();
        let arrays = all.iter().map(|(name, array)| (name.as_str(), array));
        checkpoint(&arrays::to_bytes(arrays, Some(metadata)).map_err(said)?)
    },
};

/// The lines of events of searches, with their checksums and as earlier versions wrote them.
pub(super) fn lines() -> Vec<Vec<u8>> {
    let made_up = story::measured(1);
    let all = RUNS.iter().map(|(events, _)| events).chain([&made_up]);
    all.flat_map(|events| lines_of(events)).collect()
}

fn lines_of(events: &[Event]) -> [Vec<u8>; 2] {
    let checked = events.iter().zip(0..).map(|(event, index)| line::write(event, index).unwrap());
    let plain = events.iter().map(|event| serde_json::to_string(event).unwrap());
    let text = |lines: &mut dyn Iterator<Item = String>| {
        lines.map(|line| line + "\n").collect::<String>().into_bytes()
    };
    [text(&mut { checked }), text(&mut { plain })]
}

pub static EVENTS: Reader = Reader {
    name: "events",
    seeds: || lines().iter().map(|lines| lines.trim_ascii_end().to_vec()).collect(),
    found: found!("events"),
    read: |bytes| {
        let mut lines = Lines::default();
        let events = bytes.split(|&byte| byte == b'\n').map(|line| lines.read(line));
        let events: Vec<_> = events.collect::<Result<_, _>>().map_err(said)?;
        let mut again = Lines::default();
        for (event, index) in events.iter().zip(0..) {
            let line = line::write(event, index).map_err(said)?;
            let read = again.read(line.as_bytes()).map_err(said)?;
            assert_eq!(line::write(&read, index).map_err(said)?, line, "another event comes back");
        }
        Ok(format!("{} events", events.len()))
    },
};
