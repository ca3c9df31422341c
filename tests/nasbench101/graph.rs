//! Cells as graphs: golden hashes, pruning, validity, texts, and the counts of the three spaces.

use proptest::prelude::*;
use serde_json::{Value, json};
use smoothdarts::cell::nasbench101::{Graph, GraphError, Hash, Operation, oneshot};

/// The cell like one of Inception of the benchmark's own README.
const INCEPTION: &str = "0111010000000100000010000100000000100000010000000 \
                         input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,\
                         maxpool3x3,output";

fn oracles() -> Value {
    serde_json::from_str(include_str!("../data/oracles.json")).unwrap()
}

fn hash(graph: &Graph) -> String {
    graph.hash().unwrap().to_string()
}

#[test]
fn hashes_and_pruned_graphs_are_those_of_the_benchmark() {
    let oracles = oracles();
    let cases = oracles["nb101_hash"].as_array().unwrap();
    assert_eq!(cases.len(), 13);
    for case in cases {
        let read = |matrix: &str, ops: &str| -> Graph {
            serde_json::from_value(json!({ "matrix": case[matrix], "ops": case[ops] })).unwrap()
        };
        let (whole, pruned) = (read("matrix", "ops"), read("pruned_matrix", "pruned_ops"));
        assert_eq!(whole.pruned().unwrap(), pruned, "{whole}");
        assert_eq!(hash(&whole), case["hash"].as_str().unwrap(), "{whole}");
        assert_eq!(whole.hash(), pruned.hash());
    }
    let inception: Graph = INCEPTION.parse().unwrap();
    assert_eq!(hash(&inception), "28cfc7874f6d200472e1a9dcd8650aa0");
    assert!(inception.is_valid());
}

/// The dummy vertex of spaces 1 and 2 is such a vertex.
#[test]
fn vertices_off_every_way_from_input_to_output_change_nothing() {
    let chain = Graph::from_edges(vec![Operation::Conv3x3], [(0, 1), (1, 2)]).unwrap();
    assert_eq!(hash(&chain), "b49ac8c578b4561d79ac7087988f1c61");
    let operations = vec![Operation::MaxPool3x3, Operation::Conv3x3, Operation::Conv1x1];
    // Vertex 1 is fed and feeds nothing; vertex 3 has no edge.
    let loose = Graph::from_edges(operations, [(0, 1), (0, 2), (2, 4)]).unwrap();
    assert_eq!(loose.pruned(), Some(chain));
    let cut = Graph::from_edges(vec![Operation::Conv3x3; 2], [(0, 1), (2, 3)]).unwrap();
    assert_eq!((cut.pruned(), cut.hash(), cut.is_valid()), (None, None, false));
}

#[test]
fn the_limits_of_the_benchmark_count_after_pruning() {
    let chain = |blocks: usize| {
        let edges: Vec<(usize, usize)> = (0..=blocks).map(|from| (from, from + 1)).collect();
        Graph::from_edges(vec![Operation::Conv3x3; blocks], edges).unwrap()
    };
    assert!(chain(5).is_valid() && !chain(6).is_valid());
    let with = |extra: &[(usize, usize)]| {
        let edges = chain(5).edges().chain(extra.iter().copied()).collect::<Vec<_>>();
        Graph::from_edges(vec![Operation::Conv3x3; 5], edges).unwrap()
    };
    assert!(with(&[(0, 2), (0, 3), (0, 4)]).is_valid());
    assert!(!with(&[(0, 2), (0, 3), (0, 4), (0, 5)]).is_valid());
    let mut edges: Vec<(usize, usize)> = (1..=9).map(|to| (0, to)).collect();
    edges.push((9, 10));
    assert!(Graph::from_edges(vec![Operation::Conv3x3; 9], edges).unwrap().is_valid());
}

