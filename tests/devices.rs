//! The devices that this machine has, for tests that must hold on every one of them.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use smoothdarts::config;

/// The CPU, and wgpu where an adapter is found. Where there is none the tests say what they left
/// out; with `SDARTS_REQUIRE_WGPU` set (as in CI) they fail instead.
pub fn all() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("cpu", Device::flex())];
    devices.extend(wgpu().map(|device| ("wgpu", device)));
    devices
}

/// The wgpu device, software adapters included. One for the whole process.
pub fn wgpu() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE.get_or_init(open_wgpu).clone()
}

fn open_wgpu() -> Option<Device> {
    match native::device::select(config::Device::Wgpu) {
        Ok(selected) => Some(selected.device),
        Err(error) => {
            assert!(
                std::env::var_os("SDARTS_REQUIRE_WGPU").is_none(),
                "{error:#}; install a Vulkan driver (Debian: mesa-vulkan-drivers)"
            );
            println!("no wgpu adapter was found: the wgpu part of the tests was left out");
            None
        }
    }
}

/// The numbers of a tensor.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}
