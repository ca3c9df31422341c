//! Tables of benchmarks, in every form.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use native::nasbench101::ours::Own;
use native::nasbench101::source::{Kind, parse};
use native::nasbench101::{Gather, MAGIC, Ours, Table as Compact};
use native::tfrecord;
use smoothdarts::config::Config;
use smoothdarts::space::{self, table::Table};
use tempfile::TempDir;

use super::{Reader, found, said};
use crate::nasbench101::writer::{self, CELLS, Record};

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
    found: found!("table"),
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
    found: found!("records"),
    read: |bytes| {
        let (mut reader, mut count) = (tfrecord::Reader::new(bytes), 0);
        while reader.advance().map_err(said)? {
            count += 1;
        }
        Ok(format!("{count} records"))
    },
};

fn gathered(gather: anyhow::Result<Gather>) -> Result<String, String> {
    let gather = gather.map_err(said)?;
    Ok(format!("{} cells of {} lengths", gather.len(), gather.budgets().len()))
}

pub static BENCHMARK: Reader = Reader {
    name: "benchmark",
    seeds: || {
        let all = writer::records(&[4, 108]);
        let json: Vec<Vec<u8>> = all.iter().map(|record| record.json(&record.metrics())).collect();
        vec![json[0].clone(), json[..6].join(&b'\n')]
    },
    found: found!("benchmark"),
    // A line is a record; the checksums are right, so that all of it is read.
    read: |bytes| {
        let records = bytes.split(|byte| *byte == b'\n').flat_map(tfrecord::frame);
        gathered(parse(&records.collect::<Vec<u8>>(), Kind::Records))
    },
};

/// The first and the last cell as CSV and as JSON.
fn csv_and_json() -> [Vec<u8>; 2] {
    let [first, second] = [CELLS[0], CELLS[2]].map(|cell| Record::new(cell, 108, 0.5, 0.5).hash);
    writer::csv_and_json(&first, &second).map(String::into_bytes)
}

pub static BENCHMARK_CSV: Reader = Reader {
    name: "benchmark-csv",
    seeds: || vec![csv_and_json()[0].clone()],
    found: found!("benchmark-csv"),
    read: |bytes| gathered(parse(bytes, Kind::Csv)),
};

pub static BENCHMARK_JSON: Reader = Reader {
    name: "benchmark-json",
    seeds: || vec![csv_and_json()[1].clone()],
    found: found!("benchmark-json"),
    read: |bytes| gathered(parse(bytes, Kind::Json)),
};

/// The file that a compact table is opened from.
static FILE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    (folder, path)
});

fn compact(lengths: &[u32], ours: &Ours) -> Vec<u8> {
    let records = writer::file(&writer::records(lengths));
    let gather = parse(&records, Kind::Records).unwrap();
    Compact::write_with(&FILE.1, &gather, ours).unwrap();
    fs::read(&FILE.1).unwrap()
}

pub static COMPACT: Reader = Reader {
    name: "compact",
    seeds: || {
        let mut ours = Ours::default();
        let own = Own { cell: CELLS[0].to_owned(), test: 0.5, parameters: 7 };
        ours.add(
            Record::new(CELLS[0], 108, 0.5, 0.5).hash.parse().unwrap(),
            own,
            &Config::default(),
        );
        vec![compact(&[108], &Ours::default()), compact(&[4, 108], &ours)]
    },
    found: found!("compact"),
    // What is accepted has cells that are found again by their hashes, where these are in order.
    read: |bytes| {
        fs::write(&FILE.1, seal(bytes)).unwrap();
        let table = Compact::open(&FILE.1).map_err(said)?;
        let cells: Vec<_> = table.all().collect::<Result<_, _>>().map_err(said)?;
        assert_eq!(cells.len(), table.cells());
        let ordered = cells.is_sorted_by(|one, next| one.hash < next.hash);
        for cell in &cells {
            let found = table.find(cell.hash).map_err(said)?;
            assert!(!ordered || found.as_ref() == Some(cell), "{} is lost", cell.hash);
        }
        Ok(format!("{} cells, {} of ours", cells.len(), table.ours().len()))
    },
};

/// A compact table with right checksums, as far as it has places for them: only then all is read.
fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap()))
    };
    let counts = [1, 2].map(|place| word(bytes, MAGIC.len() + 4 * place) as usize);
    let [cells, budgets] = counts;
    let lengths = MAGIC.len() + 12;
    let index = lengths + 8 * budgets.min(1024);
    let sum = index + 20 * cells.div_ceil(64);
    let repeats = (lengths..index).step_by(8).map(|at| word(bytes, at + 4).min(1024) as usize);
    let size = 20 + 24 * repeats.sum::<usize>();
    let write = |sealed: &mut Vec<u8>, at: usize, range: std::ops::Range<usize>| {
        let Some(checksum) = sealed.get(range).map(crc32c::crc32c) else { return };
        if let Some(place) = sealed.get_mut(at..at + 4) {
            place.copy_from_slice(&checksum.to_le_bytes());
        }
    };
    let end = sum + 4 + cells.saturating_mul(size);
    for (at, first) in (index..sum.min(bytes.len())).step_by(20).zip((0..cells).step_by(64)) {
        let count = 64.min(cells - first);
        let start = (sum + 4).saturating_add(first.saturating_mul(size));
        write(&mut sealed, at + 16, start..start.saturating_add(count * size));
    }
    write(&mut sealed, sum, 0..sum);
    let text = end.saturating_add(4);
    let length = word(bytes, end.min(bytes.len())) as usize;
    write(&mut sealed, text.saturating_add(length), text..text.saturating_add(length));
    sealed
}
