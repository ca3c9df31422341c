//! What is too large for a GPU.

use burn::tensor::Device;
use shaders::device::largest_tensor;
use smoothdarts::run::{ImageSearch, RunError};

use super::tiny;
use crate::devices;

#[test]
fn a_search_with_a_tensor_that_a_gpu_cannot_bind_is_refused_before_its_network_is_made() {
    assert_eq!(largest_tensor(&Device::flex()), None);
    let Some(device) = devices::wgpu() else { return };
    let mut config = tiny::config("s5", "darts");
    let loader = tiny::loader(&config);
    // Its weights alone would take petabytes.
    config.search.channels = 1 << 24;
    let refused = ImageSearch::new(&config, loader.shape(), loader.steps_per_epoch(), &device);
    let error = refused.err().expect("no device binds so much");
    let RunError::TooLarge { bytes, limit, .. } = error else { panic!("{error}") };
    assert!(bytes > limit && Some(limit) == largest_tensor(&device), "{error}");
    let text = error.to_string();
    for word in ["search.batch_size", "search.channels", "run.device = cpu"] {
        assert!(text.contains(word), "{text}");
    }
}
