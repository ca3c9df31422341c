//! Which device computes.
//!
//! This module picks the graphics API: the first of Vulkan, Metal and DX12 that has a GPU, else the
//! first that has anything. Left alone, burn-wgpu would also take OpenGL, which on a machine without
//! a GPU turns a search of seconds into hours. Of the adapters of that API burn-wgpu takes the one
//! that wgpu calls high-performance; the variable `CUBECL_WGPU_DEFAULT_DEVICE` names another, e.g.
//! `DiscreteGpu(1)` or `Cpu`. The Vulkan loader reads `VK_DRIVER_FILES`; wgpu's own `WGPU_*`
//! variables are not read.

use anyhow::{Context as _, anyhow};
use burn::tensor::Device;
use burn_wgpu::{WgpuBackend, WgpuSetup};
use cubecl::config::autotune::AutotuneLevel;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig as _};
use serde::Serialize;
use shaders::device::Variant;
use smoothdarts::config::{self, Replay};

use crate::exit::Exit;
use crate::output;

/// A device that a search can run on.
pub struct Selected {
    /// The device.
    pub device: Device,
    /// In words: `cpu (2 threads)`, or name and graphics API of an adapter.
    pub label: String,
    /// The adapter, unless the CPU computes.
    pub adapter: Option<Adapter>,
}

impl Selected {
    /// Whether passes are recorded and replayed.
    pub fn replays(&self, wanted: Replay) -> bool {
        let is_gpu = self.adapter.as_ref().is_some_and(Adapter::is_gpu);
        match wanted {
            Replay::Auto => is_gpu,
            Replay::On => self.adapter.is_some(),
            Replay::Off => false,
        }
    }

    /// Whether a device computes beside the host, so that it pays to read what a step found while the next one
    /// computes.
    pub fn reads_late(&self) -> bool {
        self.adapter.is_some()
    }
}

/// What wgpu says of an adapter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Graphics API: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// `discrete gpu`, `integrated gpu`, `virtual gpu`, `software` or `other`.
    pub kind: String,
    /// Name and version of its driver.
    pub driver: String,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Largest storage buffer binding, in bytes.
    pub max_binding_bytes: u64,
    /// Storage buffers that one kernel can have; ours need 8.
    pub max_storage_buffers: u32,
    /// Invocations in one workgroup; our kernels need 256.
    pub max_invocations: u32,
    /// Memory that one workgroup shares, in bytes.
    pub shared_memory_bytes: u32,
    /// Whether it has subgroup operations.
    pub subgroups: bool,
    /// Whether it can time kernels.
    pub timestamps: bool,
}

impl Adapter {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let features = adapter.features();
        Self {
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            backend: info.backend.to_string(),
            kind: kind(info.device_type).to_owned(),
            name: info.name,
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            shared_memory_bytes: limits.max_compute_workgroup_storage_size,
            subgroups: features.contains(wgpu::Features::SUBGROUP),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        }
    }

    /// Whether it is hardware, and so faster than the CPU.
    pub fn is_gpu(&self) -> bool {
        self.kind.ends_with("gpu")
    }

    /// Name, kind and graphics API.
    pub fn label(&self) -> String {
        format!("{} ({}, {})", self.name, self.kind, self.backend)
    }
}

/// Every adapter of this machine, software ones included, of the graphics APIs that compute well:
/// Vulkan, Metal and DX12. OpenGL would show the same hardware once more.
pub fn adapters() -> Vec<Adapter> {
    let backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    found.iter().map(Adapter::new).collect()
}

/// What `auto` means on a machine with these adapters, and why.
pub fn choose(adapters: &[Adapter]) -> (config::Device, String) {
    match adapters.iter().find(|adapter| adapter.is_gpu()) {
        Some(gpu) => (config::Device::Wgpu, format!("wgpu finds a GPU: {}", gpu.label())),
        None if adapters.is_empty() => (config::Device::Cpu, "wgpu finds no adapter".to_owned()),
        None => {
            let reason = "wgpu finds only software adapters, and the CPU itself is faster";
            (config::Device::Cpu, reason.to_owned())
        }
    }
}

/// The device that a config asks for. `auto` falls back to the CPU, with a note, where the GPU
/// refuses.
///
/// # Errors
/// Exit code 4 if `wgpu` is asked for and there is no usable adapter, 2 if a variable names kernels
/// that there are not.
pub fn select(wanted: config::Device) -> anyhow::Result<Selected> {
    if wanted == config::Device::Cpu {
        return Ok(cpu());
    }
    let adapters = adapters();
    if wanted == config::Device::Auto && choose(&adapters).0 == config::Device::Cpu {
        return Ok(cpu());
    }
    let kernels = named_wgsl()?;
    match wgpu_device(&adapters, kernels) {
        Err(error) if wanted == config::Device::Auto => {
            output::note(&format!("warning: the GPU refuses, so the CPU computes: {error:#}"));
            Ok(cpu())
        }
        selected => selected
            .context(
                "--device wgpu has no usable adapter (`sdarts doctor` shows what there is, \
                 --device cpu works everywhere)",
            )
            .context(Exit::Device),
    }
}

/// What [`Adapter::kind`] calls a card of its own.
const DISCRETE: &str = "discrete gpu";

