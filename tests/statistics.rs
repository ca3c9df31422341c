//! The numbers of cells: every published genotype against the oracles, the paper's figures, and
//! genotypes as people paste them.

use serde_json::Value;
use smoothdarts::cell::codec::darts;
use smoothdarts::cell::{CellStatistics, Genotype, GenotypeError, published};
use smoothdarts::net::{Evaluation, Stem, derived};
use smoothdarts::nn::GradientTarget;
use smoothdarts::paper;

use crate::command::{Outcome, TINY, sdarts};

fn oracles() -> Value {
    serde_json::from_str(include_str!("data/oracles.json")).unwrap()
}

fn both(genotype: &Genotype) -> [CellStatistics; 2] {
    CellStatistics::all(genotype).unwrap().try_into().unwrap()
}

fn python(genotype: &Genotype) -> String {
    darts::to_python(genotype).unwrap()
}

#[test]
fn every_published_genotype_has_the_shape_and_size_of_the_oracles() {
    let oracles = oracles();
    let small =
        |cells, channels, classes| Evaluation { stem: Stem::Small, cells, channels, classes };
    let sizes = [
        ("params_cifar10_20c_36", Evaluation::CIFAR10),
        ("params_cifar100_20c_36", small(20, 36, 100)),
        ("params_8c_16_nc10", small(8, 16, 10)),
        ("params_8c_16_nc100", small(8, 16, 100)),
        ("params_imagenet_14c_48", Evaluation::IMAGENET),
    ];
    let products = [
        ("macs_cifar10_20c_36", Evaluation::CIFAR10, 32),
        ("macs_imagenet_14c_48", Evaluation::IMAGENET, 224),
    ];
    assert_eq!(oracles["genotypes"].as_object().unwrap().len(), published::ALL.len());
    for row in published::ALL {
        let expected = &oracles["genotypes"][row.name];
        let genotype = row.genotype();
        let listed: Genotype = serde_json::from_value(serde_json::json!({
            "normal": expected["normal"], "normal_concat": expected["normal_concat"],
            "reduce": expected["reduce"], "reduce_concat": expected["reduce_concat"],
        }))
        .unwrap();
        assert_eq!(genotype, listed, "{}", row.name);
        let [normal, reduce] = both(&genotype);
        assert_eq!(normal.width, expected["width_c"].as_f64().unwrap(), "{} width", row.name);
        assert_eq!(normal.depth as u64, expected["depth"].as_u64().unwrap(), "{} depth", row.name);
        for (cell, key) in [(normal, "paramfree_normal"), (reduce, "paramfree_reduce")] {
            assert_eq!(cell.parameter_free, expected[key].as_f64().unwrap(), "{} {key}", row.name);
        }
        for (key, network) in sizes {
            let count = network.parameters(&genotype).unwrap();
            assert_eq!(count as u64, expected[key].as_u64().unwrap(), "{} {key}", row.name);
        }
        for (key, network, size) in products {
            let network = derived(&genotype, network.shape(false)).unwrap();
            let count = network.multiply_adds(size, GradientTarget::Nothing);
            assert_eq!(count, expected[key].as_u64().unwrap(), "{} {key}", row.name);
        }
    }
}

/// 476,426 and 1,260,776 of spec appendix A: the latter without the batch norm that the authors left out.
#[test]
fn auxiliary_heads_have_the_weights_of_the_oracles() {
    let genotype = published::ALL[0].genotype();
    for (network, expected) in [
        (Evaluation::CIFAR10, 476_426),
        (Evaluation { classes: 100, ..Evaluation::CIFAR10 }, 545_636),
        (Evaluation::IMAGENET, 1_260_776),
    ] {
        let network = derived(&genotype, network.shape(true)).unwrap();
        let slots = network.layout().weights().iter();
        let head = slots.filter(|slot| slot.name.starts_with("auxiliary_head."));
        assert_eq!(head.map(|slot| slot.range.len()).sum::<usize>(), expected);
    }
}

#[test]
fn the_paper_and_we_agree_on_every_cell_but_the_one_that_was_released_differently() {
    let mut differing = Vec::new();
    for figures in paper::genotypes::ALL {
        let row = published::ALL.iter().find(|row| row.name == figures.name);
        let genotype = row.unwrap_or_else(|| panic!("{}", figures.name)).genotype();
        let [normal, _] = both(&genotype);
        let shape = figures.shape.unwrap_or((normal.width, normal.depth));
        assert_eq!(shape, (normal.width, normal.depth), "{}", figures.name);
        let share = figures.parameter_free().unwrap_or(normal.parameter_free);
        assert_eq!(share, normal.parameter_free, "{}", figures.name);
        let millions = Evaluation::CIFAR10.parameters(&genotype).unwrap() as f64 / 1e6;
        if figures.millions.is_some_and(|paper| (paper - millions).abs() > 0.05) {
            differing.push(figures.name);
        }
    }
    assert_eq!(differing, ["c10_s5_random"]);
}

