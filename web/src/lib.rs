//! SmoothDARTS in the browser: what a page calls. So far it describes a search; it does not run
//! one yet.

use burn::tensor::Device;
use serde::Serialize;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{LayerError, Origin, Resolver};
use smoothdarts::data::ImageShape;
use smoothdarts::event::Architecture;
use smoothdarts::search::{Search, SearchError};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// What a search would search.
#[derive(Debug, Serialize)]
struct Description {
    config: Config,
    parameters: usize,
    architecture: Vec<Architecture>,
}

/// Why there is nothing to describe.
#[derive(Debug, thiserror::Error)]
enum DescribeError {
    #[error("the settings are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Settings(#[from] LayerError),
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// The supernet that a search would train, as JSON: `config` with every setting, `parameters`, the
/// number of its weights, and `architecture` with the candidates of every edge.
///
/// `settings` is a JSON object like the file config.toml, e.g. `{"search": {"space": "s2"}}`; it
/// lies on top of the preset, and the preset on top of the defaults. The images have `channels`
/// channels, `size`×`size` pixels and `classes` classes.
///
/// # Errors
/// The first setting or name that is wrong, or a `size` that is no multiple of 4.
#[wasm_bindgen]
pub fn describe(
    preset: Option<String>,
    settings: &str,
    channels: usize,
    size: usize,
    classes: usize,
) -> Result<String, JsError> {
    let shape = ImageShape { channels, size, classes };
    let description = description(preset.as_deref(), settings, shape)?;
    Ok(serde_json::to_string(&description)?)
}

fn description(
    preset: Option<&str>,
    settings: &str,
    shape: ImageShape,
) -> Result<Description, DescribeError> {
    let mut layers = Resolver::default();
    if let Some(name) = preset {
        layers.preset(name)?;
    }
    layers.table(&serde_json::from_str(settings)?, &Origin::Flag)?;
    let config = layers.finish()?.config;
    // Nothing runs, so the number of steps in an epoch does not matter.
    let started = Search::new(&config, shape, 1, &Device::flex())?.started();
    Ok(Description { config, parameters: started.parameters, architecture: started.architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const CIFAR10: ImageShape = ImageShape { channels: 3, size: 32, classes: 10 };

    fn refused(settings: &str) -> String {
        description(None, settings, CIFAR10)
            .map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn the_default_config_describes_the_supernet_of_the_paper() -> Outcome {
        let text = describe(None, "{}", 3, 32, 10).ok().ok_or("the default config is valid")?;
        let description: serde_json::Value = serde_json::from_str(&text)?;
        assert_eq!(description["parameters"], 1_930_618);
        assert_eq!(description["architecture"][0]["edges"].as_array().map(Vec::len), Some(14));
        assert_eq!(description["config"]["mode"], "faithful");
        Ok(())
    }

    #[test]
    fn settings_lie_on_top_of_the_preset() -> Outcome {
        let found = description(Some("quick"), r#"{"search": {"space": "s2"}}"#, CIFAR10)?;
        assert_eq!((found.config.search.space.as_str(), found.config.search.channels), ("s2", 4));
        assert_eq!(found.architecture[0].edges[0].operations, ["skip_connect", "sep_conv_3x3"]);
        Ok(())
    }

    #[test]
    fn a_misspelt_setting_is_refused_with_the_nearest_name() {
        let error = refused(r#"{"search": {"chanels": 8}}"#);
        assert!(error.contains("search.channels"), "{error}");
    }

    #[test]
    fn an_unknown_space_is_refused_with_all_names() {
        let error = refused(r#"{"search": {"space": "s9"}}"#);
        assert!(error.contains("darts, s5, s1"), "{error}");
    }

    #[test]
    fn settings_that_are_no_json_are_refused_as_such() {
        let error = refused("{");
        assert!(error.starts_with("the settings are not JSON"), "{error}");
    }
}
