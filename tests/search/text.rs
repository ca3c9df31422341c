//! Searches of recurrent cells on text: what the network computes, what is carried, and that a search goes on
//! where it was.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pollster::block_on;
use rand_pcg::Pcg64;
use smoothdarts::cell::Genotype;
use smoothdarts::config::{Config, Order};
use smoothdarts::data::text::{Text, TextLoader};
use smoothdarts::event::{EpochFinished, Event};
use smoothdarts::net::{Dropout, LanguageNet, LanguageShape, Predicted};
use smoothdarts::nn::{GradientTarget, Pass, RunningStatistics, Statistics};
use smoothdarts::rng::{Stream, Streams, uniform};
use smoothdarts::run::TextSearch;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::space::{self, Space};

use super::tiny;

const WORDS: usize = 11;
const HIDDEN: usize = 6;

/// Two epochs of a few sequences, with every dropout.
pub fn config(method: &str) -> Config {
    let mut config = tiny::config("recurrent", method);
    config.search.batch_size = 3;
    config.weights.learning_rate = 2.0;
    config.weights.momentum = 0.0;
    config.weights.clip = 0.25;
    config.alpha.learning_rate = 0.02;
    config.recurrent.hidden = HIDDEN;
    config.recurrent.bptt = 6;
    config.recurrent.evaluation_batch = 2;
    config.recurrent.dropout_word = 0.1;
    config.recurrent.activation_regularisation = 0.1;
    config
}

/// A text of so many random words.
fn text(train: usize) -> Text {
    let words = |count: usize, place: u64| -> Vec<u32> {
        let mut rng = Streams::new(7).at(Stream::Noise, place);
        let draws = uniform(&mut rng, count, 0.0, WORDS as f32).into_iter();
        draws.map(|draw| (draw as u32).min(WORDS as u32 - 1)).collect()
    };
    Text {
        name: "random".to_owned(),
        train: words(train, 0),
        valid: words(40, 1),
        test: Vec::new(),
        vocabulary: (0..WORDS).map(|word| format!("word-{word}")).collect(),
    }
}

fn loader(config: &Config) -> TextLoader {
    TextLoader::for_search(text(70), config).unwrap()
}

fn search(config: &Config, loader: &TextLoader) -> TextSearch {
    TextSearch::new(config, WORDS, loader.steps_per_epoch(), &Device::flex()).unwrap()
}

fn run(search: &mut TextSearch, loader: &mut TextLoader) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = block_on(search.advance(loader)).unwrap() {
        events.push(event);
    }
    events
}

fn recurrent() -> &'static Space {
    space::find("recurrent").unwrap()
}

fn net(vocabulary: usize, hidden: usize, dropout: Dropout) -> Box<dyn LanguageNet> {
    recurrent()
        .language(LanguageShape { vocabulary, hidden, dropout, last_word_rests: true })
        .unwrap()
}

fn matrix(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn rng(position: u64) -> Pcg64 {
    Streams::new(3).at(Stream::Noise, position)
}

#[test]
fn a_search_of_text_restored_after_any_event_equals_an_uninterrupted_one_bit_for_bit() {
    let mut second = config("darts");
    second.search.order = Order::Second;
    let mut sharp = config("darts-es");
    sharp.hessian.every = 1;
    for config in [config("sdarts-adv"), config("sdarts-rs"), second, sharp] {
        let mut whole = loader(&config);
        let mut uninterrupted = search(&config, &whole);
        let events = run(&mut uninterrupted, &mut whole);
        let last = block_on(uninterrupted.checkpoint()).unwrap().to_bytes().unwrap();
        for stop in 1..events.len() {
            let mut batches = loader(&config);
            let mut first = search(&config, &batches);
            let mut said = Vec::new();
            while said.len() < stop {
                said.extend(block_on(first.advance(&mut batches)).unwrap());
            }
            let saved = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
            drop(first);

            let mut second = search(&config, &batches);
            second.restore(&Checkpoint::from_bytes(&saved).unwrap()).unwrap();
            said.extend(run(&mut second, &mut batches));
            assert_eq!(said, events, "{} stopped after event {stop}", config.search.method);
            let found = block_on(second.checkpoint()).unwrap().to_bytes().unwrap();
            assert!(found == last, "{} stopped after event {stop}", config.search.method);
        }
    }
}

#[test]
fn a_checkpoint_holds_both_hidden_states_and_an_epoch_begins_without() {
    let config = config("sdarts-rs");
    let mut batches = loader(&config);
    let mut whole = search(&config, &batches);
    run(&mut whole, &mut batches);
    let saved = block_on(whole.checkpoint()).unwrap();
    for part in ["train", "valid"] {
        let state = saved.array(&format!("carry.{part}.0"), &[3, HIDDEN]).unwrap();
        assert!(state.values.iter().any(|&value| value != 0.0), "{part}");
    }
    // Without learning the second epoch is the first one, on sequences of the same length, only if it begins
    // where that did.
    let mut still = config.clone();
    still.weights.learning_rate = 0.0;
    still.weights.learning_rate_min = 0.0;
    still.alpha.learning_rate = 0.0;
    still.recurrent.bptt = 24;
    for share in [
        &mut still.recurrent.dropout,
        &mut still.recurrent.dropout_hidden,
        &mut still.recurrent.dropout_input,
        &mut still.recurrent.dropout_embedding,
        &mut still.recurrent.dropout_word,
    ] {
        *share = 0.0;
    }
    let mut batches = loader(&still);
    let events = run(&mut search(&still, &batches), &mut batches);
    let firsts: Vec<f32> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step(step) if step.step == 0 => step.valid_loss,
            _ => None,
        })
        .collect();
    assert_eq!(firsts.len(), 2);
    assert_eq!(firsts[0], firsts[1]);
}

