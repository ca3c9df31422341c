//! The settings of where and how a run computes.

use serde::{Deserialize, Serialize};

use super::Setting;

choice! {
    /// What computes.
    Device {
        /// A real GPU where wgpu finds one, else the CPU.
        Auto,
        /// wgpu: Vulkan, Metal or DX12, software adapters included.
        Wgpu,
        /// The CPU.
        Cpu,
    }
}

choice! {
    /// Which implementation of the hot spots computes.
    Kernels {
        /// Plain burn operations: the reference, slow.
        Composed,
        /// The kernels of this project.
        Fused,
    }
}

choice! {
    /// Whether the passes of a search are recorded on a wgpu device and replayed.
    Replay {
        /// On a real GPU.
        Auto,
        /// On every wgpu device, software adapters included.
        On,
        /// Nowhere.
        Off,
    }
}

section! {
    /// Where and how the search runs. On the CPU only `kernels` changes the last bits of a result.
    RUN = "run", Run {
        /// Device: auto, wgpu or cpu.
        device: Device = Device::Auto,
        /// CPU threads; 0 uses all cores.
        threads: usize = 0,
        /// Kernels: fused, or composed to settle a doubt: edge by edge with plain burn operations.
        kernels: Kernels = Kernels::Fused,
        /// Record the passes of a search on a GPU and replay them, which is faster and takes up to three times the
        /// memory: auto, on or off.
        replay: Replay = Replay::Auto,
        /// Seconds between checkpoints inside an epoch; 0 writes one after every step.
        checkpoint_seconds: u64 = 20,
    }
}
