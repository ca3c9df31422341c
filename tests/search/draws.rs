//! Policies that draw: what p is, which gradient it has, what is computed, and what is derived.

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use smoothdarts::arrays::to_rows;
use smoothdarts::cell::{ChoiceKind, Rows};
use smoothdarts::config::{Config, Mode};
use smoothdarts::event::{EpochFinished, Event};
use smoothdarts::nn::{Picked, Randomness};
use smoothdarts::optim::{Moments, adam, clip, sgd};
use smoothdarts::policy::controller::{Deciding, Node, STATE, shapes, walk};
use smoothdarts::policy::gumbel::{noise, soft, straight_through, strongest, temperature};
use smoothdarts::policy::{Draw, Sample};
use smoothdarts::rng::{Stream, Streams, normal};
use smoothdarts::space;
use smoothdarts::task::ImageBatch;

use super::tiny;
use crate::command::run;
use crate::devices::host;

fn matrix(values: &[f32], rows: usize) -> Tensor<2> {
    let shape = [rows, values.len() / rows];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// Spec §14, 21: τ(0) = 10, τ(125) = 5.030120, τ(249) = 0.1 for 250 epochs.
#[test]
fn the_temperature_falls_linearly_from_the_first_epoch_to_the_last() {
    for (epoch, expected) in [(0, 10.0), (125, 5.030_120), (249, 0.1)] {
        let found = temperature((10.0, 0.1), f64::from(epoch) / 249.0);
        assert!((found - expected).abs() < 1e-6, "{epoch}: {found}");
    }
}

#[test]
fn a_hard_draw_is_one_option_and_has_the_gradient_of_the_soft_one() {
    let values = normal(&mut Pcg64::seed_from_u64(3), 12);
    let rows: Rows = values.chunks(3).map(<[f32]>::to_vec).collect();
    let noise = noise(&[[4, 3]], 2, &mut Pcg64::seed_from_u64(4)).remove(0);
    let columns = strongest(&rows, &noise);
    assert_eq!(columns.len(), 2 * 4, "two cells with a draw of their own");
    let weights = matrix(&normal(&mut Pcg64::seed_from_u64(5), 24), 8).autodiff();
    let gradient = |hard: bool| {
        let alpha = matrix(&values, 4).autodiff().require_grad();
        let p = soft(&alpha, &noise, 0.7);
        let p = if hard { straight_through(p, &columns) } else { p };
        let mut gradients = (p.clone() * weights.clone()).sum().backward();
        (host(p.inner()), host(alpha.grad_remove(&mut gradients).unwrap()))
    };
    let ((soft, expected), (hard, found)) = (gradient(false), gradient(true));
    assert_eq!(found, expected);
    for ((soft, hard), &column) in soft.chunks(3).zip(hard.chunks(3)).zip(&columns) {
        assert!((soft.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((0..3).all(|it| hard[it] == f32::from(u8::from(it == column))), "{hard:?}");
        assert!(soft.iter().all(|p| *p <= soft[column]));
    }
}

/// Of the Gumbel distribution: mean 0.5772, variance π²/6.
#[test]
fn noise_is_that_of_gumbel() {
    let noise = noise(&[[100, 100]], 2, &mut Pcg64::seed_from_u64(1)).remove(0);
    let count = noise.len() as f32;
    let mean = noise.iter().sum::<f32>() / count;
    let variance = noise.iter().map(|it| (it - mean).powi(2)).sum::<f32>() / count;
    // Three standard errors of 20,000 draws.
    assert!((mean - 0.5772).abs() < 0.028, "{mean}");
    assert!((variance - 1.6449).abs() < 0.075, "{variance}");
}

/// One step: what no cell drew keeps its initial weights, all else learns.
#[test]
fn weights_of_operations_that_no_draw_took_rest() {
    for (space, inside) in [("oneshot-1", "mixed_op._ops"), ("s5", "_ops.")] {
        let mut config = tiny::config(space, "gdas");
        (config.search.epochs, config.search.cells) = (1, 3);
        config.data.train_images = 16;
        let mut loader = tiny::loader(&config);
        let mut search = tiny::search(&config, &loader);
        let layout = search.job().model().network.layout().clone();
        let initial = layout.initial_weights(&Streams::new(config.seed));
        tiny::run(&mut search, &mut loader).unwrap();
        let last = block_on(search.checkpoint()).unwrap();
        let after = layout.placed(&last.arrays["weights"].values);
        let momentum = layout.placed(&last.arrays["momentum"].values);
        let (mut rested, mut learnt) = (0, 0);
        for slot in layout.weights() {
            let range = slot.range.clone();
            if initial[range.clone()] == after[range.clone()] {
                assert!(slot.name.contains(inside), "{} rests", slot.name);
                assert!(momentum[range].iter().all(|it| *it == 0.0), "{}", slot.name);
                rested += 1;
            } else {
                learnt += usize::from(slot.name.contains(inside));
            }
        }
        assert!(rested > learnt && learnt > 0, "{space}: {rested} rest, {learnt} learn");
    }
}

/// `sdarts test --supernet` leaves out what a genotype does not weigh.
#[test]
fn what_a_genotype_weighs_gives_the_loss_of_all_options_when_it_is_computed_alone() {
    for (space, cells) in [("s2", 2), ("s5", 2), ("nasbench201", 5), ("oneshot-1", 3)] {
        let mut config = tiny::config(space, "darts");
        config.search.cells = cells;
        let genotype = tiny::whole(&config).1.genotype().unwrap();
        let rows = space::find(space).unwrap().one_hot(&genotype).unwrap();
        let p: Vec<_> = rows.iter().map(|rows| matrix(&rows.concat(), rows.len())).collect();
        let loader = tiny::loader(&config);
        let search = tiny::search(&config, &loader);
        let (job, batches) = (search.job(), loader.step(0, 0));
        let train = ImageBatch::new(batches.train, &Device::flex());
        for eval in [true, false] {
            let loss = |picked: Option<Picked>| {
                let rng = Pcg64::seed_from_u64(0);
                let draws = Randomness { picked: picked.map(Into::into), ..rng.into() };
                let outcome = job.model().loss(job.point(eval), &p, &train, draws);
                (host(outcome.loss)[0], outcome.used.len())
            };
            let weighed = Picked::weighed(&rows);
            assert!(weighed.0.iter().any(Option::is_some), "{space}");
            let ((all, _), (alone, used)) = (loss(None), loss(Some(weighed)));
            assert!((all - alone).abs() < 1e-5 * all.abs(), "{space}: {all} {alone}");
            assert!(used < job.model().network.layout().weights().len(), "{space}");
        }
    }
}

/// Every edge of a cell of NAS-Bench-201 can be drawn as `none`.
#[test]
fn where_nothing_of_alpha_leads_to_the_loss_its_gradient_is_zero() {
    let mut config = tiny::config("nasbench201", "gdas");
    config.search.cells = 5;
    let loader = tiny::loader(&config);
    let search = tiny::search(&config, &loader);
    let (job, batches) = (search.job(), loader.step(0, 0));
    let train = ImageBatch::new(batches.train, &Device::flex());
    let gradient = |operation: usize| {
        let picked = Picked(vec![Some(vec![operation; 6])]);
        let rng = Pcg64::seed_from_u64(0);
        let draws = Randomness { picked: Some(picked.into()), ..rng.into() };
        let (p, at) = (matrix(&[0.2; 30], 6), job.point(false));
        let (gradient, outcome) =
            job.model().architecture_gradient(at, &[p], &<[_]>::to_vec, &train, draws);
        assert!(host(outcome.loss)[0].is_finite());
        gradient.into_iter().flat_map(host).collect::<Vec<f32>>()
    };
    assert_eq!(gradient(0), [0.0; 30]);
    assert!(gradient(3).iter().any(|it| *it != 0.0), "a convolution leads there");
}

#[test]
fn a_controller_draws_different_states_and_what_it_drew_has_its_probability() {
    let weights: Vec<Tensor<2>> = shapes(3, STATE)
        .iter()
        .enumerate()
        .map(|(index, [rows, columns])| {
            let values = normal(&mut Pcg64::seed_from_u64(index as u64), rows * columns);
            matrix(&values.iter().map(|it| 0.3 * it).collect::<Vec<_>>(), *rows)
        })
        .collect();
    let nodes: Vec<Node> = (2..=5).map(|state| Node { state, parents: 2 }).collect();
    for seed in 0..20 {
        let drawn = walk(&weights, &nodes, Deciding::Drawn(Pcg64::seed_from_u64(seed)));
        let drawn = block_on(drawn).unwrap();
        for (node, parents) in nodes.iter().zip(&drawn.decisions.parents) {
            assert!(parents[0] != parents[1] && parents.iter().all(|it| *it < node.state));
        }
        let given = block_on(walk(&weights, &nodes, Deciding::Given(&drawn.decisions))).unwrap();
        assert_eq!(host(given.neg_log_prob), host(drawn.neg_log_prob));
        assert_eq!(given.decisions, drawn.decisions);
    }
}

#[test]
fn what_is_ranked_best_is_derived() {
    for (space, method) in
        [("oneshot-3", "random-ws"), ("oneshot-3", "enas"), ("nasbench201", "random-ws")]
    {
        let mut config = tiny::config(space, method);
        config.search.cells = if space == "nasbench201" { 5 } else { 3 };
        let sampling = &mut config.sampling;
        (sampling.architectures, sampling.finalists, sampling.rounds) = (3, 2, 2);
        let (events, checkpoint) = tiny::whole(&config);
        let finished = events.iter().filter_map(|event| match event {
            Event::EpochFinished(epoch) => Some(epoch),
            _ => None,
        });
        let epochs: Vec<&EpochFinished> = finished.collect();
        let space = space::find(space).unwrap();
        let last = epochs[1];
        assert!(last.alpha.is_empty());
        for (choice, rows) in space.choices().iter().zip(&last.probabilities) {
            assert!(rows.iter().flatten().all(|p| [0.0, 1.0].contains(p)), "{method}");
            let ones = |row: &Vec<f32>| row.iter().sum::<f32>();
            assert!(choice.kind != ChoiceKind::Operation || rows.iter().all(|it| ones(it) == 1.0));
        }
        assert_eq!(space.derive(&last.probabilities), last.genotype);
        assert_eq!(checkpoint.genotype().unwrap(), last.genotype);
        let even = &epochs[0].probabilities[0][0];
        assert!(even.iter().all(|p| *p == even[0]), "nothing is ranked before the last epoch");
    }
}

/// p of the next w-step, and what is computed of it.
fn drawn(config: &Config) -> (Vec<Rows>, Option<Picked>) {
    let loader = tiny::loader(config);
    let search = tiny::search(config, &loader);
    let policy = search.job().policy();
    let rng = Pcg64::seed_from_u64(7);
    let mut sample = Sample { rng, progress: 0.0, picked: None, architecture: None };
    sample.picked = block_on(policy.pick(&sample)).unwrap();
    let picked = sample.picked.as_deref().cloned();
    let p = policy.relax(policy.leaves(), Draw::Step(sample));
    (block_on(to_rows(&p)).unwrap(), picked)
}

#[test]
fn in_paper_mode_gdas_takes_one_input_and_nasp_computes_the_strongest_operation_alone() {
    let is_one_hot = |rows: &Rows| {
        let one = |row: &Vec<f32>| row.iter().filter(|p| **p == 1.0).count() == 1;
        rows.iter().all(|row| one(row) && row.iter().sum::<f32>() == 1.0)
    };
    for method in ["gdas", "nasp"] {
        let mut config = tiny::config("oneshot-1", method);
        config.search.cells = 3;
        let (faithful, picked) = drawn(&config);
        assert_eq!(is_one_hot(&faithful[0]), method == "gdas", "a softmax of ones and zeros");
        assert_eq!(picked.is_some(), method == "gdas");
        assert!(!is_one_hot(&faithful[1]), "{method}: soft");
        config.set_mode(Mode::Paper);
        let (paper, picked) = drawn(&config);
        assert!(is_one_hot(&paper[0]));
        assert_eq!(is_one_hot(&paper[1]), method == "gdas", "{method}: the output");
        let picked = picked.unwrap();
        let column = |row: &Vec<f32>| row.iter().position(|p| *p == 1.0).unwrap();
        assert_eq!(picked.0[0], Some(paper[0].iter().map(column).collect()));
        tiny::whole(&config);
    }
}

/// Of GDAS at a draw, of NASP at the ones and zeros: there is curvature, and none along equal changes of a row.
#[test]
fn the_hessian_of_methods_that_draw_is_that_of_what_they_train() {
    for method in ["gdas", "nasp", "snas"] {
        let mut config = tiny::config("oneshot-1", method);
        (config.search.cells, config.search.epochs) = (3, 1);
        let mut loader = tiny::loader(&config);
        let mut search = tiny::search(&config, &loader);
        tiny::run(&mut search, &mut loader).unwrap();
        let found = block_on(search.hessian(&mut loader, true)).unwrap();
        assert_eq!(found.eigenvalues.len(), 24, "{method}");
        let largest = found.eigenvalues.iter().fold(0.0f64, |most, it| most.max(it.abs()));
        assert!(largest > 1e-9, "{method}: {largest}");
        let flat = found.eigenvalues.iter().filter(|it| it.abs() < 1e-3 * largest).count();
        assert!(flat >= 7, "{method}: a row of α each has a direction without curvature");
    }
}

/// Every method that has p, in a space whose choices are operations, inputs and outputs.
#[test]
fn a_perturbation_moves_the_p_of_every_method_that_has_one() {
    for method in ["darts-hessian", "pc-darts", "gdas", "nasp", "snas"] {
        let plain = {
            let mut config = tiny::config("oneshot-1", method);
            config.search.cells = 3;
            tiny::whole(&config).1.arrays
        };
        for suffix in ["-rs", "-adv"] {
            let mut config = tiny::config("oneshot-1", &format!("{method}{suffix}"));
            config.search.cells = 3;
            let (events, checkpoint) = tiny::whole(&config);
            assert!(checkpoint.arrays["weights"] != plain["weights"], "{method}{suffix}");
            for event in &events {
                let Event::Step(step) = event else { continue };
                assert_eq!(step.attack.is_some(), suffix == "-adv", "{method}");
                assert!(step.train_loss.is_finite() && step.valid_loss.unwrap().is_finite());
            }
        }
    }
}

#[test]
fn methods_refuse_spaces_and_measures_that_they_do_not_know() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, words) in [
        (["--space=s5", "--method=enas", "--hessian=every=0"], "oneshot-1"),
        (["--space=nasbench201", "--method=enas", "--set=search.cells=5"], "oneshot-1"),
        (["--space=s2", "--method=random-ws", "--hessian=every=0"], "nasbench201"),
        (["--space=oneshot-1", "--method=random-ws", "--hessian=every=1"], "no alpha"),
        (["--space=oneshot-1", "--method=enas-adv", "--hessian=every=0"], "no probabilities"),
        (["--space=oneshot-1", "--method=random-ws", "--perturbation=random"], "no probabilities"),
    ] {
        let all = [&["search", "--device=cpu", "--preset=quick", "--out=run"], &flags[..]].concat();
        let refused = run(folder.path(), &all);
        assert_eq!(refused.code, Some(2), "{flags:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

/// SNAS by its definition: one draw, one pass over the training batch, whose two gradients move α and the
/// weights from the same point.
#[test]
fn snas_moves_alpha_and_weights_together_at_one_draw_on_the_training_batch() {
    let mut config = tiny::config("oneshot-1", "snas");
    (config.search.epochs, config.search.cells) = (1, 3);
    config.data.train_images = 16;
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let batches = loader.step(0, 0);
    let train = ImageBatch::new(batches.train, &Device::flex());
    let (weights, alpha) = {
        let (job, rng) = (search.job(), Streams::new(config.seed).at(Stream::Policy, 1));
        let sample = Sample { rng, progress: 0.0, picked: None, architecture: None };
        let (policy, at) = (job.policy(), job.point(false));
        let relax = |alpha: &[Tensor<2>]| policy.relax(alpha, Draw::Step(sample.clone()));
        let (model, leaves) = (job.model(), policy.leaves());
        let draws = || Pcg64::seed_from_u64(0);
        let (by_alpha, _) = model.architecture_gradient(at, leaves, &relax, &train, draws());
        let (by_weight, _) = model.weight_gradient(at, &relax(leaves), &train, draws());
        let momentum = at.weights.zeros_like();
        let gradient = clip(by_weight, config.weights.clip);
        let (weights, _) = sgd(at.weights.clone(), momentum, gradient, 0.025, &config.weights);
        let zero = |it: &Tensor<2>| Moments { first: it.zeros_like(), second: it.zeros_like() };
        let alpha = leaves.iter().zip(by_alpha).map(|(alpha, gradient)| {
            host(adam(alpha.clone(), zero(alpha), gradient, 1, &config.alpha).0)
        });
        (model.network.layout().in_order(&host(weights)), alpha.collect::<Vec<_>>())
    };
    tiny::run(&mut search, &mut loader).unwrap();
    let saved = block_on(search.checkpoint()).unwrap();
    assert_eq!((saved.epoch(), config.search.batch_size), (1, 8), "one step of eight images");
    assert!(saved.arrays["weights"].values == weights);
    for (choice, expected) in space::find("oneshot-1").unwrap().choices().iter().zip(alpha) {
        assert_eq!(saved.arrays[&format!("alpha.{}", choice.name)].values, expected);
    }
}
