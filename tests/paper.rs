//! The numbers of the paper, against what its text says of them.

use smoothdarts::paper::{self, TABLE_4, TABLE_4_METHODS};

#[test]
fn the_relative_reductions_of_table_4_are_those_of_the_text() {
    let column = |method: &str| TABLE_4_METHODS.iter().position(|name| *name == method).unwrap();
    let ours = column("sdarts-adv");
    let text = [
        ("darts", 31.1),
        ("r-darts-l2", 11.5),
        ("darts-es", 11.4),
        ("r-darts-dp", 10.9),
        ("pc-darts", 5.3),
    ];
    for (method, expected) in text {
        let other = column(method);
        let reductions = TABLE_4.iter().map(|(_, _, row)| (row[other] - row[ours]) / row[other]);
        let mean = 100.0 * reductions.sum::<f64>() / TABLE_4.len() as f64;
        assert!((mean - expected).abs() < 0.05, "{method}: {mean}");
    }
}

#[test]
fn the_adversarial_method_is_the_best_of_table_4_in_eleven_of_twelve() {
    let best = TABLE_4.iter().filter(|(_, _, row)| row.iter().all(|error| *error >= row[6]));
    assert_eq!(best.count(), 11);
}

#[test]
fn published_numbers_are_found_by_data_space_and_method() {
    let found = |data, space, method| {
        paper::test_error(data, space, method).map(|it| (it.test_error, it.deviation))
    };
    assert_eq!(found("cifar10", "s5", "sdarts-adv"), Some((2.61, Some(0.02))));
    assert_eq!(found("cifar10", "s5", "r-darts-l2"), Some((2.95, Some(0.21))));
    assert_eq!(found("svhn", "s3", "sdarts-rs"), Some((2.36, None)));
    assert_eq!(found("fashion-mnist", "s5", "sdarts-adv"), None);
    assert_eq!(paper::parameter_free("cifar10", "s2", "sdarts-rs"), Some(0.375));
    assert_eq!(paper::parameter_free("svhn", "s2", "sdarts-rs"), None);
    let genotype = |name, data| {
        paper::genotypes::test_error(name, data).map(|it| (it.data, it.test_error, it.top5_error))
    };
    assert_eq!(genotype("c10_s5_pgd", "cifar10"), Some(("cifar10", 2.61, None)));
    assert_eq!(genotype("c10_s5_pgd", "fashion-mnist"), Some(("cifar10", 2.61, None)));
    assert_eq!(genotype("c10_s5_pgd", "imagenet"), Some(("imagenet", 25.2, Some(7.8))));
    assert_eq!(genotype("c10_s5_random", "imagenet"), Some(("imagenet", 25.6, Some(8.2))));
    // Table 2 has cells of the main space alone.
    assert_eq!(genotype("c10_s1_pgd", "imagenet"), None);
    for row in paper::TABLE_2 {
        assert!(row.top5_error.is_some_and(|top5| top5 < row.test_error), "{}", row.method);
    }
}

#[test]
fn every_cell_of_table_3_is_published_and_no_best_is_claimed_that_is_none() {
    for row in paper::TABLE_3 {
        let cell = smoothdarts::cell::published::find_recurrent(row.name).unwrap();
        assert_eq!(paper::perplexities(cell.name), Some(*row));
        assert!(row.test < row.valid, "{}", row.name);
    }
    let test = |name| paper::perplexities(name).unwrap().test;
    assert!(test("penn_pgd") < test("penn_random") && test("penn_DARTS_V2") < test("penn_pgd"));
    assert_eq!(paper::perplexities("c10_s5_pgd"), None);
}
