//! A made-up search: numbers that move as those of a search do, from formulas and no dice.

use smoothdarts::cell::codec::darts;
use smoothdarts::cell::{Cell, Choice, ChoiceKind, Genotype, Row, Rows};
use smoothdarts::config::Config;
use smoothdarts::event::{
    Anytime, Eigenvalues, EpochFinished, EpochStarted, EvaluatedOn, Event, Finished, Started, Step,
    TrainEpoch, TrainStep, Trained, Warning, WarningCode,
};

const OPERATIONS: [&str; 7] = [
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
];

const STEPS: usize = 8;

/// The events of a search of `epochs` epochs; the last third warns of a collapse.
pub fn events(epochs: usize) -> Vec<Event> {
    events_with(epochs, &OPERATIONS)
}

/// The same with other candidate operations on every edge.
pub fn events_with(epochs: usize, operations: &[&str]) -> Vec<Event> {
    let mut config = Config::default();
    config.search.epochs = epochs;
    let cell = |name: &str| Choice {
        name: name.to_owned(),
        kind: ChoiceKind::Operation,
        rows: edges(operations),
    };
    let choices = vec![cell("normal"), cell("reduce")];
    let mut events = vec![Event::Started(Started {
        schema: smoothdarts::event::SCHEMA,
        config,
        device: "cpu (2 threads)".to_owned(),
        parameters: 1_930_618,
        choices: choices.clone(),
        steps_per_epoch: STEPS,
        classes: Vec::new(),
    })];
    for epoch in 0..epochs {
        epoch_events(&mut events, epoch, epochs, &choices);
    }
    let last = events.iter().rev().find_map(|event| match event {
        Event::EpochFinished(epoch) => Some(epoch.clone()),
        _ => None,
    });
    events.extend(last.map(|last| {
        Event::Finished(Finished {
            valid_perplexity: None,
            genotype: last.genotype,
            epochs,
            valid_accuracy: last.valid_accuracy,
            reason: "completed".to_owned(),
            returned_to: None,
        })
    }));
    events
}

/// The same with a Hessian and a look into a table of trained networks after every epoch; the
/// search would have stopped early in the last but one.
pub fn measured(epochs: usize) -> Vec<Event> {
    let mut measured = Vec::new();
    for event in events(epochs) {
        let ended = match &event {
            Event::EpochFinished(epoch) => Some(epoch.epoch),
            _ => None,
        };
        measured.push(event);
        let Some(epoch) = ended else { continue };
        let at = epoch as f64 / epochs as f64;
        let largest = 0.1 + 0.6 * at * at;
        measured.push(Event::Hessian(Eigenvalues {
            epoch,
            smallest: -1.2 * largest,
            largest,
            gradients: 30,
        }));
        let regret = 0.5 + 8.0 * at * at;
        measured.push(Event::Anytime(Anytime {
            epoch,
            architecture: "|nor_conv_3x3~0|".to_owned(),
            test_accuracy: Some(94.37 - regret),
            valid_accuracy: None,
            rank: Some(1 + (1000.0 * at) as usize),
            cells: 15_625,
            regret: Some(regret),
            own_accuracy: None,
        }));
        if epoch + 2 == epochs {
            measured.push(Event::Warning(Warning {
                epoch,
                code: WarningCode::EarlyStop,
                message: "the largest eigenvalue has grown by more than 1.3".to_owned(),
            }));
        }
    }
    measured
}

/// The events of a training of `epochs` epochs.
pub fn training(epochs: usize) -> Vec<Event> {
    let mut config = Config::default();
    config.train.genotype = "c10_s5_pgd".to_owned();
    config.train.epochs = epochs;
    let evaluated_on = EvaluatedOn::Test;
    let mut events = vec![Event::Started(Started {
        schema: smoothdarts::event::SCHEMA,
        config: config.clone(),
        device: "cpu (2 threads)".to_owned(),
        parameters: 3_341_626,
        choices: Vec::new(),
        steps_per_epoch: STEPS,
        classes: Vec::new(),
    })];
    let accuracy = |epoch: usize| 1.0 - 0.8 / (epoch + 2) as f64;
    for epoch in 0..epochs {
        let learning_rate = smoothdarts::optim::training_rate(&config.train, epoch);
        let drop_path = 0.2 * epoch as f64 / epochs as f64;
        let (epsilon, drop) = (0.0, Some(drop_path));
        let start =
            EpochStarted { epoch, learning_rate, epsilon, drop_path: drop, skip_dropout: None };
        events.push(Event::EpochStarted(start));
        events.extend((0..STEPS).map(|step| {
            let loss = 2.0 / (epoch * STEPS + step + 1) as f32;
            Event::TrainStep(TrainStep { epoch, step, loss, accuracy: 1.0 - loss / 3.0 })
        }));
        events.push(Event::TrainEpoch(TrainEpoch {
            epoch,
            learning_rate,
            drop_path,
            train_loss: 1.0 / (epoch + 1) as f64,
            train_accuracy: accuracy(epoch + 1),
            evaluated_on,
            loss: 1.2 / (epoch + 1) as f64,
            accuracy: accuracy(epoch),
            top5: Some(1.0 - 0.2 / (epoch + 2) as f64),
            ema: Some([1.1 / (epoch + 1) as f64, accuracy(epoch)]),
            perplexity: Some((1.2 / (epoch + 1) as f64).exp()),
            averaged: epoch > 2,
            best: true,
            seconds: 2.5,
        }));
    }
    let accuracy = accuracy(epochs - 1);
    events.push(Event::Trained(Trained {
        genotype: smoothdarts::cell::codec::read(&config.train.genotype).unwrap(),
        epochs,
        evaluated_on,
        accuracy,
        best_accuracy: accuracy,
        best_epoch: epochs - 1,
        ema_accuracy: Some(accuracy),
        top5: Some(0.97),
        confusion: Some(
            (0..10).map(|row| (0..10).map(|it| 9 * (it == row) as u64 + 1).collect()).collect(),
        ),
        perplexity: Some(1.2),
        test_perplexity: Some(1.3),
    }));
    events
}

