//! NAS-Bench-1Shot1: the three spaces, their networks, and what is derived.

use proptest::prelude::*;
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::oneshot::ALL;
use smoothdarts::cell::{Choice, ChoiceKind, Genotype, Row, Rows};
use smoothdarts::config::{AlphaBatches, Config, Order};
use smoothdarts::net::{Build, NetShape, Supernet};
use smoothdarts::space::{self, Space, SpaceError, oneshot};

use crate::command::run;

const NAMES: [&str; 3] = ["oneshot-1", "oneshot-2", "oneshot-3"];

fn of(name: &str) -> &'static Space {
    space::find(name).unwrap()
}

/// The network of the paper.
fn network(name: &str, build: &Build) -> Box<dyn Supernet> {
    let shape =
        NetShape { image_channels: 3, classes: 10, cells: 9, channels: 16, stem_multiplier: 3 };
    of(name).supernet_as(shape, build).unwrap()
}

/// p of every choice, from numbers that repeat.
fn weighed(space: &Space, numbers: &[f32]) -> Vec<Rows> {
    let mut numbers = numbers.iter().cycle().copied();
    let mut row = |row: &Row| row.options.iter().map(|_| numbers.next().unwrap()).collect();
    space.choices().iter().map(|choice| choice.rows.iter().map(&mut row).collect()).collect()
}

#[test]
fn the_architecture_has_24_26_and_35_parameters() {
    for (name, expected) in NAMES.into_iter().zip([24, 26, 35]) {
        let count = |choice: &Choice| choice.shape().iter().product::<usize>();
        assert_eq!(of(name).choices().iter().map(count).sum::<usize>(), expected, "{name}");
    }
    let names = |name| of(name).choices().iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("oneshot-1"), ["mixed_op", "output", "input_3", "input_4"]);
    assert_eq!(names("oneshot-2"), ["mixed_op", "output", "input_2", "input_3", "input_4"]);
    let inputs = ["input_2", "input_3", "input_4", "input_5"];
    assert_eq!(names("oneshot-3")[2..], inputs);
}

#[test]
fn networks_have_exactly_the_parameters_of_the_specification() {
    let partial = Build { partial_channels: 4, ..Build::default() };
    for (name, whole, part) in [
        ("oneshot-1", 1_101_402, 492_570),
        ("oneshot-2", 1_101_402, 492_570),
        ("oneshot-3", 1_509_594, 748_554),
    ] {
        assert_eq!(network(name, &Build::default()).layout().weight_count(), whole, "{name}");
        assert_eq!(network(name, &partial).layout().weight_count(), part, "{name}");
    }
}

#[test]
fn partial_channels_that_do_not_divide_are_refused_in_every_space() {
    let partial = Build { partial_channels: 4, ..Build::default() };
    let shape =
        NetShape { image_channels: 3, classes: 10, cells: 3, channels: 6, stem_multiplier: 1 };
    let shape_of = |name| NetShape { cells: if name == "nasbench201" { 5 } else { 3 }, ..shape };
    for name in ["oneshot-1", "s5", "nasbench201"] {
        let refused = of(name).supernet_as(shape_of(name), &partial).err();
        let expected = Some(SpaceError::PartialChannels { channels: 6, parts: 4 });
        assert_eq!(refused, expected, "{name}");
    }
}

/// Batch norms but the last have the momentum of the code.
#[test]
fn the_quirks_of_the_network_can_be_changed() {
    let paper = Build { norm_momentum: 0.003, ..Build::default() };
    for (build, momentum) in [(Build::default(), 0.997), (paper, 0.003)] {
        let network = network("oneshot-1", &build);
        for norm in network.layout().norms() {
            let last = norm.name.starts_with("postprocess");
            let expected = if last { 0.1 } else { momentum };
            assert_eq!(
                (norm.options.momentum, norm.options.affine),
                (expected, !last),
                "{}",
                norm.name
            );
        }
    }
}