#[test]
fn five_nodes_on_the_inputs_are_five_wide_and_two_deep() {
    // ENAS (paper §7.4).
    let gene = |source| ("sep_conv_3x3".to_owned(), source);
    let genes: Vec<darts::Gene> = (0..5).flat_map(|_| [gene(0), gene(1)]).collect();
    let found = CellStatistics::of(&darts::cell("normal", &genes, &[2, 3, 4, 5, 6])).unwrap();
    assert_eq!((found.width, found.depth, found.parameter_free), (5.0, 2, 0.0));
}

#[test]
fn a_cell_without_genes_has_no_size() {
    let found = CellStatistics::of(&darts::cell("normal", &[], &[])).unwrap();
    assert_eq!((found.width, found.depth, found.parameter_free), (0.0, 0, 0.0));
}

#[test]
fn noise_counts_as_parameter_free() {
    let row = published::ALL.iter().find(|row| row.name == "c10_s4_pcdarts").unwrap();
    assert_eq!(both(&row.genotype())[0].parameter_free, 0.125);
}

#[test]
fn an_unknown_operation_has_no_parameter_count() {
    let mut genotype = published::ALL[0].genotype();
    genotype.cells[0].nodes[0].edges[0].operation = Some("unheard_of".to_owned());
    assert_eq!(Evaluation::CIFAR10.parameters(&genotype), None);
}

#[test]
fn every_published_genotype_comes_back_from_its_python_text() {
    for row in published::ALL {
        let genotype = row.genotype();
        assert_eq!(darts::from_python(&python(&genotype)), Ok(genotype), "{}", row.name);
    }
}

#[test]
fn python_text_is_read_as_people_paste_it() {
    let genotype = published::ALL[0].genotype();
    let text = python(&genotype);
    let variants = [
        format!("DARTS_V1 = {text}\n"),
        text.replace("range(2, 6)", "[2, 3, 4, 5]"),
        text.replace("range(2, 6)", "list(range(2, 6))"),
        text.replace("[(", "[\n  (").replace(")]", "),\n]").replace('\'', "\""),
    ];
    for variant in variants {
        assert_eq!(darts::from_python(&variant), Ok(genotype.clone()), "{variant}");
    }
}

#[test]
fn damaged_python_text_is_refused_with_a_reason() {
    let text = python(&published::ALL[0].genotype());
    let damaged = [
        "".to_owned(),
        "Genotype(".to_owned(),
        "Genotype()".to_owned(),
        text.replace("normal_concat", "normal_kitten"),
        text.replace("range(2, 6)", "range(2, x)"),
        text.replace("range(2, 6)", "range(0, 99999999999999)"),
        text.replacen(", 1)", ", 7)", 1),
        text[..text.len() / 2].to_owned(),
    ];
    for text in damaged {
        let error = darts::from_python(&text).unwrap_err();
        assert!(!error.to_string().is_empty(), "{text}");
    }
    let missing = darts::from_python("nothing").unwrap_err();
    assert!(matches!(missing, GenotypeError::Text { .. }));
}

#[test]
fn the_command_reads_runs_files_and_texts() {
    let folder = tempfile::tempdir().unwrap();
    let stats =
        |arguments: &[&str]| Outcome::of(sdarts(folder.path(), &[&["stats"], arguments].concat()));
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&stats(&arguments).done().stdout).unwrap()
    };
    let row = published::ALL.iter().find(|row| row.name == "c10_s5_pgd").unwrap();
    let python = python(&row.genotype());
    std::fs::write(folder.path().join("pgd.txt"), format!("PGD = {python}\n")).unwrap();
    let json = serde_json::to_string(&row.genotype()).unwrap();
    for source in [&python, &json, "pgd.txt"] {
        let found = &rows(&[source])[0];
        assert_eq!(found["normal_width"], 3.0, "{source}");
        assert_eq!(found["normal_depth"], 4);
        assert_eq!(found["cifar10_parameters"], 3_344_806);
    }
    let published = rows(&[]);
    assert_eq!(published.len(), published::ALL.len());
    let of = |name: &str| published.iter().find(|row| row["genotype"] == name).unwrap();
    assert_eq!(of("c10_s5_pgd")["equal"], true);
    assert_eq!(of("c10_s5_random")["equal"], false);
    assert!(of("svhn_s1_pgd")["equal"].is_null(), "the paper says nothing of it");
    let text = stats(&[]).done().stdout;
    assert!(text.contains('✓'), "{text}");

    Outcome::of(sdarts(folder.path(), &[TINY, &["--out=run"]].concat())).done();
    let epochs = rows(&["run"]);
    assert_eq!(epochs.len(), 2);
    assert_eq!(epochs[1]["epoch"], 2);
    let csv = stats(&["run", "--csv"]).done().stdout;
    assert!(csv.starts_with("epoch,normal_width,"), "{csv}");
    assert_eq!(csv.lines().count(), 3);
    assert_eq!(stats(&["no such thing"]).code, Some(2));
    assert_eq!(stats(&["Genotype(normal=[])"]).code, Some(2));
}
