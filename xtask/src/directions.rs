//! Which crate may depend on which, and that no modules import one another in a circle. What a crate promises (no I/O, no SQL,
//! no knowledge of the server) is kept by what it cannot name, so the list is compared with what Cargo says.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use self::imports::{Imports, Modules, product_code, source_files};
use crate::workspace::root;

/// Every crate, and which of the others it depends on.
const DIRECTIONS: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("engine", &["model"]),
    ("insight", &["engine", "model"]),
    ("app_service", &["model"]),
    ("crash", &["model"]),
    ("shim", &["crash", "model"]),
    ("front_door", &["model"]),
    ("store", &["model"]),
    ("app", &["insight", "model"]),
    ("frontend", &["app"]),
    ("lab", &[]),
    ("xtask", &[]),
    ("server", &["app", "app_service", "crash", "engine", "front_door", "insight", "model", "shim", "store"]),
];

/// What the pure crates may be built from: nothing that reads a clock, waits, or reaches outside.
const PURE: [(&str, &[&str]); 4] = [
    ("model", &["chrono", "serde", "thiserror", "utoipa"]),
    ("engine", &["serde", "thiserror"]),
    ("insight", &["serde", "utoipa"]),
    ("app_service", &["roxmltree", "serde", "serde_json", "thiserror", "utoipa"]),
];

/// Crate → what it depends on when it is not tested.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let output = metadata.output().expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let texts = |value: &Value| value.as_str().expect("a name").to_owned();
    let of = |package: &Value| {
        let listed = package["dependencies"].as_array().expect("a list");
        let built = listed.iter().filter(|dependency| dependency["kind"].is_null());
        (texts(&package["name"]), built.map(|dependency| texts(&dependency["name"])).collect())
    };
    metadata["packages"].as_array().expect("a list").iter().map(of).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn crates_depend_on_one_another_in_one_direction() {
    let all = dependencies();
    let members: BTreeSet<String> = all.keys().cloned().collect();
    assert_eq!(members, DIRECTIONS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, expected) in DIRECTIONS {
        let found: BTreeSet<String> = all[name].intersection(&members).cloned().collect();
        assert_eq!(found, set(expected), "what {name} depends on");
    }
}

#[test]
fn pure_crates_are_built_from_nothing_that_reaches_outside() {
    let all = dependencies();
    let members: BTreeSet<String> = all.keys().cloned().collect();
    for (name, allowed) in PURE {
        let outside: BTreeSet<String> = all[name].difference(&members).cloned().collect();
        assert!(
            outside.is_subset(&set(allowed)),
            "{name} depends on {outside:?}, of which only {allowed:?} may be"
        );
    }
}

/// Every crate's source files.
fn sources() -> Vec<PathBuf> {
    let crates =
        fs::read_dir(root().join("crates")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let others = ["app", "frontend", "server", "xtask"].map(|name| root().join(name));
    crates.chain(others).map(|folder| folder.join("src")).collect()
}

/// The first-level modules of the reverse proxy, and which of the others each may import.
const LAYERS: [(&str, &[&str]); 5] = [
    ("settings", &[]),
    ("accounting", &["settings"]),
    ("exchange", &["accounting", "settings"]),
    ("transport", &["accounting", "exchange", "settings"]),
    ("door", &["accounting", "exchange", "settings", "transport"]),
];

/// A way from `from` back to itself.
fn circle(imports: &Imports, from: &str, way: &mut Vec<String>) -> bool {
    let at = way.last().cloned().unwrap_or_else(|| from.to_owned());
    for next in imports.get(&at).into_iter().flatten().filter(|next| **next != at) {
        if next == from {
            return true;
        }
        if imports.contains_key(next) && !way.contains(next) {
            way.push(next.clone());
            if circle(imports, from, way) {
                return true;
            }
            way.pop();
        }
    }
    false
}

#[test]
fn modules_import_one_another_in_one_direction() {
    let mut seen = 0;
    for source in sources() {
        let modules = Modules::read(&source);
        for parent in modules.parents() {
            let imports = modules.below(parent);
            seen += imports.len();
            for module in imports.keys() {
                let mut way = Vec::new();
                assert!(
                    !circle(&imports, module, &mut way),
                    "{}, {}: {module} → {} → {module}",
                    source.display(),
                    parent.join("::"),
                    way.join(" → ")
                );
            }
        }
    }
    assert!(seen > 100, "{seen} modules were looked at");
}

#[test]
fn the_reverse_proxys_layers_import_those_below_them() {
    let imports = Modules::read(&root().join("crates/front_door/src")).below(&[]);
    assert_eq!(imports.keys().cloned().collect::<BTreeSet<_>>(), set(&LAYERS.map(|(layer, _)| layer)));
    for (layer, allowed) in LAYERS {
        let others = &imports[layer];
        assert!(
            others.is_subset(&set(allowed)),
            "{layer} imports {others:?}, of which only {allowed:?} may be"
        );
    }
}

#[test]
fn a_circle_is_found() {
    let of = |pairs: &[(&str, &[&str])]| {
        pairs.iter().map(|(name, list)| ((*name).to_owned(), set(list))).collect()
    };
    assert!(circle(&of(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]), "a", &mut Vec::new()));
    assert!(!circle(&of(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]), "a", &mut Vec::new()));
}

/// What App Service calls its variables, its settings and the rules.
const APP_SERVICES_NAMES: [&str; 3] = ["WEBSITE", "autoHealEnabled", "autoHealRules"];

#[test]
fn app_services_names_stand_in_its_crate() {
    let may = ["crates/app_service/src", "crates/lab/src", "xtask/src"].map(|source| root().join(source));
    for source in sources().into_iter().filter(|source| !may.contains(source)) {
        for file in source_files(&source) {
            let code = product_code(&file);
            for name in APP_SERVICES_NAMES {
                let line = code.lines().find(|line| line.contains(name));
                assert_eq!(line, None, "{}: {name}", file.display());
            }
        }
    }
}