fn epoch_events(events: &mut Vec<Event>, epoch: usize, epochs: usize, choices: &[Choice]) {
    let done = (epoch + 1) as f64 / epochs as f64;
    let wave = |speed: f64| (speed * (epoch + 1) as f64).sin();
    let learning_rate =
        0.001 + 0.012 * (1.0 + (std::f64::consts::PI * (done - 1.0 / epochs as f64)).cos());
    let epsilon = 0.03 + 0.27 * epoch as f64 / epochs as f64;
    events.push(Event::EpochStarted(EpochStarted {
        epoch,
        learning_rate,
        epsilon,
        drop_path: None,
        skip_dropout: None,
    }));
    for step in 0..STEPS {
        let at = (epoch as f64 + step as f64 / STEPS as f64) / epochs as f64;
        let noise = ((epoch * STEPS + step) as f64 * 2.4).sin();
        events.push(Event::Step(Step {
            epoch,
            step,
            train_loss: (0.5 + 1.8 * (-4.0 * at).exp() + 0.06 * noise) as f32,
            train_accuracy: (0.85 - 0.7 * (-4.0 * at).exp()) as f32,
            valid_loss: Some((0.6 + 1.7 * (-4.0 * at).exp() - 0.05 * noise) as f32),
            attack: None,
        }));
    }
    let probabilities: Vec<Rows> =
        choices.iter().zip([0.0, 2.0]).map(|(cell, phase)| rows(cell, phase, done)).collect();
    let alpha = probabilities
        .iter()
        .map(|rows| rows.iter().map(|row| row.iter().map(|p| p.ln()).collect()).collect());
    let alpha = alpha.collect();
    let genotype = derive(choices, &probabilities);
    let share = |cell: &Cell| {
        let free = ["max_pool_3x3", "avg_pool_3x3", "skip_connect"];
        let count = cell.operations().filter(|operation| free.contains(operation)).count();
        count as f32 / cell.operations().count() as f32
    };
    events.push(Event::EpochFinished(EpochFinished {
        perplexity: None,
        epoch,
        learning_rate,
        epsilon,
        train_loss: 0.5 + 1.8 * (-4.0 * done).exp() + 0.02 * wave(1.7),
        train_accuracy: 0.86 - 0.7 * (-4.0 * done).exp() + 0.01 * wave(1.1),
        valid_loss: 0.6 + 1.7 * (-4.0 * done).exp() + 0.03 * wave(2.3),
        valid_accuracy: 0.83 - 0.7 * (-4.0 * done).exp() + 0.015 * wave(2.9),
        alpha,
        probabilities,
        parameter_free: genotype.cells.iter().map(share).collect(),
        genotype,
        seconds: 12.5,
    }));
    if epochs > 5 && 3 * epoch >= 2 * epochs {
        events.push(Event::Warning(Warning {
            epoch,
            code: WarningCode::Collapse,
            message: "skip connections take over: 5 of 8 operations of the normal cell".to_owned(),
        }));
    }
}

fn edges(operations: &[&str]) -> Vec<Row> {
    let ends = (2..6).flat_map(|node| (0..node).map(move |source| (node, source)));
    let names: Vec<String> = operations.iter().map(|&name| name.to_owned()).collect();
    ends.map(|(node, source)| Row { node, source, options: names.clone() }).collect()
}

/// Softmax of logits that drift apart, skip connections of the first cell the most.
fn rows(choice: &Choice, phase: f64, done: f64) -> Rows {
    let row = |(index, edge): (usize, &Row)| {
        let logit = |(column, name): (usize, &String)| {
            let skip = if name == "skip_connect" && phase == 0.0 { 1.6 * done } else { 0.0 };
            let wave = |speed: f64| (speed * index as f64 + 2.1 * column as f64 + phase).sin();
            let drift = (1.0 - done) * wave(1.3) + done * wave(2.9) + skip;
            (1.3 * done * drift).exp()
        };
        let weights: Vec<f64> = edge.options.iter().enumerate().map(logit).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / sum) as f32).collect()
    };
    choice.rows.iter().enumerate().map(row).collect()
}

/// The two strongest edges of every node with their strongest operation.
fn derive(choices: &[Choice], probabilities: &[Rows]) -> Genotype {
    let cell = |(index, choice): (usize, &Choice)| {
        let edges = &choice.rows;
        let best = |edge: usize| {
            let row = probabilities[index][edge].iter().enumerate();
            let (column, p) = row.max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
            (*p, (edges[edge].options[column].clone(), edges[edge].source))
        };
        let node = |node: usize| {
            let incoming = (0..edges.len()).filter(|&edge| edges[edge].node == node);
            let mut genes: Vec<(f32, darts::Gene)> = incoming.map(best).collect();
            genes.sort_by(|one, other| other.0.total_cmp(&one.0));
            genes.into_iter().take(2).map(|(_, gene)| gene)
        };
        let genes: Vec<darts::Gene> = (2..6).flat_map(node).collect();
        darts::cell(&choice.name, &genes, &[2, 3, 4, 5])
    };
    Genotype { cells: choices.iter().enumerate().map(cell).collect() }
}
