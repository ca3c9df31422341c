//! Derived cells.

use smoothdarts::cell::codec::{darts, nb201};
use smoothdarts::cell::{Cell, Choice, ChoiceKind, Genotype, Output, Row, published};
use smoothdarts::draw::cell::draw;
use smoothdarts::draw::history::History;
use smoothdarts::draw::{colour, csv, mixture, perturbation};
use smoothdarts::{ops, space};

use super::path::{Point, sample};
use super::xml::Element;
use super::{HOSTILE, sound, story};

const ORACLES: &str = include_str!("../data/oracles.json");

/// Every published genotype.
fn oracles() -> Vec<(String, Genotype)> {
    let oracles: serde_json::Value = serde_json::from_str(ORACLES).unwrap();
    let genotypes = oracles["genotypes"].as_object().unwrap();
    let read = |(name, row): (&String, &serde_json::Value)| {
        let fields = ["normal", "normal_concat", "reduce", "reduce_concat"];
        let fields = fields.map(|key| (key.to_owned(), row[key].clone()));
        let genotype = serde_json::Value::Object(fields.into_iter().collect());
        (name.clone(), serde_json::from_value(genotype).unwrap())
    };
    genotypes.iter().map(read).collect()
}

fn find(name: &str) -> Genotype {
    oracles().into_iter().find(|(other, _)| other == name).unwrap().1
}

/// A normal cell that reads these states, two for every node.
fn reading(sources: &[usize]) -> Cell {
    naming(sources, &["skip_connect", "sep_conv_5x5"])
}

/// The same with these operations in turns.
fn naming(sources: &[usize], operations: &[&str]) -> Cell {
    let gene = |(index, &source): (usize, &usize)| {
        (operations[index % operations.len()].to_owned(), source)
    };
    let genes: Vec<darts::Gene> = sources.iter().enumerate().map(gene).collect();
    let concat: Vec<usize> = (2..2 + sources.len() / 2).collect();
    darts::cell("normal", &genes, &concat)
}

/// Every pair of states that every node of a cell of four can read, the others reading c_{k−2}
/// and c_{k−1}; and with every node, all nodes at once.
fn all_pairs() -> Vec<Cell> {
    let mut genotypes = Vec::new();
    for node in 2..6 {
        for (first, second) in (0..node).flat_map(|one| (0..node).map(move |other| (one, other))) {
            let mut sources = vec![0, 1, 0, 1, 0, 1, 0, 1];
            sources[2 * node - 4..2 * node - 2].copy_from_slice(&[first, second]);
            genotypes.push(reading(&sources));
            let near: Vec<usize> =
                (2..6).flat_map(|node| [first.min(node - 1), second.min(node - 1)]).collect();
            genotypes.push(reading(&near));
        }
    }
    genotypes
}

/// Places of the states: boxes and circles.
fn places(elements: &[Element]) -> Vec<String> {
    let states = elements.iter().filter(|element| element.has_class("sd-box"));
    states.map(|element| format!("{:?}", element.attributes)).collect()
}

/// Left, top, right, bottom.
type Box = [f64; 4];

fn labels(elements: &[Element]) -> Vec<Box> {
    let pills = elements.iter().filter(|element| element.has_class("sd-pill"));
    // A label is written as `M x y h width a…`: its flat upper side, 12 pixels from either end.
    let numbers = pills.map(|pill| {
        let start = pill.get("d").trim_start_matches('M').split('a').next().unwrap();
        start.split([' ', 'h']).map(|number| number.parse().unwrap()).collect::<Vec<f64>>()
    });
    numbers.map(|n| [n[0] - 12.0, n[1], n[0] + n[2] + 12.0, n[1] + 24.0]).collect()
}

fn circles(elements: &[Element]) -> Vec<Point> {
    let circles = elements.iter().filter(|element| element.name == "circle");
    circles
        .map(|circle| (circle.get("cx").parse().unwrap(), circle.get("cy").parse().unwrap()))
        .collect()
}

fn strokes(elements: &[Element]) -> Vec<Vec<Point>> {
    let strokes = elements.iter().filter(|element| element.has_class("sd-stroke"));
    strokes.map(|stroke| sample(stroke.get("d"))).collect()
}