proptest! {
    #[test]
    fn the_hash_does_not_depend_on_the_order_of_vertices(
        entries in prop::collection::vec(any::<bool>(), 15),
        operations in prop::collection::vec(0usize..3, 2),
    ) {
        // The blocks 1 and 2 do not feed each other, so they can change places.
        let free = |from: usize, to: usize| from < to && (from, to) != (1, 2);
        let all = (0..6).flat_map(|from| (0..6).map(move |to| (from, to)));
        let drawn: Vec<(usize, usize)> = all.filter(|&(from, to)| free(from, to)).zip(entries)
            .filter(|(_, is_there)| *is_there).map(|(edge, _)| edge).collect();
        let [a, b] = [operations[0], operations[1]].map(|index| Operation::ALL[index]);
        let rest = [Operation::Conv1x1, Operation::MaxPool3x3];
        let graph = Graph::from_edges([vec![a, b], rest.to_vec()].concat(), drawn.clone()).unwrap();
        let swap = |vertex: usize| [0, 2, 1, 3, 4, 5][vertex];
        let swapped = drawn.iter().map(|&(from, to)| (swap(from), swap(to)));
        let other = Graph::from_edges([vec![b, a], rest.to_vec()].concat(), swapped).unwrap();
        prop_assert_eq!(graph.hash(), other.hash());
        if let Some(pruned) = graph.pruned() {
            prop_assert_eq!(pruned.pruned(), Some(pruned.clone()));
        }
        let text = graph.to_string();
        prop_assert_eq!(text.parse(), Ok(graph.clone()));
        let json = serde_json::to_string(&graph).unwrap();
        prop_assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph);
    }

    #[test]
    fn no_text_crashes_the_parser(text in "[01 ,-]{0,20}(input)?,?(conv3x3-bn-relu)?,?(output)?") {
        if let Ok(graph) = text.parse::<Graph>() {
            prop_assert_eq!(graph.to_string().parse(), Ok(graph));
        }
    }
}

#[test]
fn a_text_or_a_matrix_that_is_no_cell_is_refused_with_its_fault() {
    let text = |text: &str| text.parse::<Graph>().unwrap_err();
    assert!(matches!(text("0110"), GraphError::Text { .. }));
    assert!(matches!(text("0 input"), GraphError::Size { vertices: 1 }));
    assert!(matches!(text("01000 input,output"), GraphError::Shape { row: 2, found: 1, .. }));
    assert!(matches!(text("010 input,output"), GraphError::Shape { row: 1, found: 1, .. }));
    assert!(matches!(text("01 input,output"), GraphError::Shape { row: 1, found: 0, .. }));
    assert!(matches!(text("0200 input,output"), GraphError::Entry { .. }));
    assert!(matches!(text("0010 input,output"), GraphError::Backwards { from: 1, to: 0, .. }));
    assert!(matches!(text("1000 input,output"), GraphError::Backwards { from: 0, to: 0, .. }));
    for (labels, vertex) in [("output,input", 0), ("input,0", 1), ("input,-1", 1)] {
        let error = text(&format!("0100 {labels}"));
        assert!(
            matches!(&error, GraphError::Label { vertex: found, .. } if *found == vertex),
            "{error}"
        );
    }
    let error = text("011001000 input,skip,output").to_string();
    assert!(error.contains("vertex 1 is `skip`"), "{error}");
    let many = Graph::from_edges(vec![Operation::Conv3x3; 31], []);
    assert_eq!(many, Err(GraphError::Size { vertices: 33 }));
    let numbers: Graph = "0110001100010000 -1,1,2,-2".parse().unwrap();
    assert_eq!(numbers.operations(), [Operation::Conv1x1, Operation::MaxPool3x3]);
}

#[test]
fn a_hash_reads_back_from_its_text_and_nothing_else_is_one() {
    let text = "28cfc7874f6d200472e1a9dcd8650aa0";
    assert_eq!(text.parse::<Hash>().unwrap().to_string(), text);
    let capitals = text.to_uppercase();
    for wrong in ["", &text[1..], &format!("{text}0"), &capitals, &text.replace('c', "g")] {
        assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
    }
}

#[test]
fn the_spaces_of_one_shot_have_the_sizes_of_both_ways_of_counting() {
    let counts = &oracles()["oneshot_counts"];
    for (number, space) in (1..).zip(&oneshot::ALL) {
        let expected = |name: &str| counts[name][format!("{number}")].as_u64().unwrap() as usize;
        assert_eq!(space.name, format!("oneshot-{number}"));
        assert_eq!(space.parents.iter().sum::<usize>(), 9, "{}", space.name);
        assert_eq!(space.assignments(), expected("all_assignments"));
        assert_eq!(space.assignments_of_read_blocks(), expected("sum_3pow_outdeg_pos"));
        assert_eq!(space.connections_of_all_blocks(), expected("topologies_all_nodes_used"));
        // The paper counts in one way or the other.
        let ways = [space.assignments(), space.assignments_of_read_blocks()];
        assert!(ways.contains(&expected("paper")), "{}", space.name);
    }
    let connections = oneshot::ALL.each_ref().map(|space| space.connections().len());
    assert_eq!(connections, [180, 360, 5_400]);
}

#[test]
fn the_spaces_of_one_shot_have_as_many_networks_as_the_benchmark_tells_apart() {
    let networks = oneshot::ALL.each_ref().map(oneshot::OneShot::networks);
    assert_eq!(networks.each_ref().map(|hashes| hashes.len()), [2_685, 7_773, 55_854]);
}