proptest! {
    /// Nine edges at most, as many parents as the space says, and the dummy vertex changes no hash.
    #[test]
    fn what_is_derived_is_a_cell_of_the_benchmark(
        name in proptest::sample::select(NAMES.to_vec()),
        numbers in proptest::collection::vec(0.0f32..1.0, 89),
    ) {
        let space = of(name);
        let table = ALL.iter().find(|it| it.name == name).unwrap();
        let genotype = space.derive(&weighed(space, &numbers));
        let graph = nb101::graph(&genotype).unwrap();
        prop_assert!(graph.is_valid() && graph.edges().count() <= 9);
        let asked = oneshot::matrix(&genotype).unwrap();
        prop_assert_eq!(asked.vertices(), 7);
        prop_assert_eq!(asked.hash(), graph.hash());
        prop_assert_eq!(asked.edges().count(), graph.edges().count());
        let cell = &genotype.cells[0];
        prop_assert_eq!(cell.outputs().len(), *table.parents.last().unwrap());
        for (state, node) in cell.nodes() {
            let read = cell.outputs().contains(&state)
                || cell.edges().any(|(_, edge)| edge.source == state);
            let expected = if read { table.parents[state - 1] } else { 0 };
            prop_assert_eq!(node.edges.len(), expected, "node {} of {}", state, graph.to_string());
        }
    }

    /// The p of a genotype alone derives it again, but for the operations of blocks that nothing reads.
    #[test]
    fn a_genotype_comes_back_from_its_one_hot_p(
        name in proptest::sample::select(NAMES.to_vec()),
        numbers in proptest::collection::vec(0.0f32..1.0, 89),
    ) {
        let space = of(name);
        let genotype = space.derive(&weighed(space, &numbers));
        let p = space.one_hot(&genotype).unwrap();
        for (choice, rows) in space.choices().iter().zip(&p) {
            prop_assert_eq!(rows.len(), choice.rows.len());
            for (row, p) in choice.rows.iter().zip(rows) {
                prop_assert_eq!(p.len(), row.options.len());
                let ones = p.iter().filter(|p| **p == 1.0).count();
                prop_assert!(choice.kind != ChoiceKind::Operation || ones == 1);
            }
        }
        let found = space.derive(&p);
        prop_assert_eq!(nb101::graph(&found).unwrap().hash(), nb101::graph(&genotype).unwrap().hash());
    }
}

#[test]
fn equal_weights_take_the_first_and_an_unread_block_loses_its_edges() {
    let space = of("oneshot-1");
    let even = weighed(space, &[0.5]);
    let genotype = space.derive(&even);
    // The output reads the input and block 1, which reads the input.
    let expected = "010001000001000000000000000000000000 input,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,output";
    assert_eq!(space.encode(&genotype), expected);
    let read: Genotype = serde_json::from_str(&serde_json::to_string(&genotype).unwrap()).unwrap();
    assert_eq!(read, genotype);
}

#[test]
fn a_genotype_of_another_space_has_no_one_hot_p() {
    let of_three = of("oneshot-3").derive(&weighed(of("oneshot-3"), &[0.5]));
    let refused = of("oneshot-1").one_hot(&of_three).unwrap_err();
    assert!(refused.to_string().contains("4 blocks"), "{refused}");
}

/// The flags of a search of a second or two.
const TINY: [&str; 8] = [
    "search",
    "--device=cpu",
    "--set=search.epochs=2",
    "--set=search.channels=4",
    "--set=data.train_images=40",
    "--set=search.batch_size=8",
    "--set=data.image_size=8",
    "--set=perturbation.steps=2",
];