#[test]
fn a_cell_looks_as_it_did() {
    let snapshot = |name: &str, picture: String| {
        insta::with_settings!({ snapshot_path => "../snapshots" }, {
            insta::assert_snapshot!(name, picture);
        });
    };
    snapshot("cell_darts_v2_normal", draw(&find("DARTS_V2").cells[0], None));
    snapshot("cell_c10_s5_pgd_reduce", draw(&find("c10_s5_pgd").cells[1], None));
    let history = History::from_iter(story::events(6));
    let picture = draw(&history.genotype().unwrap().cells[0], history.probabilities("normal"));
    snapshot("cell_with_probabilities", picture);
}

#[test]
fn states_stand_at_the_same_place_whatever_the_genotype() {
    let expected = places(&sound(&draw(&find("DARTS_V2").cells[0], None)));
    assert_eq!(expected.len(), 2 + 4 + 1);
    for (name, genotype) in oracles() {
        for cell in genotype.cells.iter().filter(|cell| cell.edges().count() == 8) {
            assert_eq!(places(&sound(&draw(cell, None))), expected, "{name}");
        }
    }
}

#[test]
fn every_published_cell_shows_every_gene() {
    for (name, genotype) in oracles() {
        for cell in &genotype.cells {
            let elements = sound(&draw(cell, None));
            assert_eq!(labels(&elements).len(), cell.edges().count(), "{name}");
            assert_eq!(strokes(&elements).len(), cell.edges().count(), "{name}");
            let thin = elements.iter().filter(|element| element.has_class("sd-axis")).count();
            assert_eq!(thin, cell.outputs().len(), "{name}");
        }
    }
}

