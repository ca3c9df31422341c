//! From a preset and the controls of the page to a config.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smoothdarts::config::layers::{LayerError, Origin, Resolver};
use smoothdarts::config::{Config, Kernels, presets};
use smoothdarts::draw::figures::{self, OnPage, on_page};
use smoothdarts::method::Extra;
use smoothdarts::{method, space};

/// What the page asks for. `settings` is a table like the file config.toml, e.g.
/// `{"search": {"space": "s2"}}`; it lies on top of the preset, and the preset on the defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// Name of a preset.
    pub preset: Option<String>,
    /// Settings on top of it.
    pub settings: Option<Value>,
}

/// Why a request makes no config.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or not a request.
    #[error("the request is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] LayerError),
    /// Plain operations are left out of the page, which is a sixth smaller for it.
    #[error("the page has no plain operations: leave out run.kernels, or run this with sdarts")]
    Composed,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`RequestError::Json`].
    pub fn from_json(text: &str) -> Result<Self, RequestError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Every setting of the search.
    ///
    /// # Errors
    /// The first name or value that is wrong, with the nearest right one.
    pub fn config(&self) -> Result<Config, RequestError> {
        let mut layers = Resolver::default();
        if let Some(name) = &self.preset {
            layers.preset(name)?;
        }
        if let Some(settings) = &self.settings {
            layers.table(settings, &Origin::Flag)?;
        }
        let config = layers.finish()?.config;
        match config.run.kernels {
            Kernels::Composed => Err(RequestError::Composed),
            Kernels::Fused => Ok(config),
        }
    }
}

/// A name that a control offers, and what it means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The name.
    pub name: &'static str,
    /// The name as people write it.
    pub title: String,
    /// What it means.
    pub help: &'static str,
}

/// A figure, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in messages.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Whether it is open at the start.
    pub open: bool,
    /// What to say while there is nothing to see.
    pub empty: &'static str,
}

/// Everything that the page offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Catalogues {
    /// Named settings.
    pub presets: Vec<Row>,
    /// Search spaces.
    pub spaces: Vec<Row>,
    /// Search methods.
    pub methods: Vec<Row>,
    /// Figures.
    pub figures: Vec<Figure>,
}

/// The catalogues of core.
pub fn catalogues() -> Catalogues {
    let row = |name, help| Row { name, title: String::from(name), help };
    let method = |it: &&method::Method| Row { title: it.title.to_owned(), ..row(it.name, it.help) };
    Catalogues {
        presets: presets::ALL
            .iter()
            .filter(|it| !it.trains()) // the page searches
            .map(|it| row(it.name, it.help))
            .collect(),
        spaces: space::ALL.iter().map(|it| row(it.name, it.help)).collect(),
        // Its form has one depth for a whole search.
        methods: method::ALL
            .iter()
            .filter(|it| it.extra != Some(Extra::Stages))
            .map(method)
            .collect(),
        figures: on_page()
            .map(|(&figures::Figure { name, title, .. }, OnPage { open, empty, .. })| Figure {
                name,
                title,
                open,
                empty,
            })
            .collect(),
    }
}

/// The name of a method as papers write it: SDARTS-RS. One that has no row of its own is a row with
/// the perturbation that its end names.
pub fn title(name: &str) -> String {
    let row = method::ALL.iter().find(|row| row.name == name);
    row.map_or_else(|| name.to_uppercase(), |row| row.title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(request: &str) -> Result<Config, RequestError> {
        Request::from_json(request)?.config()
    }

    #[test]
    fn settings_lie_on_top_of_the_preset() -> Result<(), RequestError> {
        let found = config(r#"{"preset": "quick", "settings": {"search": {"space": "s2"}}}"#)?;
        assert_eq!((found.search.space.as_str(), found.search.channels), ("s2", 4));
        Ok(())
    }

    #[test]
    fn an_empty_request_is_the_default_config() -> Result<(), RequestError> {
        assert_eq!(config("{}")?, Config::default());
        Ok(())
    }

    #[test]
    fn a_misspelt_setting_is_refused_with_the_nearest_name() {
        let error = config(r#"{"settings": {"search": {"chanels": 8}}}"#);
        let error = error.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(error.contains("search.channels"), "{error}");
    }

    #[test]
    fn plain_operations_are_refused_with_who_has_them() {
        let error = config(r#"{"settings": {"run": {"kernels": "composed"}}}"#);
        let error = error.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(error.contains("run.kernels") && error.contains("sdarts"), "{error}");
    }

    #[test]
    fn what_is_no_request_is_refused_as_such() {
        for text in ["{", "3", r#"{"pre": "quick"}"#] {
            assert!(matches!(config(text), Err(RequestError::Json(_))), "{text}");
        }
    }

    #[test]
    fn the_page_offers_every_method_and_its_figures_in_their_order() {
        let found = catalogues();
        assert_eq!(found.methods.len(), method::ALL.len() - 1, "all but P-DARTS");
        assert!(found.methods.iter().any(|row| row.title == "DARTS-ES"));
        let names: Vec<&str> = found.figures.iter().map(|figure| figure.name).collect();
        assert_eq!(names[..3], ["mixture", "perturbation", "parameter-free"]);
        assert_eq!(names.len(), 10);
        assert!(found.presets.iter().any(|row| row.name == "quick"));
    }
}