#[test]
fn events_say_the_perplexity_of_the_losses() {
    let config = config("darts");
    let mut batches = loader(&config);
    let events = run(&mut search(&config, &batches), &mut batches);
    let epochs: Vec<&EpochFinished> = events
        .iter()
        .filter_map(|event| match event {
            Event::EpochFinished(epoch) => Some(epoch),
            _ => None,
        })
        .collect();
    assert_eq!(epochs.len(), 2);
    for epoch in &epochs {
        let perplexity = epoch.perplexity.unwrap();
        assert_eq!(perplexity.train, epoch.train_loss.exp());
        assert_eq!(perplexity.valid, epoch.valid_loss.exp());
        assert_eq!(epoch.valid_score().word(), "perplexity");
    }
    let Some(Event::Finished(finished)) = events.last() else { panic!("{:?}", events.last()) };
    assert_eq!(finished.valid_perplexity, epochs[1].perplexity.map(|it| it.valid));
    let json = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&json).unwrap(), events);
}

#[test]
fn the_network_of_the_paper_has_4_810_000_weights_and_an_alpha_of_36_by_5() {
    let network = net(10_000, 300, Dropout::default());
    assert_eq!(network.layout().weight_count(), 4_810_000);
    let shapes: Vec<[usize; 2]> = network.architecture().iter().map(|it| it.shape()).collect();
    assert_eq!(shapes, [[36, 5]]);
    let rows = &network.architecture()[0].rows;
    let ends: Vec<(usize, usize)> = rows.iter().map(|row| (row.node, row.source)).collect();
    let expected = (1..9).flat_map(|node| (0..node).map(move |source| (node, source)));
    assert!(ends.into_iter().eq(expected));
}

/// A pass over two rows of three columns in eval mode, with running means of 0 and variances that leave
/// activations as they are.
fn read(
    network: &dyn LanguageNet,
    weights: Vec<f32>,
    hidden: Tensor<2>,
    p: &[Tensor<2>],
) -> Predicted {
    let (device, layout) = (Device::flex(), network.layout());
    let count = weights.len();
    let weights = Tensor::from_data(TensorData::new(weights, [count]), &device);
    let width = layout.norm_channels();
    let statistics = [vec![0.0; width], vec![1.0 - 1e-5; width]].concat();
    let kernels = shaders::Kernels::Composed;
    let running = RunningStatistics::new(layout, kernels, matrix(statistics, [2, width]));
    let statistics = Statistics::Running(running);
    let target = GradientTarget::Nothing;
    let mut pass = Pass::new(layout, &weights, statistics, target, kernels, rng(0).into());
    let words = TensorData::new(vec![1, 4, 2, 3, 0, 5], [2, 3]);
    network.forward(Tensor::<2, Int>::from_data(words, &device), hidden, p, &mut pass)
}

#[test]
fn where_all_gates_are_0_the_next_hidden_state_is_the_one_before() {
    let network = net(WORDS, HIDDEN, Dropout::default());
    // Embeddings and hidden states are positive, and every gate is the sum of them times −1000.
    let mut ordered = Vec::new();
    for slot in network.layout().weights() {
        let columns = *slot.shape.last().unwrap();
        let gate = |index: usize| if index % columns < columns / 2 { -1000.0 } else { 0.3 };
        let count = slot.range.len();
        match slot.name.as_str() {
            "encoder.weight" => ordered.extend(vec![1.0; count]),
            "decoder.bias" => ordered.extend(vec![0.0; count]),
            _ => ordered.extend((0..count).map(gate)),
        }
    }
    let weights = network.layout().placed(&ordered);
    let hidden = matrix((1..=18).map(|value| value as f32 / 20.0).collect(), [3, HIDDEN]);
    // Every node takes the state before it, through the ReLU.
    let mut p = vec![0.0; 36 * 5];
    for node in 0..8 {
        let row = node * (node + 1) / 2 + node;
        p[row * 5 + 2] = 1.0;
    }
    let found = read(network.as_ref(), weights, hidden.clone(), &[matrix(p, [36, 5])]);
    let (found, before): (Vec<f32>, Vec<f32>) =
        (crate::devices::host(found.hidden), crate::devices::host(hidden));
    for (found, before) in found.iter().zip(&before) {
        assert!((found - before).abs() < 1e-5, "{found} {before}");
    }
}

