//! The shape of the code: one direction of imports, no way to crash or print in the libraries, and
//! documents that name what there is.

use std::path::{Path, PathBuf};

/// The modules of core in the order of the tour in core/src/lib.rs.
const ORDER: [&str; 17] = [
    "config",
    "genotype",
    "event",
    "rng",
    "data",
    "nn",
    "optim",
    "ops",
    "arch",
    "net",
    "space",
    "perturb",
    "architect",
    "methods",
    "checkpoint",
    "search",
    "draw",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The lines of a file that are neither comments nor its test module, which stands last.
fn code(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| !line.contains("#[cfg(test)]"));
    lines.filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

/// The module of core that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("core/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn a_module_of_core_imports_only_modules_before_it() {
    let place = |name: &str| ORDER.iter().position(|module| *module == name);
    let mut imports = 0;
    for path in sources(&root().join("core/src")) {
        let name = module(&path);
        if name == "lib" {
            continue;
        }
        let own = place(&name).unwrap_or_else(|| panic!("{name} is not in the tour"));
        for line in code(&path) {
            for part in line.split("crate::").skip(1) {
                let import: String =
                    part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(other) = place(&import) else {
                    panic!("{}: crate::{import} is not in the tour", path.display());
                };
                imports += 1;
                assert!(other <= own, "{}: {name} imports {import}", path.display());
            }
        }
    }
    assert!(imports > 50, "the test reads imports");
}

#[test]
fn the_tour_names_the_modules_in_their_order() {
    let text = std::fs::read_to_string(root().join("core/src/lib.rs")).unwrap();
    let mut rest = text.as_str();
    for name in ORDER {
        let link = format!("[`{name}`]");
        let at = rest.find(&link).unwrap_or_else(|| panic!("{name} is missing or too early"));
        rest = &rest[at..];
    }
}

#[test]
fn the_libraries_neither_crash_nor_print() {
    for library in ["core/src", "shaders/src"] {
        for path in sources(&root().join(library)) {
            for line in code(&path) {
                for forbidden in
                    [".unwrap()", ".expect(", "panic!(", "todo!(", "println!(", "dbg!("]
                {
                    assert!(!line.contains(forbidden), "{}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn no_manifest_enables_compilers_that_refuse_wgsl() {
    for member in ["", "core", "shaders", "native", "web", "tests"] {
        let path = root().join(member).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let burn = |table: &toml::Table| -> Vec<String> {
            let features = table.get("burn").and_then(|burn| burn.get("features"));
            let features = features.and_then(toml::Value::as_array).cloned().unwrap_or_default();
            features.iter().map(|feature| feature.as_str().unwrap().to_owned()).collect()
        };
        let tables = [
            manifest.get("dependencies"),
            manifest.get("workspace").and_then(|workspace| workspace.get("dependencies")),
        ];
        for table in tables.into_iter().flatten().filter_map(toml::Value::as_table) {
            for feature in burn(table) {
                assert!(feature != "vulkan" && feature != "metal", "{}", path.display());
            }
        }
    }
}

#[test]
fn the_readme_names_every_preset_setting_of_a_quirk_and_exit_code() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for preset in smoothdarts::config::presets::ALL {
        assert!(readme.contains(&format!("`{}`", preset.name)), "preset {}", preset.name);
    }
    for setting in smoothdarts::config::layers::settings() {
        if setting.section == "quirks" {
            assert!(readme.contains(&format!("`{}`", setting.name())), "{}", setting.name());
        }
    }
    for row in native::exit::TABLE {
        let line = format!("| {} | {} |", row.code, row.help);
        assert!(readme.contains(&line), "the README lacks: {line}");
    }
}
