//! Which crate may depend on which. What a crate promises (no I/O, no SQL, no knowledge of the server) is kept by what it
//! cannot name, so the list is compared with what Cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

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

/// Crates whose modules import one another in one direction only.
const WITHOUT_CIRCLES: [&str; 12] = [
    "server/src",
    "crates/model/src",
    "crates/engine/src",
    "crates/insight/src",
    "crates/app_service/src",
    "crates/crash/src",
    "crates/shim/src",
    "crates/store/src",
    "crates/front_door/src",
    "crates/front_door/src/accounting",
    "crates/front_door/src/exchange",
    "crates/front_door/src/transport",
];

/// The first-level modules of the reverse proxy, and which of the others each may import.
const LAYERS: [(&str, &[&str]); 5] = [
    ("settings", &[]),
    ("accounting", &["settings"]),
    ("exchange", &["accounting", "settings"]),
    ("transport", &["accounting", "exchange", "settings"]),
    ("door", &["accounting", "exchange", "settings", "transport"]),
];

/// Module of the folder → those that it imports of the same folder. Tests may import what they like.
fn imports(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports = BTreeMap::<String, BTreeSet<String>>::new();
    let prefixes = prefixes(source);
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(source).expect("it lies below").with_extension("");
            let top = below.iter().next().and_then(|name| name.to_str()).expect("a name").to_owned();
            let is_test = below.iter().any(|part| part == "tests");
            if is_test || ["main", "lib"].contains(&&*top) {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let imported = prefixes.iter().flat_map(|prefix| imported(code, prefix));
            imports.entry(top).or_default().extend(imported);
        }
    }
    imports
}

/// What the folder's modules call it.
fn prefixes(source: &Path) -> Vec<String> {
    match source.file_name().and_then(|name| name.to_str()) {
        Some("src") | None => vec!["crate::".to_owned()],
        Some(layer) => vec![format!("crate::{layer}::"), "super::".to_owned()],
    }
}

/// What stands behind the prefix, alone or in braces.
fn imported(code: &str, prefix: &str) -> BTreeSet<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let word =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    let of = |rest: &str| match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
        Some((list, _)) => list.split(',').map(|item| word(item.trim())).collect(),
        None => vec![word(rest)],
    };
    code.split(prefix).skip(1).flat_map(of).collect()
}

/// A way from `from` back to itself.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>, from: &str, way: &mut Vec<String>) -> bool {
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
    for source in WITHOUT_CIRCLES {
        let imports = imports(&root().join(source));
        assert!(!imports.is_empty(), "{source} has no modules");
        for module in imports.keys() {
            let mut way = Vec::new();
            assert!(
                !circle(&imports, module, &mut way),
                "{source}: {module} → {} → {module}",
                way.join(" → ")
            );
        }
    }
}

#[test]
fn the_reverse_proxys_layers_import_those_below_them() {
    let imports = imports(&root().join("crates/front_door/src"));
    assert_eq!(imports.keys().cloned().collect::<BTreeSet<_>>(), set(&LAYERS.map(|(layer, _)| layer)));
    for (layer, allowed) in LAYERS {
        let others: BTreeSet<_> = imports[layer].iter().filter(|other| **other != layer).cloned().collect();
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
    assert_eq!(
        imported("use crate::{a::B, c};\n// crate::d\ncrate::e::f();", "crate::"),
        set(&["a", "c", "e"])
    );
}
