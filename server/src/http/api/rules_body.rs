//! Reading the user's rules from a request's body: ARM's properties, their envelope, or a web.config. What is wrong is told with
//! the path of its field; nothing is taken over in part.

use app_service::arm::{ENABLED, RULES};
use app_service::web_config::{Translated, WebConfigError};
use app_service::{arm, web_config};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::config::Violation;
use model::violation::Accepted;
use serde_json::Value;

use super::ApiError;

/// Are these to be all of an app's rules?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// Yes: what is left out is removed, so it must be said.
    Yes,
    /// No: nothing is saved.
    No,
}

enum Kind {
    Json,
    Xml,
}

/// The rules in a body, and what did not come across.
pub(super) fn read(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    whole: Whole,
) -> Result<Translated<AutoHealConfig>, ApiError> {
    let kind = kind(headers)?;
    let body =
        body.map_err(|_| ApiError::Refused("Cannot read the body. It must be at most 64 KiB.".to_owned()))?;
    match kind {
        Kind::Json => json(&body, whole).map(|rules| Translated { rules, notes: Vec::new() }),
        Kind::Xml => xml(&body),
    }
}

fn kind(headers: &HeaderMap) -> Result<Kind, ApiError> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "text/json" => Ok(Kind::Json),
        "application/xml" | "text/xml" => Ok(Kind::Xml),
        other if other.ends_with("+json") => Ok(Kind::Json),
        _ => Err(ApiError::Refused(
            "Unsupported Content-Type. Use application/json, or application/xml for a web.config.".to_owned(),
        )),
    }
}

fn xml(body: &[u8]) -> Result<Translated<AutoHealConfig>, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::Refused("The body is not UTF-8. Save the file as UTF-8.".to_owned()))?;
    web_config::import(text).map_err(|error| match error {
        WebConfigError::Values(values) => ApiError::Invalid(values),
        other => ApiError::Refused(other.to_string()),
    })
}

fn json(body: &[u8], whole: Whole) -> Result<AutoHealConfig, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::Refused(format!("Invalid JSON at line {line}, column {column}."))
    })?;
    let properties = arm::properties(value).map_err(|wrong| ApiError::Invalid(vec![wrong]))?;
    let missing: Vec<Violation> = [ENABLED, RULES]
        .into_iter()
        .filter(|name| !properties.contains_key(*name))
        .filter(|name| whole == Whole::Yes || *name == RULES)
        .map(|name| Violation::missing(name, accepted(name)))
        .collect();
    if !missing.is_empty() {
        return Err(ApiError::Invalid(missing));
    }
    let lists = arm::lists_for_objects(&properties);
    if !lists.is_empty() {
        return Err(ApiError::Invalid(lists));
    }
    let value = Value::Object(properties);
    let mut track = serde_path_to_error::Track::new();
    let read = { arm::read(serde_path_to_error::Deserializer::new(value, &mut track)) };
    match read {
        Ok(Ok(rules)) => Ok(rules),
        Ok(Err(violations)) => Err(ApiError::Invalid(violations)),
        Err(error) => Err(ApiError::Invalid(vec![said(track.path().to_string(), &error.to_string())])),
    }
}

fn accepted(name: &str) -> Accepted {
    if name == ENABLED { Accepted::Boolean } else { Accepted::RulesOrNull }
}

/// What serde says, without the names of our types: what it got, and what is taken.
fn said(field: String, error: &str) -> Violation {
    if let Some((found, expected)) =
        error.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        let expected = match expected {
            text if text.starts_with("struct ") => Accepted::Object,
            "a sequence" => Accepted::List,
            "a boolean" => Accepted::Boolean,
            other => Accepted::Listed(other.to_owned()),
        };
        return Violation::new(field, found, expected);
    }
    let known = error.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", "));
    match known {
        Some((name, known)) => {
            Violation::new(field, name, Accepted::Listed(known.replacen("expected ", "", 1)))
        }
        None => Violation::missing(field, Accepted::Listed(error.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str, whole: Whole) -> Vec<(String, String)> {
        match json(body.as_bytes(), whole) {
            Err(ApiError::Invalid(violations)) => violations
                .into_iter()
                .map(|violation| (violation.field.clone(), insight::violation::message(&violation)))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn another_shape_is_told_with_its_field() {
        let cases = [
            ("[]", "body", "Must be an object with autoHealEnabled and autoHealRules"),
            (r#"{"properties":7}"#, "properties", "Must be an object"),
            (
                r#"{"autoHealEnabled":true}"#,
                "autoHealRules",
                "Must be an object with all rules, or null for none",
            ),
            (r#"{"autoHealRules":null}"#, "autoHealEnabled", "Must be true or false"),
            (
                r#"{"autoHealEnabled":"yes","autoHealRules":null}"#,
                "autoHealEnabled",
                "Must be true or false (got string \"yes\")",
            ),
            (
                r#"{"autoHealEnabled":true,"autoHealRules":{"triggers":5}}"#,
                "autoHealRules.triggers",
                "Must be an object (got integer `5`)",
            ),
            (
                r#"{"autoHealEnabled":true,"autoHealRules":{"actions":["Recycle",null,null]}}"#,
                "autoHealRules.actions",
                "Must be an object (got a list)",
            ),
            (
                r#"{"autoHealEnabled":true,"autoHealRules":{"triggers":{"statusCodes":[{},[5]]}}}"#,
                "autoHealRules.triggers.statusCodes[1]",
                "Must be an object (got a list)",
            ),
            (
                r#"{"autoHealEnabled":true,"autoHealRules":{"triggers":{"statusCodes":{}}}}"#,
                "autoHealRules.triggers.statusCodes",
                "Must be a list (got map)",
            ),
            (
                r#"{"autoHealEnabled":true,"autoHealRules":{"trigers":{}}}"#,
                "autoHealRules.trigers",
                "Must be `triggers` or `actions` (got `trigers`)",
            ),
        ];
        for (body, field, message) in cases {
            let told = fields(body, Whole::Yes);
            assert_eq!(told.len(), 1, "{body}: {told:?}");
            assert_eq!(told[0].0, field, "{body}");
            assert!(told[0].1.starts_with(message), "{body}: {}", told[0].1);
        }
    }

    #[test]
    fn the_envelope_and_what_stands_beside_the_rules_are_passed_over() {
        let plain = r#"{"autoHealEnabled":true,"alwaysOn":true,"autoHealRules":{"triggers":{"privateBytesInKB":200000}}}"#;
        let read = json(plain.as_bytes(), Whole::Yes).unwrap();
        assert_eq!(read.rules.triggers.private_bytes_kib, Some(200_000));
        let envelope = format!(r#"{{"id":"/subscriptions/x","name":"web","properties":{plain}}}"#);
        assert_eq!(json(envelope.as_bytes(), Whole::Yes).unwrap(), read);
        let rules_alone = r#"{"autoHealRules":{"triggers":{"privateBytesInKB":200000}}}"#;
        assert_eq!(json(rules_alone.as_bytes(), Whole::No).unwrap().rules, read.rules);
    }
}
