//! What a training does where its run directory or its genotype does not let it go on: one error with
//! the documented code, and nothing is lost.

use std::fs;
use std::path::Path;

use super::command::{RESULTS, train};
use crate::command::run;
#[cfg(unix)]
use crate::command::{Outcome, sdarts};

/// `sdarts` in a shell that lets no file grow beyond so many blocks of 512 bytes, which is what a full
/// disk is to a program: the write fails. The signal that comes with it is ignored.
#[cfg(unix)]
fn with_small_files(here: &Path, blocks: usize, arguments: &[&str]) -> Outcome {
    let program = sdarts(here, arguments);
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(here).arg("-c").arg(script);
    shell.arg(program.get_program()).args(program.get_args());
    Outcome::of(shell)
}

fn results(run: &Path) -> Vec<Vec<u8>> {
    RESULTS.map(|name| fs::read(run.join(name)).unwrap()).into()
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_when_weights_are_written_costs_nothing_but_the_work_since() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &train("c10_s5_pgd", &["--out=whole"])).done();
    let arguments = train("c10_s5_pgd", &["--out=net"]);
    // Room for the events, and not for a checkpoint.
    let full = with_small_files(here, 80, &arguments);
    assert_eq!(full.code, Some(1), "{full:?}");
    assert!(full.stderr.contains("cannot write net/checkpoints/last.safetensors"), "{full:?}");
    assert_eq!(full.stderr.lines().filter(|line| line.starts_with("error")).count(), 1);
    let left = fs::read_dir(here.join("net/checkpoints")).unwrap().count();
    assert_eq!(left, 0, "a half-written checkpoint stays");
    run(here, &arguments).done();
    assert!(results(&here.join("net")) == results(&here.join("whole")));

    // Finished, and full when the results are written: the state has all of them.
    fs::remove_file(here.join("net/weights.safetensors")).unwrap();
    let full = with_small_files(here, 40, &arguments);
    assert_eq!(full.code, Some(1), "{full:?}");
    assert!(full.stderr.contains("cannot write net/weights.safetensors"), "{full:?}");
    assert!(!here.join("net/weights.safetensors").exists());
    run(here, &arguments).done();
    assert!(results(&here.join("net")) == results(&here.join("whole")));
}

#[test]
fn a_training_that_cannot_fit_the_machine_is_refused_before_there_is_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for setting in
        ["train.channels=100000", "train.cells=1000000000000", "train.channels=10000000000000"]
    {
        let set = format!("--set={setting}");
        let outcome = run(here, &train("c10_s5_pgd", &[&set, "--memory-limit=8GB", "--out=net"]));
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        for words in ["this run would take about", "train.channels"] {
            assert!(outcome.stderr.contains(words), "{words:?} is not in {outcome:?}");
        }
        assert!(!here.join("net").exists());
    }
    let limit = "--memory-limit=10MB";
    let limited = run(here, &train("c10_s5_pgd", &[limit, "--out=net"]));
    assert_eq!(limited.code, Some(2), "{limited:?}");
    run(here, &train("c10_s5_pgd", &[limit, "--force", "--out=net"])).done();
}

#[test]
fn weights_of_another_genotype_are_neither_continued_nor_trained() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &train("c10_s5_pgd", &["--out=net"])).done();
    run(here, &train("DARTS_V2", &["--out=other"])).done();
    let before = results(&here.join("net"));
    let refused = |arguments: &[&str], words: &str| {
        let outcome = run(here, arguments);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{words:?} is not in {outcome:?}");
        assert!(results(&here.join("net")) == before);
    };
    refused(&train("DARTS_V2", &["--out=net"]), "has a run of other settings");
    // The checkpoints of another training in this directory.
    for name in ["last", "previous"] {
        let name = format!("checkpoints/{name}.safetensors");
        fs::copy(here.join("other").join(&name), here.join("net").join(&name)).unwrap();
    }
    fs::copy(here.join("other/events.jsonl"), here.join("net/events.jsonl")).unwrap();
    refused(&train("c10_s5_pgd", &["--out=net"]), "train.genotype");
}

#[test]
fn a_genotype_of_another_space_is_no_network_of_these_settings() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|";
    let missing = cell.replace("avg_pool_3x3~0", "avg_pool_3x3~7");
    let unknown = cell.replace("nor_conv_3x3", "sep_conv_9x9");
    for (genotype, more, words) in [
        (cell, "--set=train.cells=3", "3N + 2"),
        (cell, "--set=train.auxiliary=true", "NAS-Bench-201"),
        (&missing, "--set=train.cells=5", "7"),
        (&unknown, "--set=train.cells=5", "sep_conv_9x9"),
    ] {
        let outcome = run(here, &train(genotype, &[more, "--out=net"]));
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{words:?} is not in {outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert!(!here.join("net").exists());
    }
}
