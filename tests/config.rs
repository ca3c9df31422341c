//! The layers of a config and the file config.toml.

use serde_json::{Value, json};
use smoothdarts::cell::codec::darts;
use smoothdarts::cell::published;
use smoothdarts::config::layers::{
    LayerError, Origin, Resolved, Resolver, differences, sections, settings,
};
use smoothdarts::config::{Config, Mode, Projection, SETTINGS, presets};
use smoothdarts::{data, method, ops, space};

fn file() -> Origin {
    Origin::File("search.toml".to_owned())
}

fn resolve(layers: &[(&str, &str, &Origin)]) -> Result<Resolved, LayerError> {
    let mut resolver = Resolver::default();
    for (key, value, origin) in layers {
        resolver.texts([(*key, *value)], origin)?;
    }
    resolver.finish()
}

fn from_toml(text: &str) -> Resolved {
    let table: Value = toml::from_str(text).expect("valid TOML");
    let mut resolver = Resolver::default();
    resolver.table(&table, &file()).expect("a config");
    resolver.finish().expect("values in range")
}

#[test]
fn without_layers_there_are_the_defaults() {
    let resolved = resolve(&[]).unwrap();
    assert_eq!(resolved.config, Config::default());
    assert!(resolved.origins.values().all(|origin| *origin == Origin::Default));
}

#[test]
fn every_setting_is_in_the_catalogue_and_every_row_has_a_value() {
    let config = serde_json::to_value(Config::default()).unwrap();
    let mut fields = Vec::new();
    for (name, value) in config.as_object().unwrap() {
        match value {
            Value::Object(section) => {
                fields.extend(section.keys().map(|key| format!("{name}.{key}")))
            }
            _ => fields.push(name.clone()),
        }
    }
    let mut rows: Vec<String> = settings().map(|setting| setting.name()).collect();
    fields.sort();
    rows.sort();
    assert_eq!(rows, fields);
    assert!(settings().all(|setting| !setting.help.trim().is_empty()));
    assert_eq!(sections().count(), SETTINGS.len() - 1);
}

#[test]
fn a_later_layer_wins_also_with_the_value_of_the_default() {
    let default = Config::default().search.epochs.to_string();
    let resolved =
        resolve(&[("search.epochs", "7", &file()), ("search.epochs", &default, &Origin::Flag)])
            .unwrap();
    assert_eq!(resolved.config.search.epochs, Config::default().search.epochs);
    assert_eq!(resolved.origins["search.epochs"], Origin::Flag);
}

#[test]
fn every_value_remembers_its_layer() {
    let mut resolver = Resolver::default();
    resolver.preset("quick").unwrap();
    resolver.table(&json!({ "search": { "cells": 5 }, "mode": "paper" }), &file()).unwrap();
    resolver.texts([("seed", "9")], &Origin::Flag).unwrap();
    let Resolved { config, origins } = resolver.finish().unwrap();
    assert_eq!((config.search.cells, config.seed, config.mode), (5, 9, Mode::Paper));
    assert_eq!(origins["search.channels"], Origin::Preset("quick".to_owned()));
    assert_eq!(origins["search.cells"], file());
    assert_eq!(origins["quirks.projection"], Origin::Mode(Mode::Paper));
    assert_eq!(origins["seed"], Origin::Flag);
    assert_eq!(origins["weights.momentum"], Origin::Default);
}

#[test]
fn a_mode_beats_the_layers_below_and_yields_to_its_own() {
    let mut resolver = Resolver::default();
    resolver.table(&json!({ "quirks": { "projection": "row-clip" } }), &file()).unwrap();
    let mut own = resolver.clone();
    resolver.texts([("mode", "paper")], &Origin::Flag).unwrap();
    assert_eq!(resolver.finish().unwrap().config.quirks.projection, Projection::Exact);

    // Whichever stands first in the layer.
    let flags = [("quirks.projection", "row-clip"), ("mode", "paper")];
    own.texts(flags, &Origin::Flag).unwrap();
    let config = own.finish().unwrap().config;
    assert_eq!(config.quirks.projection, Projection::RowClip);
    assert!(config.quirks.epsilon_reaches_max);
}

#[test]
fn an_unknown_setting_is_refused_with_its_layer_and_the_nearest_names() {
    let near = |key: &str| {
        let error = resolve(&[(key, "1", &Origin::Flag)]).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        match error {
            LayerError::UnknownSetting { nearest, origin: Origin::Flag, .. } => nearest,
            other => panic!("{other}"),
        }
    };
    assert_eq!(near("search.epohcs")[0], "search.epochs");
    assert_eq!(near("epochs"), ["search.epochs", "train.epochs", "select.epochs"]);
    assert!(near("q").is_empty());

    let mut resolver = Resolver::default();
    let error = resolver.table(&json!({ "wieghts": { "momentum": 0 } }), &file()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("search.toml") && message.contains("did you mean weights"),
        "{message}"
    );
}

