//! The shape of the code: one direction of imports, no way to crash or print in the libraries, and
//! documents that name what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The floors of core, each with its modules, in the order of the tour in core/src/lib.rs. A module
/// imports only modules that stand before it.
const FLOORS: &[(&str, &[&str])] = &[
    ("base", &["config", "rng"]),
    ("data", &["data"]),
    ("layers", &["nn", "optim", "ops"]),
    ("cells", &["cell", "event"]),
    ("networks", &["net", "space", "arrays"]),
    ("axes", &["task", "policy", "perturb"]),
    ("methods", &["method"]),
    ("measures", &["measure"]),
    ("runs", &["run"]),
    ("pictures", &["paper", "draw"]),
];

/// The modules of all floors.
fn order() -> Vec<&'static str> {
    FLOORS.iter().flat_map(|(_, modules)| modules.iter().copied()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // What is built inside of a package by itself is not ours.
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The lines of a file that are neither comments nor its test module, which must stand last: what
/// came after it would escape these tests.
fn code(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (before, tests) = text.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
    assert!(!before.contains("#[cfg(test)]"), "{}: tests in a module, last", path.display());
    assert!(!before.contains("/*"), "{}: comments with // only", path.display());
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    assert!(after.trim().is_empty(), "{}: code after tests", path.display());
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    before.lines().filter(is_code).map(str::to_owned).collect()
}

/// The module of core that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("core/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn a_module_of_core_imports_only_modules_before_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|module| *module == name);
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
fn the_readme_of_core_names_the_floors_with_their_modules() {
    let readme = std::fs::read_to_string(root().join("core/README.md")).unwrap();
    for (floor, modules) in FLOORS {
        let modules: Vec<String> = modules.iter().map(|module| format!("`{module}`")).collect();
        let row = format!("| {floor} | {} |", modules.join(", "));
        assert!(readme.contains(&row), "core/README.md lacks: {row}");
    }
}

/// Which floors the parts of a search stand on is what keeps them apart: a task knows no policy, a
/// measure no run.
#[test]
fn the_axes_of_a_search_do_not_know_each_other() {
    for (module, others) in [
        ("task", ["policy", "perturb", "space", "method"]),
        ("policy", ["task", "perturb", "space", "method"]),
        ("perturb", ["task", "policy", "space", "method"]),
    ] {
        let files = sources(&root().join("core/src")).into_iter();
        for path in files.filter(|path| self::module(path) == module) {
            for line in code(&path) {
                for other in others {
                    let import = format!("crate::{other}");
                    assert!(!line.contains(&import), "{}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn algorithm_1_stands_in_one_file_of_at_most_200_lines() {
    let path = root().join("core/src/run/search.rs");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() <= 200, "{} lines", text.lines().count());
    for part in ["fn update_alpha", "fn perturb", "fn update_weights"] {
        assert!(text.contains(part), "{part}");
    }
}

/// A file that a reader can hold in mind; a longer one says at its top why it is one.
#[test]
fn a_file_of_more_than_400_lines_says_why() {
    for member in ["core", "shaders", "native", "web", "tests"] {
        for path in sources(&root().join(member)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
            let reasoned = head.iter().any(|line| line.contains("Longer than 400 lines:"));
            let lines = text.lines().count();
            assert!(lines <= 400 || reasoned, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn no_modules_of_native_import_each_other_in_a_circle() {
    let folder = root().join("native/src");
    let mut texts = BTreeMap::new();
    for path in sources(&folder) {
        let inside = path.strip_prefix(&folder).unwrap().with_extension("");
        let name = inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("::");
        let text = std::fs::read_to_string(&path).unwrap();
        let before = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        texts.insert(name, before.lines().filter(is_code).collect::<Vec<_>>().join("\n"));
    }
    // They only name their modules.
    texts.retain(|name, _| !["lib", "main"].contains(&name.as_str()));
    let names: BTreeSet<String> = texts.keys().cloned().collect();
    let imports: BTreeMap<&str, BTreeSet<String>> =
        texts.iter().map(|(own, text)| (own.as_str(), imports(own, text, &names))).collect();
    assert!(imports["compare"].contains("report::figure"), "the test reads imports");
    for own in texts.keys() {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = vec![own];
        while let Some(module) = next.pop() {
            for import in &imports[module] {
                assert_ne!(import, own, "{own} imports {module}, which leads back to it");
                if reached.insert(import) {
                    next.push(import);
                }
            }
        }
    }
}

/// The other modules that a module names in its paths, with `use` or without.
fn imports(own: &str, text: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let parent = own.rsplit_once("::").map_or("", |(parent, _)| parent);
    let within = |base: &str, path: &str| format!("{base}::{path}").trim_matches(':').to_owned();
    let absolute = |path: &str| match path.split_once("::") {
        Some(("crate", rest)) => rest.to_owned(),
        Some(("super", rest)) => within(parent, rest),
        Some(("self", rest)) => within(own, rest),
        // Of a child, or of another crate, which then is no module of ours.
        _ => within(own, path),
    };
    let longest = |path: String| {
        let mut path = path.as_str();
        while !modules.contains(path) {
            path = path.rsplit_once("::")?.0;
        }
        (path != own).then(|| path.to_owned())
    };
    paths(text).iter().filter_map(|path| longest(absolute(path))).collect()
}

/// All paths in a text; `a::{b, c::d}` are two.
fn paths(text: &str) -> Vec<String> {
    let (mut found, mut prefixes, mut path) = (Vec::new(), Vec::new(), String::new());
    for character in text.chars() {
        match character {
            ':' | '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => path.push(character),
            // A brace that is no list of a path opens a block, whose paths begin anew.
            '{' => {
                let outer = prefixes.last().cloned().unwrap_or_default();
                let is_list = path.ends_with("::");
                prefixes.push(if is_list { format!("{outer}{path}") } else { String::new() });
                path.clear();
            }
            _ => {
                let prefix = prefixes.last().map_or("", String::as_str);
                if path.contains("::") || !prefix.is_empty() && !path.is_empty() {
                    found.push(format!("{prefix}{path}"));
                }
                path.clear();
                if character == '}' {
                    prefixes.pop();
                }
            }
        }
    }
    found
}

#[test]
fn no_path_climbs_out_of_a_module_of_core() {
    for path in sources(&root().join("core/src")) {
        let inside = path.strip_prefix(root().join("core/src")).unwrap();
        // From core/src/a/b.rs two steps up lead to the crate, where `crate::` has to stand.
        let depth = inside.components().count();
        let climb = "super::".repeat(depth);
        for line in code(&path) {
            assert!(!line.contains(&climb), "{}: {line}", path.display());
            assert!(!line.contains("smoothdarts::"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn core_touches_no_file_thread_clock_or_environment() {
    for path in sources(&root().join("core/src")) {
        for line in code(&path) {
            for module in ["fs", "thread", "time", "process", "net", "env"] {
                let forbidden = format!("std::{module}");
                assert!(!line.contains(&forbidden), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_tour_names_the_modules_in_their_order() {
    let text = std::fs::read_to_string(root().join("core/src/lib.rs")).unwrap();
    let mut rest = text.as_str();
    for name in order() {
        let link = format!("[`{name}`]");
        let at = rest.find(&link).unwrap_or_else(|| panic!("{name} is missing or too early"));
        rest = &rest[at..];
    }
}

#[test]
fn the_libraries_neither_crash_nor_print() {
    let forbidden = [
        ".unwrap()",
        ".unwrap_err()",
        ".expect(",
        ".expect_err(",
        "panic!(",
        "unreachable!(",
        "unimplemented!(",
        "todo!(",
        "print!(",
        "println!(",
        "dbg!(",
    ];
    for library in ["core/src", "shaders/src"] {
        for path in sources(&root().join(library)) {
            for line in code(&path) {
                for word in forbidden {
                    assert!(!line.contains(word), "{}: {line}", path.display());
                }
            }
        }
    }
}

/// The compiler refuses `unsafe` elsewhere: every crate forbids it, or denies it and has this one place.
#[test]
fn unsafe_code_stands_in_one_module_with_its_argument() {
    let folders = ["core/src", "shaders/src", "native/src", "web/src"];
    let all = folders.iter().flat_map(|folder| sources(&root().join(folder)));
    let (mut places, mut arguments) = (Vec::new(), 0);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks = text.matches("unsafe {").count();
        if blocks > 0 || text.contains("allow(unsafe_code)") {
            places.push((path.strip_prefix(root()).unwrap().to_owned(), blocks));
            arguments += text.matches("// SAFETY:").count();
        }
    }
    assert_eq!(places, [(PathBuf::from("core/src/nn/replay.rs"), 1)]);
    assert_eq!(arguments, 1);
}

/// Everything that a manifest enables of a crate whose name starts with `burn` or `cubecl`,
/// wherever it stands: for one target, for tests, or as a feature of the package.
fn enabled(name: &str, value: &toml::Value) -> Vec<String> {
    let ours = |name: &str| name.starts_with("burn") || name.starts_with("cubecl");
    match value {
        toml::Value::Table(table) => {
            let features = table.get("features").filter(|_| ours(name));
            let features = features.and_then(toml::Value::as_array).into_iter().flatten();
            let here = features.filter_map(toml::Value::as_str).map(str::to_owned);
            here.chain(table.iter().flat_map(|(name, value)| enabled(name, value))).collect()
        }
        toml::Value::Array(entries) => {
            let entries = entries.iter().filter_map(toml::Value::as_str);
            let pairs = entries.filter_map(|entry| entry.split_once('/'));
            pairs.filter(|(package, _)| ours(package)).map(|(_, it)| it.to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn no_manifest_enables_compilers_that_refuse_wgsl() {
    let mut all = Vec::new();
    for member in ["", "core", "shaders", "native", "web", "tests"] {
        let path = root().join(member).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let features = enabled("", &toml::Value::Table(manifest));
        for feature in &features {
            for compiler in ["vulkan", "metal", "spirv", "msl"] {
                assert!(!feature.contains(compiler), "{}: {feature}", path.display());
            }
        }
        all.extend(features);
    }
    // One of the workspace, one of a single target.
    for known in ["wgpu", "autotune"] {
        assert!(all.iter().any(|feature| feature == known), "the test reads features: {all:?}");
    }
}

#[test]
fn every_build_of_a_library_has_a_file_of_its_own() {
    // Cargo puts no hash into the name of a cdylib, nor of the rlib that is built with it: the targets of
    // tests/fuzz and `cargo run -p web` linked one another's libweb.rlib.
    for member in ["core", "shaders", "native", "web", "tests"] {
        let path = root().join(member).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let kinds = manifest.get("lib").and_then(|library| library.get("crate-type"));
        assert_eq!(kinds, None, "{}", path.display());
    }
}

#[test]
fn the_reference_names_every_preset_setting_of_a_quirk_and_exit_code() {
    let readme = std::fs::read_to_string(root().join("native/README.md")).unwrap();
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
        assert!(readme.contains(&line), "native/README.md lacks: {line}");
    }
}

#[test]
fn the_reference_names_every_variable_that_the_tests_read() {
    let readme = std::fs::read_to_string(root().join("native/README.md")).unwrap();
    let named: BTreeSet<String> = variables(&readme).collect();
    let files = sources(&root().join("tests")).into_iter();
    let mut read = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(path).unwrap();
        let calls = text.split("std::env::var").skip(1).map(|call| call.lines().next().unwrap());
        read.extend(calls.flat_map(variables));
    }
    assert!(read.contains("SDARTS_FIXTURES"), "the test reads variables: {read:?}");
    assert_eq!(named, read);
}

/// The names in a text that start like ours.
fn variables(text: &str) -> impl Iterator<Item = String> {
    text.split("SDARTS_").skip(1).map(|rest| {
        let name = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_');
        format!("SDARTS_{}", name.collect::<String>())
    })
}