#[test]
fn eval_mode_draws_nothing_and_train_mode_drops() {
    let config = config("darts");
    let mut batches = loader(&config);
    let search = search(&config, &batches);
    let (model, policy) = (search.job().model(), search.job().policy());
    let batch = smoothdarts::data::Batches::step(&mut batches, 0, 0).unwrap().train;
    let input = smoothdarts::task::Task::upload(
        &model.task,
        batch,
        &smoothdarts::task::Hidden::default(),
        &Device::flex(),
    );
    let loss = |eval: bool, position: u64| {
        let outcome = model.loss(search.job().point(eval), &policy.mean(), &input, rng(position));
        crate::devices::host(outcome.loss)
    };
    assert_eq!(loss(true, 1), loss(true, 2));
    assert_ne!(loss(false, 1), loss(false, 2));
    assert_eq!(loss(false, 1), loss(false, 1));
}

#[test]
fn methods_that_draw_and_spaces_of_images_are_refused_with_what_would_do() {
    for method in ["gdas", "snas", "nasp", "random-ws", "enas", "pc-darts"] {
        let config = config(method);
        let error = TextSearch::new(&config, WORDS, 1, &Device::flex()).err().unwrap().to_string();
        assert!(error.contains(method) && error.contains("sdarts-adv"), "{error}");
    }
    let mut images = config("darts");
    images.search.space = "s5".to_owned();
    let error = TextSearch::new(&images, WORDS, 1, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("images"), "{error}");
    let images = tiny::config("recurrent", "darts");
    let loader = tiny::loader(&images);
    let shape = loader.shape();
    let error = smoothdarts::run::ImageSearch::new(&images, shape, 1, &Device::flex()).err();
    let error = error.unwrap().to_string();
    assert!(error.contains("text"), "{error}");
}

#[test]
fn a_genotype_of_another_space_has_no_p_here_and_a_recurrent_one_none_there() {
    let of_images = smoothdarts::cell::codec::read("c10_s5_pgd").unwrap();
    let of_text: Genotype = recurrent().derive(&[vec![vec![0.2; 5]; 36]]);
    assert!(recurrent().one_hot(&of_images).is_err());
    assert!(space::find("s5").unwrap().one_hot(&of_text).is_err());
    let p = recurrent().one_hot(&of_text).unwrap();
    let sum: f32 = p[0].iter().flatten().sum();
    assert_eq!((p[0].len(), sum), (36, 8.0));
}

#[test]
fn a_node_takes_the_strongest_activation_over_all_states_and_never_none() {
    let mut p = vec![vec![0.9, 0.0, 0.0, 0.0, 0.1]; 36];
    p[1] = vec![0.0, 0.3, 0.2, 0.3, 0.2]; // node 2 from state 0
    p[2] = vec![0.5, 0.1, 0.3, 0.1, 0.0]; // node 2 from state 1
    p[3] = vec![0.99, 0.0, 0.0, 0.01, 0.0]; // node 3 from state 0
    p[5] = vec![0.2, 0.0, 0.4, 0.4, 0.0]; // node 3 from state 2
    let text = recurrent().encode(&recurrent().derive(&[p]));
    assert!(
        text.contains("[('identity', 0), ('tanh', 0), ('relu', 2), ('identity', 0)"),
        "first of equals: {text}"
    );
    let empty = recurrent().derive(&[]);
    assert!(empty.cells[0].nodes.is_empty());
}

#[test]
fn the_learning_rate_of_a_step_is_that_of_its_length() {
    use smoothdarts::task::Task as _;
    let config = config("darts");
    let task = smoothdarts::task::Language::new(&config);
    let mut batches = loader(&config);
    let batch = smoothdarts::data::Batches::step(&mut batches, 0, 0).unwrap().train;
    let wanted = batch.wanted;
    let input = task.upload(batch, &smoothdarts::task::Hidden::default(), &Device::flex());
    assert_eq!(task.rate(&input), wanted as f64 / 6.0);
    assert!([6, 3].contains(&wanted));
}

#[test]
fn the_number_of_threads_changes_no_bit_of_a_search_of_text() {
    let config = config("sdarts-adv");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut batches = loader(&config);
            let mut search = search(&config, &batches);
            run(&mut search, &mut batches);
            block_on(search.checkpoint()).unwrap().to_bytes().unwrap()
        })
    };
    assert!(with(1) == with(3));
}

#[test]
fn a_recurrent_cell_has_no_share_of_operations_without_weights() {
    let config = config("sdarts-rs");
    let mut batches = loader(&config);
    let events = run(&mut search(&config, &batches), &mut batches);
    let ended = events.iter().filter_map(|event| match event {
        Event::EpochFinished(epoch) => Some(epoch),
        _ => None,
    });
    assert!(ended.clone().count() > 0);
    assert!(ended.clone().all(|epoch| epoch.parameter_free.is_empty()));
}