/// Launches that a discrete GPU is sent at once. On an H200 a step of DARTS, pass by pass, takes 0.159 s by 32
/// (the default of cubecl), 0.149 s by 128 and 0.212 s by 512; replayed it takes 0.084 s by all of them. An
/// integrated GPU keeps the default: Windows ends what computes for two seconds.
const DISCRETE_TASKS: usize = 128;

/// Threads that can be asked for: more than any machine has cores for one search.
pub const MAX_THREADS: usize = 256;

/// Sets the size of the thread pool that the CPU kernels and image decoding share; 0 takes all
/// cores. The calling thread is one of them: a step is thousands of short kernels, and to wake two
/// threads for each costs more than to wake one. Only the first call has an effect, so it must come
/// before any tensor.
///
/// # Errors
/// If the threads cannot be started or there are some already.
pub fn set_threads(threads: usize) -> anyhow::Result<()> {
    if threads > MAX_THREADS {
        let fault = anyhow!(
            "run.threads = {threads} (--threads): at most {MAX_THREADS} can be started, and more \
             than the machine has cores make a search slower; 0 takes all cores"
        );
        return Err(fault.context(Exit::Usage));
    }
    let cores = std::thread::available_parallelism().map_or(threads, usize::from);
    if threads > cores {
        output::note(&format!(
            "warning: {threads} threads on {cores} cores make a search slower, and change no result"
        ));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    pool.build_global().with_context(|| format!("cannot start {threads} threads"))
}

/// The CPU.
pub fn cpu() -> Selected {
    let label = format!("cpu ({} threads)", rayon::current_num_threads());
    Selected { device: Device::flex(), label, adapter: None }
}

/// The device of the best API. Works once in a process: burn-wgpu registers what it makes.
fn wgpu_device(adapters: &[Adapter], kernels: Option<Wgsl>) -> anyhow::Result<Selected> {
    let best = adapters.iter().find(|adapter| adapter.is_gpu()).or(adapters.first());
    let best = best.context("wgpu finds no driver of Vulkan, Metal or DX12")?;
    let api = match best.backend.as_str() {
        "metal" => WgpuBackend::Metal,
        "dx12" => WgpuBackend::Dx12,
        _ => WgpuBackend::Vulkan,
    };
    let suited = if best.is_gpu() { Variant::Tiled } else { Variant::Plain };
    let Wgsl { variant, units, moments } =
        kernels.unwrap_or(Wgsl { variant: suited, units: true, moments: true });
    shaders::device::choose(variant);
    shaders::device::join(units, moments);
    if !best.is_gpu() {
        shorten_autotune();
        shaders::throttle::enable();
    }
    // Otherwise a device copies what is read when the host looks at it, behind all that it was given to do since.
    burn_std::set_runtime_kind(burn_std::RuntimeKind::Async);
    let mut options = Device::wgpu_options().graphics_api(api);
    if best.kind == DISCRETE && std::env::var_os("CUBECL_WGPU_MAX_TASKS").is_none() {
        options = options.tasks_max(DISCRETE_TASKS);
    }
    let (device, setup): (Device, WgpuSetup) = options.init_with_setup()?;
    let adapter = Adapter::new(&setup.adapter);
    Ok(Selected { device, label: adapter.label(), adapter: Some(adapter) })
}

/// Variable that names the WGSL kernels, for measuring: `plain`, `tiled`, `joined`, which are tiled ones whose moments
/// are launches of their own, or `apart`, which are those with two launches for a unit.
const WGSL: &str = "SDARTS_WGSL";

/// Which WGSL kernels run.
#[derive(Clone, Copy)]
struct Wgsl {
    variant: Variant,
    /// Whether a unit is one launch.
    units: bool,
    /// Whether its moments are found in it.
    moments: bool,
}

/// Those that the variable names.
fn named_wgsl() -> anyhow::Result<Option<Wgsl>> {
    let (variant, units, moments) = match std::env::var(WGSL).as_deref() {
        Ok("plain") => (Variant::Plain, false, false),
        Ok("tiled") => (Variant::Tiled, true, true),
        Ok("joined") => (Variant::Tiled, true, false),
        Ok("apart") => (Variant::Tiled, false, false),
        Ok(other) => {
            let problem = anyhow!("{WGSL}={other}: there are plain, tiled, joined and apart");
            return Err(problem.context(Exit::Usage));
        }
        Err(_) => return Ok(None),
    };
    Ok(Some(Wgsl { variant, units, moments }))
}

/// Lets burn try fewer variants of each kernel: on a software adapter compiling and timing them
/// took 9 of 12 minutes of a few small steps. `CUBECL_AUTOTUNE_LEVEL` and cubecl.toml come first.
fn shorten_autotune() {
    let mut settings = CubeClRuntimeConfig::from_current_dir();
    if std::env::var_os("CUBECL_AUTOTUNE_LEVEL").is_none() {
        settings.autotune.level = AutotuneLevel::Minimal;
    }
    CubeClRuntimeConfig::try_set(settings.override_from_env());
}

fn kind(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => DISCRETE,
        wgpu::DeviceType::IntegratedGpu => "integrated gpu",
        wgpu::DeviceType::VirtualGpu => "virtual gpu",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}
