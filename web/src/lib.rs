//! SmoothDARTS in the browser: what a page calls. So far it describes a search; it does not run
//! one yet.

use serde::Serialize;
use burn::tensor::Device;
use smoothdarts::config::Config;
use smoothdarts::data::ImageShape;
use smoothdarts::event::Architecture;
use smoothdarts::search::{Search, SearchError};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// What a search would search.
#[derive(Serialize)]
struct Description {
    parameters: usize,
    architecture: Vec<Architecture>,
}

/// The supernet of a config (JSON, missing settings take their defaults) on images of `channels`
/// channels and `size`×`size` pixels with `classes` classes, as JSON: the number of its weights and
/// the candidates of every edge.
///
/// # Errors
/// What is wrong with the config or the image size.
#[wasm_bindgen]
pub fn describe(
    config: &str,
    channels: usize,
    size: usize,
    classes: usize,
) -> Result<String, JsError> {
    let config: Config = serde_json::from_str(config)?;
    let shape = ImageShape { channels, size, classes };
    Ok(serde_json::to_string(&description(&config, shape)?)?)
}

fn description(config: &Config, shape: ImageShape) -> Result<Description, SearchError> {
    let started = Search::new(config, shape, 1, &Device::flex())?.started();
    Ok(Description { parameters: started.parameters, architecture: started.architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_config_describes_the_supernet_of_the_paper() {
        let text = describe("{}", 3, 32, 10).ok().expect("the default config is valid");
        let description: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(description["parameters"], 1_930_618);
        assert_eq!(description["architecture"][0]["edges"].as_array().map(Vec::len), Some(14));
    }
}
