//! The devices that this machine has, for tests that must hold on every one of them.

use burn::tensor::{Device, DeviceKind};

/// The CPU, and wgpu where an adapter is found. Where there is none the tests say what they left
/// out; with `SDARTS_REQUIRE_WGPU` set (as in CI) they fail instead.
pub fn all() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("cpu", Device::flex())];
    devices.extend(wgpu().map(|device| ("wgpu", device)));
    devices
}

/// The wgpu device, software adapters included.
pub fn wgpu() -> Option<Device> {
    if native::device::adapters().is_empty() {
        assert!(
            std::env::var_os("SDARTS_REQUIRE_WGPU").is_none(),
            "no wgpu adapter was found; install a Vulkan driver (Debian: mesa-vulkan-drivers)"
        );
        println!("no wgpu adapter was found: the wgpu part of this test was left out");
        return None;
    }
    Some(Device::wgpu(DeviceKind::DefaultDevice))
}
