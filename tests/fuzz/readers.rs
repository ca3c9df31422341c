//! The readers, with sound inputs to begin with. Each says what it read in a few words, or why it did not.

use std::sync::LazyLock;

use native::tfrecord;
use smoothdarts::cell::codec;
use smoothdarts::config::layers::{Origin, Resolver};
use smoothdarts::event::line::{self, Lines};
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::space;
use smoothdarts::space::table::Table;

use crate::datasets::files::{decode_with, gzipped, mnist, svhn};
use crate::search::tiny;

/// A reader of bytes.
pub struct Reader {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub read: fn(&[u8]) -> Result<String, String>,
}

/// What a reader says of an error: with all that led to it.
fn said(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

pub static IDX: Reader = Reader {
    name: "idx",
    seeds: || {
        let (plain, packed) = (mnist(2, 1), gzipped(&mnist(2, 1)));
        [&plain, &packed].map(|files| files.values().next_back().unwrap().clone()).to_vec()
    },
    read: |bytes| {
        let files = mnist(2, 1);
        let name = files.keys().next_back().unwrap();
        let read = decode_with("mnist", &files, name, bytes).map_err(said)?;
        Ok(format!("{} images", read.train.labels.len()))
    },
};

pub static MATLAB: Reader = Reader {
    name: "matlab",
    seeds: || [true, false].map(|packed| svhn(packed).values().next().unwrap().clone()).to_vec(),
    read: |bytes| {
        let files = svhn(true);
        let name = files.keys().next().unwrap();
        let read = decode_with("svhn", &files, name, bytes).map_err(said)?;
        Ok(format!("{} images", read.test.labels.len()))
    },
};

/// The events and the last checkpoint of a search.
static RUN: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let (events, checkpoint) = tiny::whole(&tiny::config("s5", "sdarts-rs"));
    let lines = events.iter().zip(0..).map(|(event, index)| line::write(event, index).unwrap());
    let lines: Vec<String> = lines.collect();
    (lines.join("\n").into_bytes(), checkpoint.to_bytes().unwrap())
});

/// Reads a checkpoint; what is accepted must come back from its bytes.
fn checkpoint(bytes: &[u8]) -> Result<String, String> {
    let read = Checkpoint::from_bytes(bytes).map_err(said)?;
    let again = Checkpoint::from_bytes(&read.to_bytes().map_err(said)?).map_err(said)?;
    assert!(read == again, "a checkpoint that is written and read is another one");
    Ok(format!("epoch {}", read.epoch()))
}

pub static CHECKPOINT: Reader =
    Reader { name: "checkpoint", seeds: || vec![RUN.1.clone()], read: checkpoint };

/// Length of the header of a safetensors file, which stands before it.
const LENGTH: usize = size_of::<u64>();

pub static HEADER: Reader = Reader {
    name: "header",
    seeds: || {
        let length = u64::from_le_bytes(RUN.1[..LENGTH].try_into().unwrap()) as usize;
        vec![RUN.1[LENGTH..][..length].to_vec()]
    },
    // A header of any length before tensors that are sound.
    read: |header| {
        let length = u64::from_le_bytes(RUN.1[..LENGTH].try_into().unwrap()) as usize;
        let tensors = &RUN.1[LENGTH + length..];
        checkpoint(&[&(header.len() as u64).to_le_bytes(), header, tensors].concat())
    },
};

pub static EVENTS: Reader = Reader {
    name: "events",
    seeds: || {
        // With checksums, and as earlier versions wrote them.
        let mut lines = Lines::default();
        let events = RUN.0.split(|&byte| byte == b'\n').map(|line| lines.read(line).unwrap());
        let plain: Vec<String> =
            events.map(|event| serde_json::to_string(&event).unwrap()).collect();
        vec![RUN.0.clone(), plain.join("\n").into_bytes()]
    },
    read: |bytes| {
        let mut lines = Lines::default();
        let events = bytes.split(|&byte| byte == b'\n').map(|line| lines.read(line));
        let events: Vec<_> = events.collect::<Result<_, _>>().map_err(said)?;
        Ok(format!("{} events", events.len()))
    },
};