#[test]
fn every_command_knows_a_search_of_a_one_shot_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let flags = ["--preset=oneshot-1-sdarts-adv-small", "--hessian=every=1", "--out=run"];
    let found = run(path, &[&TINY[..], &flags].concat()).done().stdout;
    let text = found.lines().next().unwrap();
    let genotype = nb101::decode(text).unwrap();
    assert_eq!(genotype.cells[0].nodes.len(), 4);

    let table = run(path, &["derive", "run"]).done().stdout;
    assert!(table.contains("hash: ") && table.matches("input\n").count() == 1, "{table}");
    assert_eq!(table.lines().count(), 1 + 7 + 1, "the text, seven vertices, the hash");
    let stats = run(path, &["stats", "run", "--csv"]).done().stdout;
    assert!(stats.starts_with("epoch,vertices,edges,depth,parameter_free,hash\n1,"), "{stats}");
    assert_eq!(stats.lines().count(), 1 + 2);
    let spectrum = run(path, &["hessian", "run", "--dense"]).done().stdout;
    assert!(spectrum.contains('λ') || spectrum.contains("largest"), "{spectrum}");
    run(path, &["landscape", "run", "--grid=3"]).done();
    run(path, &["report", "run"]).done();
    let page = std::fs::read_to_string(path.join("run/report.html")).unwrap();
    let hash = stats.lines().last().unwrap().rsplit(',').next().unwrap();
    for text in
        [hash, "mixed_op", "input_4", "0 is the input, state 1 is node 0", "conv3x3-bn-relu"]
    {
        assert!(page.contains(text), "{text}");
    }
    let alone = run(path, &["stats", text, "--csv"]).done().stdout;
    assert!(alone.starts_with("vertices,edges,depth,parameter_free,hash\n"), "{alone}");
    let trained = run(path, &["train", text, "--dry-run"]).done().stdout;
    assert!(trained.contains("3 cells, 16 channels"), "{trained}");
}

#[test]
fn weights_of_edges_in_a_space_of_blocks_end_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--space=oneshot-1", "--method=pc-darts", "--set=search.edge_weights=true"];
    let refused = run(folder.path(), &[&TINY[..], &flags, &["--out=run"]].concat());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("search.edge_weights"), "{}", refused.stderr);
}

#[test]
fn the_presets_are_the_searches_of_the_paper_and_small_ones() {
    for space in NAMES {
        for (method, of, order) in [
            ("darts", "darts", Order::First),
            ("darts-2nd", "darts", Order::Second),
            ("sdarts-rs", "sdarts-rs", Order::First),
            ("sdarts-adv", "sdarts-adv", Order::First),
            ("pc-darts", "pc-darts", Order::First),
        ] {
            let config = |name: &str| -> Config {
                let mut layers = smoothdarts::config::layers::Resolver::default();
                layers.preset(name).unwrap();
                layers.finish().unwrap().config
            };
            for name in [format!("{space}-{method}"), format!("{space}-{method}-small")] {
                let Config { search, .. } = config(&name);
                assert_eq!((search.space.as_str(), search.method.as_str()), (space, of));
                assert_eq!(search.order, order, "{name}");
            }
            let Config { search, data, quirks, .. } = config(&format!("{space}-{method}"));
            assert_eq!((search.cells, search.channels, search.epochs), (9, 16, 100));
            assert_eq!((search.batch_size, data.name.as_str()), (96, "cifar10"));
            assert_eq!(quirks.alpha_batches, AlphaBatches::Pass);
        }
    }
}

#[test]
fn a_picture_of_the_cell_names_its_operations_its_matrix_and_its_hash() {
    let space = of("oneshot-1");
    let even = weighed(space, &[0.5]);
    let genotype = space.derive(&even);
    let picture = smoothdarts::draw::cell::draw(&genotype.cells[0], None);
    let hash = nb101::graph(&genotype).unwrap().hash().unwrap().to_string();
    assert!(picture.contains(&hash) && picture.contains("maxpool3x3"));
    assert_eq!(picture.matches(">1</text>").count(), 3, "the edges of the matrix");
    let mixture = smoothdarts::draw::blocks::mixture(&space.choices(), &even, &genotype.cells[0]);
    for (name, picture) in [("cell_oneshot", &picture), ("mixture_oneshot", &mixture)] {
        crate::drawings::sound(picture);
        insta::with_settings!({ snapshot_path => "snapshots" }, {
            insta::assert_snapshot!(name, picture);
        });
    }
}