#[test]
fn a_wrong_value_is_refused_with_what_is_allowed() {
    let message = |key, value| resolve(&[(key, value, &file())]).unwrap_err().to_string();
    let choice = message("search.order", "third");
    for part in ["search.toml", "search.order", "third", "first", "second"] {
        assert!(choice.contains(part), "{choice}");
    }
    assert!(message("search.epochs", "2.5").contains("search.epochs = 2.5"));
    assert!(message("search.epochs", "-1").contains("search.epochs = -1"));
    let range = message("search.epochs", "0");
    assert!(range.contains("search.toml") && range.contains("at least 1"), "{range}");
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let config = resolve(&[("data.dir", "2020", &Origin::Flag)]).unwrap().config;
    assert_eq!(config.data.dir, "2020");
}

#[test]
fn an_unknown_preset_is_refused_with_the_nearest() {
    let error = Resolver::default().preset("quikc").unwrap_err().to_string();
    assert!(error.contains("did you mean quick"), "{error}");
}

#[test]
fn every_preset_resolves_and_names_what_exists() {
    for preset in presets::ALL {
        let mut resolver = Resolver::default();
        resolver.preset(preset.name).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let config =
            resolver.finish().unwrap_or_else(|error| panic!("{}: {error}", preset.name)).config;
        assert!(space::find(&config.search.space).is_ok(), "{}", preset.name);
        assert!(method::find(&config.search.method).is_ok(), "{}", preset.name);
        let name = config.data.name.as_str();
        let known = data::find(name).is_ok()
            || data::corpus::find_text(name).is_some()
            || name == native::datasets::IMAGENET;
        assert!(known, "{}", preset.name);
        let names = presets::ALL.iter().filter(|other| other.name == preset.name);
        assert_eq!(names.count(), 1, "{} stands there twice", preset.name);
    }
}

#[test]
fn config_toml_gives_the_same_config_back() {
    for preset in presets::ALL {
        let mut resolver = Resolver::default();
        resolver.preset(preset.name).unwrap();
        let flags =
            [("mode", "paper"), ("data.dir", "/a \"b\"\\c"), ("weights.weight_decay", "3e-7")];
        resolver.texts(flags, &Origin::Flag).unwrap();
        let resolved = resolver.finish().unwrap();
        let text = native::settings::to_toml(&resolved).unwrap();
        assert_eq!(from_toml(&text).config, resolved.config, "{}", preset.name);
    }
}

#[test]
fn config_toml_says_what_a_setting_means_and_where_its_value_comes_from() {
    let resolved = resolve(&[("search.epochs", "7", &Origin::Flag)]).unwrap();
    let text = native::settings::to_toml(&resolved).unwrap();
    assert!(text.contains("\nepochs = 7  # flag; the default is 50\n"), "{text}");
    for setting in settings() {
        assert!(text.contains(setting.help.trim()), "{} is not explained", setting.name());
    }
}

#[test]
fn only_settings_that_change_a_result_make_configs_different() {
    let flags = [("run.threads", "3", &Origin::Flag), ("search.cells", "3", &Origin::Flag)];
    let other = resolve(&flags).unwrap().config;
    let found = differences(&Config::default(), &other);
    let names: Vec<String> = found.iter().map(|(setting, ..)| setting.name()).collect();
    assert_eq!(names, ["search.cells"]);
    assert_eq!((&found[0].1, &found[0].2), (&json!(8), &json!(3)));
}

#[test]
fn every_published_genotype_is_whole_and_uses_known_operations() {
    for published in published::ALL {
        let genotype = published.genotype();
        let [normal, reduce] = &genotype.cells[..] else { panic!("{}", published.name) };
        assert_eq!((normal.edges().count(), reduce.edges().count()), (8, 8), "{}", published.name);
        genotype.validate().unwrap_or_else(|error| panic!("{}: {error}", published.name));
        for operation in normal.operations().chain(reduce.operations()) {
            assert!(ops::find(operation).is_some(), "{}: {operation}", published.name);
        }
    }
}

#[test]
fn published_genotypes_are_those_of_the_papers() {
    let find = |name: &str| {
        let row = published::ALL.iter().find(|row| row.name == name).unwrap();
        darts::to_python(&row.genotype()).unwrap()
    };
    assert_eq!(
        find("DARTS_V2"),
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), \
         ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), \
         ('dil_conv_3x3', 2)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), \
         ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), \
         ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], \
         reduce_concat=range(2, 6))"
    );
}