pub static GENOTYPE: Reader = Reader {
    name: "genotype",
    seeds: || {
        let derived = space::ALL.iter().map(|space| {
            let even = |choice: &smoothdarts::cell::Choice| {
                choice.rows.iter().map(|row| vec![0.1; row.options.len()]).collect()
            };
            space.derive(&space.choices().iter().map(even).collect::<Vec<_>>())
        });
        let json = |genotype| serde_json::to_string(&genotype).unwrap();
        let texts = derived.flat_map(|genotype| {
            let text = codec::of(&genotype).and_then(|codec| (codec.encode)(&genotype));
            [Some(json(genotype)), text].into_iter().flatten()
        });
        texts.map(String::into_bytes).collect()
    },
    read: |bytes| {
        let text = str::from_utf8(bytes).map_err(said)?;
        let read = codec::read(text).map_err(said)?;
        let json = serde_json::to_string(&read).map_err(said)?;
        assert_eq!(codec::read(&json), Ok(read.clone()), "as JSON");
        if let Some(codec) = codec::of(&read) {
            let written = (codec.encode)(&read).unwrap();
            let again = (codec.decode)(&written);
            assert_eq!(again.as_ref().ok().and_then(codec.encode), Some(written), "{again:?}");
        }
        Ok(format!("{} cells", read.cells.len()))
    },
};

pub static SETTINGS: Reader = Reader {
    name: "settings",
    seeds: || {
        let defaults = toml::to_string(&smoothdarts::config::Config::default()).unwrap();
        vec![
            defaults.into_bytes(),
            b"seed = 3\n[search]\nmethod = \"sdarts-adv\"\nepochs = 5\n[perturbation]\nnorm = \"l2\"\n"
                .to_vec(),
        ]
    },
    read: |bytes| {
        let text = str::from_utf8(bytes).map_err(said)?;
        let table = toml::from_str(text).map_err(said)?;
        let mut resolver = Resolver::default();
        resolver.table(&table, &Origin::Flag).map_err(said)?;
        let resolved = resolver.finish().map_err(said)?;
        Ok(format!("{} {}", resolved.config.search.space, resolved.config.search.method))
    },
};

pub static TABLE: Reader = Reader {
    name: "table",
    seeds: || {
        let cells = space::find("nasbench201").unwrap().tabulated().unwrap()();
        let rows = cells.iter().take(20).enumerate();
        let rows: Vec<String> = rows.map(|(index, cell)| format!("{cell},{index}.5\n")).collect();
        let plain = format!("architecture,accuracy\n{}", rows.concat());
        let quoted = format!("accuracy;x,architecture\r\n93.1,\"{}\"\r\n", cells[7]);
        [plain, quoted].map(String::into_bytes).to_vec()
    },
    read: |bytes| {
        let space = space::find("nasbench201").unwrap();
        let table = Table::read(space, bytes, "").map_err(said)?;
        Ok(format!("{} cells", table.cells()))
    },
};

pub static RECORDS: Reader = Reader {
    name: "records",
    seeds: || {
        let records = [&b"a"[..], &[], &[7; 300]].map(tfrecord::frame);
        vec![records.concat(), records[2].clone()]
    },
    read: |bytes| {
        let (mut reader, mut count) = (tfrecord::Reader::new(bytes), 0);
        while reader.advance().map_err(said)? {
            count += 1;
        }
        Ok(format!("{count} records"))
    },
};

pub static PYTORCH: Reader = Reader {
    name: "pytorch",
    seeds: || {
        let files: [&[u8]; 2] = [
            include_bytes!("../data/pytorch/archive.pt"),
            include_bytes!("../data/pytorch/stream.pth.tar"),
        ];
        files.map(<[u8]>::to_vec).to_vec()
    },
    read: |bytes| {
        let arrays = native::pytorch::state_dict(bytes).map_err(said)?;
        Ok(format!("{} tensors", arrays.len()))
    },
};