#[test]
fn labels_do_not_touch_each_other() {
    for genotype in all_pairs() {
        let boxes = labels(&sound(&draw(&genotype, None)));
        assert_eq!(boxes.len(), 8);
        for (index, one) in boxes.iter().enumerate() {
            for other in &boxes[index + 1..] {
                let apart = one[2] + 4.0 < other[0]
                    || other[2] + 4.0 < one[0]
                    || one[3] + 4.0 < other[1]
                    || other[3] + 4.0 < one[1];
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }
}

#[test]
fn no_line_crosses_a_label_or_a_node_of_others() {
    for genotype in all_pairs() {
        let elements = sound(&draw(&genotype, None));
        let (lines, boxes, nodes) = (strokes(&elements), labels(&elements), circles(&elements));
        for (index, line) in lines.iter().enumerate() {
            let (start, end) = (line[0], line[line.len() - 1]);
            for &(x, y) in line {
                for (other, place) in boxes.iter().enumerate().filter(|(other, _)| *other != index)
                {
                    let inside = x > place[0] && x < place[2] && y > place[1] && y < place[3];
                    assert!(!inside, "line {index} crosses label {other}: {genotype:?}");
                }
                for node in &nodes {
                    let distance = |(a, b): Point| (a - node.0).hypot(b - node.1);
                    let own = distance(start) < 16.0 || distance(end) < 16.0;
                    assert!(own || distance((x, y)) > 15.0, "line {index} crosses a node");
                }
            }
        }
    }
}

#[test]
fn two_edges_between_the_same_states_are_both_to_be_seen() {
    for node in 2..6 {
        for source in 0..node {
            let mut sources = vec![0, 1, 0, 1, 0, 1, 0, 1];
            sources[2 * node - 4..2 * node - 2].copy_from_slice(&[source, source]);
            let lines = strokes(&sound(&draw(&reading(&sources), None)));
            let (one, other) = (&lines[2 * node - 4], &lines[2 * node - 3]);
            let widest = one.iter().zip(other).map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max);
            assert!(widest > 20.0, "node {node}, source {source}: their ports are apart");
            // A line with a lane has five stretches of 40 points, the second along the lane; a
            // direct one has three and parts from its twin in the first.
            let on_the_way = if one.len() > 160 { 60 } else { 30 };
            let apart = (one[on_the_way].1 - other[on_the_way].1).abs();
            assert!(apart > 4.0, "node {node}, source {source}: {apart} pixels on the way");
        }
    }
}

#[test]
fn a_line_is_as_wide_as_its_probability() {
    let history = History::from_iter(story::events(6));
    let (shape, rows) = history.probabilities("normal").unwrap();
    let picture = draw(&history.genotype().unwrap().cells[0], Some((shape, rows)));
    let elements = sound(&picture);
    for (at, stroke) in elements.iter().enumerate().filter(|(_, e)| e.has_class("sd-stroke")) {
        let title = &elements[at - 2].text;
        let p: f64 = title.rsplit_once("p = ").unwrap().1.parse().unwrap();
        let width: f64 = stroke.get("stroke-width").parse().unwrap();
        assert!((width - (1.0 + 6.0 * p)).abs() < 0.01, "{title}: {width}");
    }
}

#[test]
fn a_cell_of_any_size_and_with_any_names_is_well_formed() {
    for nodes in [0, 1, 2, 5, 8] {
        let sources: Vec<usize> = (2..2 + nodes).flat_map(|node| [0, node - 1]).collect();
        let picture = draw(&naming(&sources, &[HOSTILE]), None);
        assert!(sound(&picture).iter().all(|element| element.name != "script"));
    }
    let mut broken = reading(&[0, 9, 1]);
    broken.output = Output::Concatenation(vec![77]);
    sound(&draw(&broken, None));
}

/// What a search of NAS-Bench-201 derives, with two edges that pass nothing on.
const BENCH201: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|";

/// p of its six edges over the five operations, each with the largest where the cell has it.
fn bench201_rows() -> Vec<Vec<f32>> {
    [3, 0, 1, 1, 0, 4]
        .map(|strongest| (0..5).map(|it| if it == strongest { 0.4 } else { 0.15 }).collect())
        .to_vec()
}

#[test]
fn the_cell_of_nasbench201_looks_as_it_did() {
    let space = space::find("nasbench201").unwrap();
    let (choices, rows) = (space.choices(), bench201_rows());
    let genotype = space.derive(std::slice::from_ref(&rows));
    assert_eq!(space.encode(&genotype), BENCH201);
    let (choice, cell) = (&choices[0], &genotype.cells[0]);
    let picture = draw(cell, Some((choice, &rows)));
    let mixture = mixture::draw(choice, &rows, cell);
    let mut moved = rows.clone();
    moved[4] = vec![0.1, 0.1, 0.2, 0.5, 0.1];
    let perturbed = perturbation::Perturbed {
        choice,
        cell,
        p: &rows,
        displaced: &moved,
        perturbed: &moved,
        epsilon: 0.3,
        losses: (1.0, 1.5),
    };
    let perturbation = perturbation::draw(&perturbed).unwrap();
    for (name, picture) in [
        ("cell_nasbench201", &picture),
        ("mixture_nasbench201", &mixture),
        ("perturbation_nasbench201", &perturbation),
    ] {
        sound(picture);
        assert!(!picture.contains("c_{") && !picture.contains("k−"), "{name} has one input");
        insta::with_settings!({ snapshot_path => "../snapshots" }, {
            insta::assert_snapshot!(name, picture);
        });
    }
    assert!(perturbation.contains("node 0 → node 2"));
    let table = csv::cell(cell);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[1..3], ["1,nor_conv_3x3,0", "2,none,0"]);
    assert_eq!(lines.len(), 1 + 6);
}

