//! Genotypes as graphs: every codec reads back what it writes, and refuses what it cannot hold.

use proptest::prelude::*;
use smoothdarts::cell::codec::{self, darts, nb201, recurrent};
use smoothdarts::cell::{
    Cell, Choice, ChoiceKind, Edge, Genotype, GenotypeError, Node, Output, Row, Rows, published,
};
use smoothdarts::ops::{self, Activation};
use smoothdarts::space;

fn operation() -> impl Strategy<Value = String> {
    let known: Vec<String> = ops::ALL.iter().map(|row| row.name.to_owned()).collect();
    proptest::sample::select(known)
}

/// A cell of a DARTS space with up to six nodes.
fn darts_cell(name: &'static str) -> impl Strategy<Value = Cell> {
    let genes = (0usize..7).prop_flat_map(|nodes| {
        let gene = |index: usize| (operation(), 0..2 + index / 2);
        (0..2 * nodes).map(gene).collect::<Vec<_>>()
    });
    let genes = genes.prop_filter("two equal edges", |genes: &Vec<(String, usize)>| {
        genes.chunks(2).all(|pair| pair[0] != pair[1])
    });
    genes.prop_flat_map(move |genes| {
        let states = 2 + genes.len() / 2;
        let concat = proptest::sample::subsequence((0..states).collect::<Vec<_>>(), 1..=states);
        concat.prop_map(move |concat| darts::cell(name, &genes, &concat))
    })
}

fn darts_genotype() -> impl Strategy<Value = Genotype> {
    let [normal, reduce] = darts::CELLS;
    (darts_cell(normal), darts_cell(reduce))
        .prop_map(|(normal, reduce)| Genotype { cells: vec![normal, reduce] })
}

/// A cell of NAS-Bench-201 with one to five nodes.
fn nb201_genotype() -> impl Strategy<Value = Genotype> {
    let node = |count: usize| {
        let edge = move |operations: Vec<String>| {
            let edge = |(source, operation)| Edge { source, operation: Some(operation) };
            Node { operation: None, edges: operations.into_iter().enumerate().map(edge).collect() }
        };
        proptest::collection::vec(operation(), count).prop_map(edge)
    };
    let nodes = (1usize..6).prop_flat_map(move |nodes| (1..=nodes).map(node).collect::<Vec<_>>());
    nodes.prop_map(nb201::from_nodes)
}

/// A recurrent cell with up to ten nodes.
fn recurrent_genotype() -> impl Strategy<Value = Genotype> {
    let gene = |state: usize| (proptest::sample::select(Activation::ALL.to_vec()), 0..=state);
    let genes = (0usize..=10).prop_flat_map(move |nodes| (0..nodes).map(gene).collect::<Vec<_>>());
    genes.prop_flat_map(|genes| {
        let genes: Vec<_> = genes.into_iter().map(|(it, at)| (it.name().to_owned(), at)).collect();
        let states: Vec<usize> = (0..=genes.len()).collect();
        let mean = proptest::sample::subsequence(states, 1..=genes.len() + 1);
        mean.prop_map(move |mean| recurrent::from_genes(&genes, &mean))
    })
}

/// What holds for every genotype that `codec` can write.
fn returns(genotype: &Genotype, codec: &codec::Codec) -> Result<(), TestCaseError> {
    prop_assert_eq!(genotype.validate(), Ok(()));
    prop_assert_eq!(codec::of(genotype).map(|codec| codec.name), Some(codec.name));
    let text = (codec.encode)(genotype).unwrap();
    prop_assert_eq!((codec.decode)(&text), Ok(genotype.clone()));
    for json in [serde_json::to_string(genotype), serde_json::to_string_pretty(genotype)] {
        let read: Genotype = serde_json::from_str(&json.unwrap()).unwrap();
        prop_assert_eq!(&read, genotype);
    }
    prop_assert!((codec.columns)(genotype).len() <= genotype.cells.len());
    Ok(())
}

