//! What fuzzing found, each with the smallest input.

use smoothdarts::event::{EpochFinished, Event};
use web::monitor::Monitor;

use super::readers::{COMPACT, STATE};
use crate::drawings::story;

/// A file of events of a search with one edge changed to these ends.
fn with_edge(node: u64, source: u64) -> String {
    let events = story::events_with(1, &["skip_connect", "sep_conv_3x3"]);
    let text: String =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    let changed = text.replacen(
        "\"node\":3,\"source\":1",
        &format!("\"node\":{node},\"source\":{source}"),
        1,
    );
    assert_ne!(changed, text);
    changed
}

/// It overflowed in the picture of the cell, and without the check of overflows drew arcs without an end.
#[test]
fn edges_that_lead_backwards_or_to_no_state_are_refused() {
    for (node, source) in [(1, 3), (1 << 40, 1), (u64::MAX, u64::MAX), (1000, 0)] {
        let error = Monitor::from_text(&with_edge(node, source)).unwrap_err().to_string();
        assert!(error.contains("edges lead forward"), "{node} {source}: {error}");
    }
}

/// So did a row of a node itself among those of edges.
#[test]
fn a_row_of_a_node_among_those_of_edges_is_drawn() {
    let monitor = Monitor::from_text(&with_edge(3, 3)).unwrap();
    assert!(monitor.draw("mixture").unwrap().starts_with("<svg"));
}

type Change = fn(&mut EpochFinished);

/// A p too many: the picture of a cell with operations on nodes drew an arc from a state to itself and overflowed.
#[test]
fn an_epoch_with_numbers_of_other_options_is_refused() {
    let events = story::events_with(1, &["skip_connect", "sep_conv_3x3"]);
    let with = |change: Change| -> String {
        let line = |event: &Event| {
            let mut event = event.clone();
            if let Event::EpochFinished(epoch) = &mut event {
                change(epoch);
            }
            serde_json::to_string(&event).unwrap() + "\n"
        };
        events.iter().map(line).collect()
    };
    assert!(Monitor::from_text(&with(|_| ())).is_ok());
    assert!(Monitor::from_text(&with(|epoch| epoch.alpha.clear())).is_ok(), "one without α");
    let changes: [(&str, Change); 5] = [
        ("of p", |epoch| epoch.probabilities[0][2].push(0.1)),
        ("of p", |epoch| epoch.probabilities[1].truncate(3)),
        ("of p", |epoch| epoch.probabilities.clear()),
        ("of α", |epoch| epoch.alpha[0][2].push(0.1)),
        ("of α", |epoch| epoch.alpha.truncate(1)),
    ];
    for (of, change) in changes {
        let error = Monitor::from_text(&with(change)).unwrap_err().to_string();
        assert!(error.contains(of) && error.contains("the line is damaged"), "{error}");
    }
}

/// More options than there are states before: the same picture drew an arc from a state to itself and overflowed.
#[test]
fn a_state_that_reads_itself_or_a_later_one_is_refused() {
    let Some(Event::Started(mut started)) = story::events(1).into_iter().next() else { panic!() };
    started.choices = smoothdarts::space::find("oneshot-1").unwrap().choices();
    let sound = serde_json::to_string(&Event::Started(started)).unwrap() + "\n";
    Monitor::from_text(&sound).unwrap();
    for kind in ["input", "output"] {
        let (before, row) = sound.split_once(&format!("\"kind\":\"{kind}\"")).unwrap();
        let node = row.split_once("\"node\":").unwrap().1.split_once(',').unwrap().0;
        let other = node.parse::<usize>().unwrap() - 1;
        let row = row.replacen(
            &format!("\"node\":{node},\"source\":{node}"),
            &format!("\"node\":{other},\"source\":{other}"),
            1,
        );
        let changed = format!("{before}\"kind\":\"{kind}\"{row}");
        assert_ne!(changed, sound);
        let error = Monitor::from_text(&changed).unwrap_err().to_string();
        assert!(error.contains("it reads states before it"), "{kind}: {error}");
    }
}

/// The epoch of a stage is a product, which overflowed.
#[test]
fn a_checkpoint_in_a_stage_of_any_number_tells_it() {
    let seeds = (STATE.seeds)();
    let text = seeds
        .iter()
        .map(|seed| str::from_utf8(seed).unwrap())
        .find(|it| it.contains("\"stage\":1"));
    let text = text.unwrap().replace("\"stage\":1", &format!("\"stage\":{}", u64::MAX));
    let changed = text.replacen("\"epochs\":2", "\"epochs\":900", 1);
    assert_ne!(changed, text);
    let said = (STATE.read)(changed.as_bytes()).unwrap();
    assert!(said.ends_with("true"), "it is in a stage: {said}");
}

/// Its checksums were right, and cells could not be found by their hashes.
#[test]
fn a_compact_table_whose_index_names_other_cells_is_refused() {
    let sound = (COMPACT.seeds)().swap_remove(0);
    // Mark, counts and one length stand before the index, which begins with a hash.
    let index = 8 + 12 + 8;
    for change in [1, 0xff] {
        let mut changed = sound.clone();
        changed[index] = changed[index].wrapping_add(change);
        let error = (COMPACT.read)(&changed).unwrap_err();
        assert!(error.contains("order of their hashes"), "{error}");
    }
}