#[test]
fn in_the_cell_of_nasbench201_every_edge_has_its_place_and_none_is_pale() {
    let cell = nb201::decode(BENCH201).unwrap().cells.remove(0);
    let elements = sound(&draw(&cell, None));
    let (lines, boxes, nodes) = (strokes(&elements), labels(&elements), circles(&elements));
    assert_eq!((lines.len(), boxes.len(), nodes.len()), (6, 6, 3));
    for (index, line) in lines.iter().enumerate() {
        for &(x, y) in line {
            let others = boxes.iter().enumerate().filter(|(other, _)| *other != index);
            for (other, place) in others {
                let inside = x > place[0] && x < place[2] && y > place[1] && y < place[3];
                assert!(!inside, "line {index} crosses label {other}");
            }
        }
    }
    let pale = elements.iter().filter(|it| it.get("opacity") == "0.45");
    assert_eq!(pale.count(), 2);
    let widths = elements.iter().filter(|it| it.has_class("sd-stroke"));
    assert_eq!(widths.filter(|it| it.get("stroke-width") == "1").count(), 2);
    assert!(elements.iter().any(|it| it.text.contains("none, an edge that passes nothing on")));
    let without = nb201::decode("|nor_conv_3x3~0|").unwrap().cells.remove(0);
    assert!(!draw(&without, None).contains("pale"));
}

/// Where the circles of a drawing are, by the numbers in them.
fn nodes(picture: &[Element]) -> Vec<(f64, f64)> {
    let circles = picture.iter().filter(|element| element.name == "circle");
    let at = |element: &Element, key| element.get(key).parse::<f64>().unwrap();
    circles.map(|circle| (at(circle, "cx"), at(circle, "cy"))).collect()
}

#[test]
fn a_recurrent_cell_is_a_tree_with_x_and_h_before_it_and_the_next_h_after_it() {
    for row in published::RECURRENT {
        let cell = &row.genotype().cells[0];
        let svg = draw(cell, None);
        let picture = sound(&svg);
        let places = nodes(&picture);
        assert_eq!(places.len(), cell.states(), "{}", row.name);
        for (node, edge) in cell.edges() {
            assert!(
                places[node].0 > places[edge.source].0,
                "{}: {node} is right of what it reads",
                row.name
            );
            assert!(
                places[node].1 >= places[edge.source].1,
                "{}: {node} is not above it",
                row.name
            );
        }
        let distinct: std::collections::BTreeSet<String> =
            places.iter().map(|place| format!("{place:?}")).collect();
        assert_eq!(distinct.len(), places.len(), "{}: no two in one place", row.name);
        // A line for every edge with the colour of its activation, one for each node of the mean, two inputs.
        let lines = |class: &str| picture.iter().filter(|it| it.has_class(class)).count();
        assert_eq!(lines("sd-gene"), cell.edges().count());
        assert_eq!(lines("sd-axis"), cell.outputs().len() + 2);
        for words in [">x<tspan", ">h<tspan", "Recurrent cell", "Node 1 takes"] {
            assert!(svg.contains(words), "{}: {words}", row.name);
        }
        assert!(svg.contains("t−1"), "the hidden state before");
    }
}

#[test]
fn the_width_of_a_line_of_a_recurrent_cell_is_its_probability() {
    let genotype = published::find_recurrent("penn_pgd").unwrap().genotype();
    let options: Vec<String> = ops::Activation::ALL.iter().map(|it| it.name().to_owned()).collect();
    let rows = (1..9).flat_map(|node| (0..node).map(move |source| (node, source)));
    let rows: Vec<Row> =
        rows.map(|(node, source)| Row { node, source, options: options.clone() }).collect();
    let p: Vec<Vec<f32>> = rows.iter().map(|_| vec![0.0, 0.1, 0.6, 0.2, 0.1]).collect();
    let choice = Choice { name: "cell".to_owned(), kind: ChoiceKind::Operation, rows };
    let svg = draw(&genotype.cells[0], Some((&choice, &p)));
    assert!(svg.contains("node 0 → node 1: relu, p = 0.600"), "{svg}");
    assert!(svg.contains("node 2 → node 5: identity, p = 0.100"));
}

#[test]
fn every_activation_has_a_colour_of_its_own() {
    let looks = colour::ACTIVATIONS;
    for (index, look) in looks.iter().enumerate() {
        assert_eq!(ops::Activation::ALL[index + 1].name(), look.operation);
        assert_eq!(colour::of(look.operation), *look);
        let others = looks.iter().chain(colour::OPERATIONS).filter(|it| it.class == look.class);
        assert_eq!(others.count(), 1, "{}", look.class);
    }
    assert_eq!(looks.len() + 1, ops::Activation::ALL.len(), "none has the colour of images");
}
