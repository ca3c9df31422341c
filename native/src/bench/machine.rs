//! What the device can do at most: the rate of multiply-adds between registers (of a CPU), of a large matrix
//! product and of a large copy.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use burn::backend::DispatchDevice;
use burn::tensor::{Device, Distribution, Tensor};
use rayon::prelude::*;

/// Sides of the square matrices that are multiplied, the smallest first.
const SIDES: [usize; 4] = [512, 1024, 2048, 4096];

/// A larger matrix is not tried if the last one took as long as this: it is large enough for its
/// device, and a software adapter would compute for minutes.
const LONG: Duration = Duration::from_millis(50);

/// Runs of which the fastest counts.
const RUNS: usize = 5;

/// Floats of a copy on the CPU: 256 MB, far more than its caches.
const CPU_COPY: usize = 1 << 26;

/// Floats of a copy on a GPU: 128 MB, the largest binding that every WebGPU device allows.
const GPU_COPY: usize = 1 << 25;

/// Peaks of a device.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// FLOP/s of multiply-adds between registers, on all threads; only of a CPU.
    pub multiply_adds: Option<f64>,
    /// FLOP/s of burn's float32 matrix product.
    pub sgemm: f64,
    /// Bytes per second of a copy, read and written ones together.
    pub copy: f64,
}

impl Machine {
    /// The most that arithmetic can reach: nothing is loaded or stored between registers. Of a GPU the
    /// product is the best that is measured.
    pub fn peak(&self) -> f64 {
        self.multiply_adds.map_or(self.sgemm, |rate| rate.max(self.sgemm))
    }

    /// Measures all, in a few seconds.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(device: &Device) -> anyhow::Result<Self> {
        let multiply_adds = (!is_gpu(device)).then(multiply_adds).transpose()?;
        Ok(Self { multiply_adds, sgemm: sgemm(device)?, copy: copy(device)? })
    }
}

fn is_gpu(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_))
}

/// On every thread of the pool at once, because cores may be slower together.
fn multiply_adds() -> anyhow::Result<f64> {
    /// About 0.1 s.
    const ROUNDS: usize = 20_000_000;
    let mut done = 0;
    let seconds = fastest(|| {
        done = rayon::broadcast(|_| shaders::multiply_adds(ROUNDS)).into_iter().sum();
        Ok(())
    })?;
    Ok(done as f64 / seconds.as_secs_f64())
}

fn sgemm(device: &Device) -> anyhow::Result<f64> {
    let mut best = 0.0_f64;
    for side in SIDES {
        let random = || Tensor::<2>::random([side; 2], Distribution::Default, device);
        let (a, b) = (random(), random());
        let product = || {
            let product = a.clone().matmul(b.clone());
            done(device, product)
        };
        let seconds = fastest(product)?;
        best = best.max(2.0 * (side as f64).powi(3) / seconds.as_secs_f64());
        if seconds > LONG {
            break;
        }
    }
    Ok(best)
}

fn copy(device: &Device) -> anyhow::Result<f64> {
    let (floats, seconds) = if is_gpu(device) {
        let x = Tensor::<1>::zeros([GPU_COPY], device);
        // The least that is no copy by reference.
        (GPU_COPY, fastest(|| done(device, x.clone().add_scalar(1.0)))?)
    } else {
        (CPU_COPY, cpu_copy()?)
    };
    Ok(2.0 * (floats * size_of::<f32>()) as f64 / seconds.as_secs_f64())
}

fn cpu_copy() -> anyhow::Result<Duration> {
    const CHUNK: usize = 1 << 18;
    let (source, mut target) = (vec![1.0_f32; CPU_COPY], vec![0.0_f32; CPU_COPY]);
    fastest(|| {
        let chunks = target.par_chunks_mut(CHUNK).zip(source.par_chunks(CHUNK));
        chunks.for_each(|(target, source)| target.copy_from_slice(source));
        Ok(())
    })
}

/// The fastest of [`RUNS`] after one that is not timed.
fn fastest(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    work()?;
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let began = Instant::now();
        work()?;
        best = best.min(began.elapsed());
    }
    Ok(best)
}

/// Waits for a result, which lives until then: what nobody holds, burn's fusion never computes.
fn done<const D: usize>(device: &Device, result: Tensor<D>) -> anyhow::Result<()> {
    sync(device)?;
    drop(result);
    Ok(())
}

/// Waits until the device has computed everything.
///
/// # Errors
/// If it failed.
pub fn sync(device: &Device) -> anyhow::Result<()> {
    device.sync().context("the device failed")
}
