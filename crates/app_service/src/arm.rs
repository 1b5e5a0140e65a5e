//! The rules in the shape that App Service's `config/web` gives them (`autoHealEnabled`, `autoHealRules`).
//!
//! What is read is taken as it is meant: an action as a word in any case or as the portal's number, and zero, null or nothing
//! for a trigger that is not set. A value that is no number or no length of time is refused with the path of its field.
//! Whether the values can be used is [`AutoHealConfig::check`]'s to say, all at once; [`named`] tells of its fields as they are
//! called here.

use serde::Deserialize;
use serde::de::Deserializer;

use model::Violation;
use model::auto_heal::AutoHealConfig;

mod body;
mod raw;
mod shape;

pub use body::{lists_for_objects, properties};
pub use shape::Properties;

/// Whether the rules act.
pub const ENABLED: &str = "autoHealEnabled";
/// The rules.
pub const RULES: &str = "autoHealRules";

/// Reads the rules, or names every value that is none. The format's own error is the outer one: a shape that is another, or a
/// name that is not known.
pub fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Result<AutoHealConfig, Vec<Violation>>, D::Error> {
    raw::Config::deserialize(deserializer).map(raw::Config::judge)
}

/// A field of the rules as App Service calls it, from its path in [`AutoHealConfig`]; what is no such path stays as it is.
pub fn field(path: &str) -> String {
    if path != "enabled" && path != "rules" && !path.starts_with("rules.") {
        return path.to_owned();
    }
    path.split('.').map(name).collect::<Vec<_>>().join(".")
}

/// The same violations, of fields as App Service calls them.
pub fn named(violations: Vec<Violation>) -> Vec<Violation> {
    let renamed = |violation: Violation| Violation { field: field(&violation.field), ..violation };
    violations.into_iter().map(renamed).collect()
}

fn name(part: &str) -> String {
    match part {
        "enabled" => ENABLED.to_owned(),
        "rules" => RULES.to_owned(),
        "private_bytes_kib" => "privateBytesInKB".to_owned(),
        _ => camel_case(part),
    }
}

fn camel_case(part: &str) -> String {
    let mut words = part.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name + letters.as_str()
    })
}

#[cfg(test)]
mod tests;