proptest! {
    #[test]
    fn a_darts_genotype_comes_back_from_text_and_json(genotype in darts_genotype()) {
        returns(&genotype, &darts::CODEC)?;
        prop_assert_eq!(nb201::encode(&genotype), None);
    }

    #[test]
    fn a_nasbench201_genotype_comes_back_from_text_and_json(genotype in nb201_genotype()) {
        returns(&genotype, &nb201::CODEC)?;
        prop_assert_eq!(darts::to_python(&genotype), None);
    }

    #[test]
    fn a_recurrent_genotype_comes_back_from_text_and_json(genotype in recurrent_genotype()) {
        returns(&genotype, &recurrent::CODEC)?;
        prop_assert_eq!(codec::read(&recurrent::to_python(&genotype).unwrap()), Ok(genotype.clone()));
        prop_assert_eq!(darts::to_python(&genotype), None);
        prop_assert_eq!(nb201::encode(&genotype), None);
    }

    #[test]
    fn a_source_or_an_output_that_does_not_exist_is_found(
        genotype in darts_genotype(), cell in 0usize..2, beyond in 0usize..3,
    ) {
        let mut broken = genotype.clone();
        let states = broken.cells[cell].states();
        broken.cells[cell].output = Output::Concatenation(vec![states + beyond]);
        let found = broken.validate();
        prop_assert!(matches!(found, Err(GenotypeError::UnknownState { .. })), "{:?}", found);
        let mut broken = genotype;
        let Some(node) = broken.cells[cell].nodes.last_mut() else { return Ok(()) };
        node.edges[1].source = states - 1 + beyond;
        let found = broken.validate();
        prop_assert!(matches!(found, Err(GenotypeError::FutureSource { .. })), "{:?}", found);
    }

    #[test]
    fn an_operation_that_no_catalogue_has_is_found(
        genotype in nb201_genotype(), name in "[a-z][a-z0-9_]{0,12}",
    ) {
        let mut broken = genotype;
        broken.cells[0].nodes[0].edges[0].operation = Some(name.clone());
        let found = broken.validate();
        if ops::find(&name).is_some() {
            prop_assert_eq!(found, Ok(()));
        } else {
            prop_assert!(matches!(found, Err(GenotypeError::UnknownOperation { .. })), "{:?}", found);
        }
    }

    #[test]
    fn what_a_space_derives_is_valid_and_its_own_codec_writes_it(
        name in proptest::sample::select(space::ALL.iter().map(|it| it.name).collect::<Vec<_>>()),
        seed in proptest::collection::vec(0.0f32..1.0, 97),
    ) {
        let space = space::find(name).unwrap();
        let mut numbers = seed.iter().cycle().copied();
        let weigh = |choice: &Choice| -> Rows {
            let mut row =
                |row: &Row| row.options.iter().map(|_| numbers.next().unwrap()).collect();
            choice.rows.iter().map(&mut row).collect()
        };
        let rows: Vec<Rows> = space.choices().iter().map(weigh).collect();
        let genotype = space.derive(&rows);
        returns(&genotype, space.codec())?;
        prop_assert!(!space.encode(&genotype).is_empty());
        // Derived before there is anything to derive from, it has its names and no nodes.
        let frames = space.derive(&[]);
        prop_assert_eq!(frames.cells.len(), genotype.cells.len());
        for (frame, cell) in frames.cells.iter().zip(&genotype.cells) {
            prop_assert_eq!((&frame.name, &frame.inputs), (&cell.name, &cell.inputs));
            prop_assert!(frame.nodes.is_empty());
        }
    }
}

#[test]
fn json_has_the_form_and_the_order_of_keys_that_it_always_had() {
    let genes = |operation: &str| [(operation.to_owned(), 1), ("skip_connect".to_owned(), 0)];
    let cell = |name, operation| darts::cell(name, &genes(operation), &[2]);
    let genotype = Genotype { cells: vec![cell("normal", "noise"), cell("reduce", "none")] };
    assert_eq!(
        serde_json::to_string(&genotype).unwrap(),
        "{\"normal\":[[\"noise\",1],[\"skip_connect\",0]],\"normal_concat\":[2],\
         \"reduce\":[[\"none\",1],[\"skip_connect\",0]],\"reduce_concat\":[2]}"
    );
    let choice = &space::find("s2").unwrap().choices()[0];
    let json = serde_json::to_string(choice).unwrap();
    let start = "{\"name\":\"normal\",\"edges\":[{\"node\":2,\"source\":0,\
                 \"operations\":[\"skip_connect\",\"sep_conv_3x3\"]},";
    assert!(json.starts_with(start), "{json}");
    let read: Choice = serde_json::from_str(&json).unwrap();
    assert_eq!(&read, choice);
    let input = Choice { kind: ChoiceKind::Input, ..read };
    assert!(serde_json::to_string(&input).unwrap().contains("\"kind\":\"input\""));
}

