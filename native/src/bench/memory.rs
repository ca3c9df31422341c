//! How much memory is in use at most.

use std::fs;

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use cubecl::MemoryScope;

/// Most memory that this process held since it started, or since [`reset`], in bytes; where the
/// system tells (Linux). Memory of a GPU is not in it.
pub fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Lets [`peak`] start again from what is held now, and returns pages of the GPU that nothing uses.
/// Where the system does not allow it (Linux: /proc/self/clear_refs), the peak stays that of the
/// whole process.
pub fn reset(device: &Device) {
    let _ = fs::write("/proc/self/clear_refs", "5");
    if let DispatchDevice::Cube(device) = device.clone().inner().as_dispatch() {
        // A failure shows in the next step, which has a way to tell of it.
        let _ = device.client().memory_cleanup();
    }
}

/// Bytes that are reserved on the GPU: pools only grow, so after a step this is what it needs at
/// most. `None` on the CPU.
pub fn on_device(device: &Device) -> Option<u64> {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => {
            Some(device.client().memory_report(MemoryScope::Device).usage().bytes_reserved)
        }
        _ => None,
    }
}
