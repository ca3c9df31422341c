//! The tables in the folder `nasbench101` of `SDARTS_DATA`, where they are.

use std::path::PathBuf;

use native::nasbench101::source::{self, Kind};
use native::nasbench101::{Cell, Gather, Split, Summary, Table};

/// The file; `None`, and a word about it, where it is not there.
fn real(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("SDARTS_DATA").unwrap_or_else(|| beside.into());
    let path = PathBuf::from(folder).join("nasbench101").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("left out: there is no {}", path.display());
    None
}

fn read(name: &str, kind: Kind) -> Option<Gather> {
    let path = real(name)?;
    assert_eq!(Kind::of(&path).unwrap(), kind, "{name}");
    Some(source::read(&path, kind).unwrap())
}

fn summary(gather: &Gather) -> Summary {
    Summary::of(gather.cells().map(Ok)).unwrap()
}

fn coverage(summary: &Summary) -> Vec<(usize, usize)> {
    summary.spaces.iter().map(|space| (space.valid, space.test)).collect()
}

#[test]
fn the_slice_of_20001_cells_covers_of_the_spaces_what_is_known() {
    let Some(gather) = read("nb101-first20001-by-hash.json", Kind::Json) else { return };
    assert_eq!(gather.len(), 20_001);
    let summary = summary(&gather);
    assert!(summary.budgets.iter().map(|it| it.epochs).eq([4, 12, 36, 108]));
    assert_eq!(coverage(&summary)[..2], [(131, 0), (381, 0)]);
}

#[test]
fn the_means_of_small_cells_cover_of_the_spaces_what_is_known() {
    let Some(gather) = read("nb101_le5v_mean3.csv", Kind::Csv) else { return };
    let summary = summary(&gather);
    let lengths = summary.budgets.iter().map(|it| (it.epochs, it.cells));
    assert!(lengths.eq([(4, 1_182), (12, 1_188), (36, 1_198), (108, 1_204)]));
    assert_eq!(coverage(&summary), [(95, 95), (280, 280), (315, 315)]);
    // The lowest errors of the whole spaces are below those of a part of them.
    for space in &summary.spaces {
        let best = space.best_test.as_ref().unwrap();
        assert!(best.of_space < best.error && best.error < 0.07, "{}", space.space);
    }
}

/// Hashes are computed from the graphs of all 1,000 entries.
#[test]
fn the_graphs_of_the_slice_of_1000_cells_have_the_hashes_of_the_benchmark() {
    let Some(gather) = read("nb101-1k-with-graphs.json", Kind::Json) else { return };
    assert_eq!(gather.len(), 1_000);
    let Some(longer) = read("nb101-first20001-by-hash.json", Kind::Json) else { return };
    assert!(gather.cells().eq(longer.cells().take(1_000)));
}

#[test]
fn records_and_rows_of_the_same_trainings_agree() {
    let Some(means) = read("ecnas_4v9e_nb101means.tfrecord", Kind::Records) else { return };
    let Some(rows) = read("nb101_le5v_mean3.csv", Kind::Csv) else { return };
    let rows: Vec<Cell> = rows.cells().collect();
    assert_eq!(means.len(), 91);
    for cell in means.cells() {
        let row = rows.iter().find(|row| row.hash == cell.hash).unwrap();
        assert_eq!(row.parameters, cell.parameters);
        for (epochs, _) in &cell.trainings {
            for split in [Split::Valid, Split::Test] {
                let [record, row] = [&cell, row].map(|it| it.accuracy(*epochs, split));
                // The rows have ten digits; they lack a few validation accuracies of 4 epochs.
                let same = row.is_none_or(|row| (row - record.unwrap()).abs() < 1e-9);
                assert!(same, "{} {epochs} {split:?}: {record:?} {row:?}", cell.hash);
            }
        }
    }
}

#[test]
fn files_in_the_format_of_the_benchmark_have_three_trainings_of_every_cell() {
    let Some(rerun) = read("ecnas_4v9e_3x4budgets.tfrecord", Kind::Records) else { return };
    let Some(short) = read("nasbench_format_3v9e_4epochs.tfrecord", Kind::Records) else { return };
    for (gather, cells, lengths) in [(rerun, 91, 4), (short, 7, 1)] {
        let summary = summary(&gather);
        assert_eq!((summary.cells, summary.budgets.len()), (cells, lengths));
        for length in &summary.budgets {
            assert_eq!((length.cells, length.fewest_repeats, length.most_repeats), (cells, 3, 3));
        }
    }
}

#[test]
fn a_compact_table_has_every_number_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.table");
    for (name, kind) in [
        ("nb101-first20001-by-hash.json", Kind::Json),
        ("nb101_le5v_mean3.csv", Kind::Csv),
        ("ecnas_4v9e_3x4budgets.tfrecord", Kind::Records),
    ] {
        let Some(gather) = read(name, kind) else { continue };
        Table::write(&path, &gather).unwrap();
        let table = Table::open(&path).unwrap();
        let cells = table.all().collect::<anyhow::Result<Vec<Cell>>>().unwrap();
        assert_eq!(cells, gather.cells().collect::<Vec<Cell>>(), "{name}");
        let every = cells.iter().step_by(97);
        every.for_each(|cell| assert_eq!(table.find(cell.hash).unwrap().as_ref(), Some(cell)));
    }
}
