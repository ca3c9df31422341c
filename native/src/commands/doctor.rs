//! `sdarts doctor`: what the machine has, what `auto` would take, and whether it computes right.

use std::fmt::Write as _;
use std::time::Instant;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use indicatif::HumanBytes;
use serde::Serialize;
use shaders::{Bank, Kernels, Mix, Norm, PendingNorm, Pool, Term, Unit};
use smoothdarts::config;
use smoothdarts::nn::{NORM_EPS, ReadError, read};
use smoothdarts::rng::{Stream, Streams, uniform};

use crate::cli::DoctorArgs;
use crate::device::{self, Adapter, Selected};
use crate::exit::Exit;
use crate::output;

/// Largest difference from the reference, relative to its largest number, that is rounding.
const TOLERANCE: f32 = 1e-3;

#[derive(Serialize)]
struct Report {
    adapters: Vec<Adapter>,
    /// Device that `auto` takes.
    auto: config::Device,
    reason: String,
    threads: usize,
    /// Floats in the vectors of the kernels on the CPU.
    lanes: usize,
    checks: Vec<Check>,
}

/// Kernels and their gradients on a device, against plain burn operations on the CPU.
#[derive(Serialize)]
struct Check {
    device: String,
    /// Whether the kernels of this project run on it, or only plain burn operations.
    own_kernels: bool,
    /// Largest difference, relative to the largest number.
    error: f32,
    right: bool,
    seconds: f64,
}

/// Prints the report.
///
/// # Errors
/// If a device fails while it computes; exit code 4 if one computes wrongly.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let adapters = device::adapters();
    let (auto, reason) = device::choose(&adapters);
    let mut devices = vec![device::cpu()];
    if !adapters.is_empty() {
        devices.push(device::select(config::Device::Wgpu)?);
    }
    let checks = devices.iter().map(check).collect::<anyhow::Result<Vec<_>>>()?;
    let right = checks.iter().all(|check| check.right);
    let (threads, lanes) = (rayon::current_num_threads(), shaders::lanes());
    let report = Report { adapters, auto, reason, threads, lanes, checks };
    let text = if args.json { serde_json::to_string_pretty(&report)? } else { human(&report)? };
    output::line(&text)?;
    Ok(if right { Exit::Done } else { Exit::Device })
}

fn check(selected: &Selected) -> anyhow::Result<Check> {
    let reference = pollster::block_on(numbers(&Device::flex(), Kernels::Composed))?;
    let began = Instant::now();
    let found = pollster::block_on(numbers(&selected.device, Kernels::Fused))?;
    let largest =
        |numbers: &mut dyn Iterator<Item = f32>| numbers.map(f32::abs).fold(0.0, f32::max);
    let scale = largest(&mut reference.iter().copied());
    let difference = largest(&mut reference.iter().zip(&found).map(|(one, other)| one - other));
    // f32::max drops NaN, so that a device that returns nothing but NaN would pass without this.
    let finite = found.len() == reference.len() && found.iter().all(|number| number.is_finite());
    let error = if finite { difference / scale } else { f32::INFINITY };
    Ok(Check {
        device: selected.label.clone(),
        own_kernels: shaders::has_kernels(&selected.device),
        error,
        right: error <= TOLERANCE,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Loss and gradients of a small mixed edge: every kernel of a search, forward and backward.
async fn numbers(device: &Device, kernels: Kernels) -> Result<Vec<f32>, ReadError> {
    let x: Tensor<4> = leaf([4, 8, 8, 4], 0, device);
    // Of a 3×3 and of a 5×5 unit.
    let weights: Tensor<1> = leaf([4 * (9 + 4) + 4 * (25 + 4)], 1, device);
    let p: Tensor<1> = leaf([4], 3, device);

    let bank = |input: PendingNorm, relu, sources: [usize; 2]| {
        let units = [(sources[0], 3), (sources[1], 5)];
        let units = units.map(|(source, size)| Unit { source, size, dilation: 1 }).to_vec();
        let bank = Bank { units, relu, stride: 1, moments: true };
        let (mut z, moments) = bank.forward(kernels, input, weights.clone());
        let norm = |moments| Norm { moments, of_batch: true, eps: NORM_EPS, affine: None };
        z.norm = moments.map(norm);
        z
    };
    let separable = bank(bank(x.clone().into(), false, [0, 0]), true, [0, 1]);
    let pooled = shaders::pool(kernels, x.clone(), &[Pool::Max], 1);
    let terms = [(0, 0), (1, 0), (1, 1), (2, 0)].into_iter().enumerate();
    let term = |(weight, (stack, group))| Term { target: weight % 2, stack, group, weight };
    let mix = Mix { batch: 4, targets: 2, terms: terms.map(term).collect() };
    let stacks = vec![x.clone().into(), separable, pooled.into()];
    let mixed = mix.forward(kernels, None, stacks, p.clone());

    let loss = mixed.square().mean();
    let mut gradients = loss.backward();
    let mut numbers = read(loss.inner()).await?;
    numbers.extend(gradient(x, &mut gradients).await?);
    numbers.extend(gradient(weights, &mut gradients).await?);
    numbers.extend(gradient(p, &mut gradients).await?);
    Ok(numbers)
}

/// The gradient of a leaf; nothing where the device gives none, which the comparison notices.
async fn gradient<const D: usize>(
    leaf: Tensor<D>,
    gradients: &mut Gradients,
) -> Result<Vec<f32>, ReadError> {
    match leaf.grad_remove(gradients) {
        Some(gradient) => read(gradient).await,
        None => Ok(Vec::new()),
    }
}

/// The same numbers on every device.
fn leaf<const D: usize>(shape: [usize; D], position: u64, device: &Device) -> Tensor<D> {
    let mut rng = Streams::new(1).at(Stream::Weights, position);
    let values = uniform(&mut rng, shape.iter().product(), -1.0, 1.0);
    Tensor::<D>::from_data(TensorData::new(values, shape), device).autodiff().require_grad()
}

fn human(report: &Report) -> anyhow::Result<String> {
    let mut text = String::from("adapters\n");
    if report.adapters.is_empty() {
        text.push_str("  none: wgpu finds no driver of Vulkan, Metal or DX12\n");
    }
    for adapter in &report.adapters {
        writeln!(text, "  {}", adapter.label())?;
        writeln!(text, "    driver {}", adapter.driver)?;
        writeln!(
            text,
            "    buffers to {}, bindings to {}, {} storage buffers, {} invocations, {} shared",
            HumanBytes(adapter.max_buffer_bytes),
            HumanBytes(adapter.max_binding_bytes),
            adapter.max_storage_buffers,
            adapter.max_invocations,
            HumanBytes(u64::from(adapter.shared_memory_bytes)),
        )?;
    }
    let auto = serde_json::to_value(report.auto)?;
    let auto = auto.as_str().unwrap_or_default();
    writeln!(text, "\n--device auto takes {auto}: {}", report.reason)?;
    let lanes = report.lanes;
    writeln!(text, "cpu threads: {}, vectors of {lanes} floats\n\nchecks", report.threads)?;
    for check in &report.checks {
        let verdict = if check.right { "right" } else { "WRONG" };
        let kernels = if check.own_kernels { "own kernels" } else { "plain burn operations" };
        let Check { device, error, seconds, .. } = check;
        writeln!(text, "  {verdict}  {device}, {kernels}: error {error:.1e}, {seconds:.2} s")?;
    }
    Ok(text.trim_end().to_owned())
}