#[test]
fn json_that_is_no_genotype_is_refused() {
    let refused = |text: &str| serde_json::from_str::<Genotype>(text).unwrap_err();
    refused("{}");
    refused("3");
    refused("\"|none|\"");
    let odd =
        "{\"normal\":[[\"noise\",1]],\"normal_concat\":[],\"reduce\":[],\"reduce_concat\":[]}";
    assert!(refused(odd).to_string().contains("the number must be even"));
    let odd = darts::from_json(odd).unwrap_err();
    assert_eq!(odd, GenotypeError::OddGenes { cell: "normal".to_owned(), count: 1 });
    assert!(serde_json::to_string(&Genotype::default()).is_err(), "no codec writes it");
}

#[test]
fn states_are_named_by_their_cell() {
    let genotype = published::ALL[0].genotype();
    let [normal, reduce] = &genotype.cells[..] else { panic!("two cells") };
    assert_eq!([0, 1, 2, 5].map(|it| normal.label(it)), ["c_{k-2}", "c_{k-1}", "node 0", "node 3"]);
    assert_eq!((normal.words(), reduce.words()), ("normal cell".into(), "reduction cell".into()));
    assert_eq!(normal.outputs(), [2, 3, 4, 5]);
    let bench = nb201::decode("|none~0|+|none~0|none~1|").unwrap().cells.remove(0);
    assert_eq!([0, 1, 2].map(|it| bench.label(it)), ["input", "node 0", "node 1"]);
    assert_eq!((bench.words(), bench.outputs()), ("cell".to_owned(), vec![2]));
}

#[test]
fn published_recurrent_cells_are_those_of_the_papers() {
    let text = |name: &str| {
        let row = published::find_recurrent(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(published::find(row.name), Some(row));
        assert_eq!(published::of(&row.genotype()), Some(row));
        row.genotype().validate().unwrap();
        recurrent::to_python(&row.genotype()).unwrap()
    };
    assert_eq!(
        text("DARTS_V2"),
        "Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), \
         ('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))"
    );
    assert_eq!(
        text("ENAS"),
        "Genotype(recurrent=[('tanh', 0), ('tanh', 1), ('relu', 1), ('tanh', 3), ('tanh', 3), \
         ('relu', 3), ('relu', 4), ('relu', 7), ('relu', 8), ('relu', 8), ('relu', 8)], \
         concat=[2, 5, 6, 9, 10, 11])"
    );
    for name in ["DARTS_V1", "penn_random", "random", "penn_pgd", "pgd"] {
        assert!(text(name).ends_with("concat=range(1, 9))"), "{name}");
    }
    // The name of a cell for images stays that of a cell for images, where nothing says more.
    assert_eq!(codec::read("DARTS_V2").unwrap().cells.len(), 2);
    let words = "RNN = Genotype(recurrent = [('relu', 0), ('relu', 3)], concat = [1, 2])";
    let error = codec::read(words).unwrap_err();
    assert!(
        matches!(error, GenotypeError::FutureSource { node: 2, source_state: 3, .. }),
        "{error}"
    );
    let error = codec::read("Genotype(recurrent=[('conv', 0)], concat=[1])").unwrap_err();
    assert!(matches!(error, GenotypeError::UnknownOperation { .. }), "{error}");
}

#[test]
fn a_text_of_nasbench201_with_an_operation_that_does_not_exist_is_refused_like_its_json() {
    let unknown = codec::read("|foo~0|");
    assert!(matches!(unknown, Err(GenotypeError::UnknownOperation { .. })), "{unknown:?}");
    assert!(codec::read("|skip_connect~0|").is_ok());
}
