//! Which crate may depend on which. What a crate promises (no I/O, no SQL, no knowledge of the server) is kept by what it
//! cannot name, so the list is compared with what Cargo says.

use std::collections::{BTreeMap, BTreeSet};
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
    ("app_service", &["roxmltree", "serde", "serde_json", "thiserror"]),
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
