//! What stands around the rules in a body of `config/web`, and what in it only looks like them.

use model::Violation;
use model::violation::Accepted;
use serde_json::{Map, Value};

use super::{ENABLED, RULES};

/// The envelope's one member that is looked into.
const PROPERTIES: &str = "properties";

/// The properties, taken out of the envelope where there is one.
pub fn properties(body: Value) -> Result<Map<String, Value>, Violation> {
    let object = |value: Value, field: &str| match value {
        Value::Object(map) => Ok(map),
        _ => Err(Violation::missing(field, Accepted::ObjectWith(ENABLED, RULES))),
    };
    let mut map = object(body, "body")?;
    let is_envelope = !map.contains_key(ENABLED) && !map.contains_key(RULES);
    match map.remove(PROPERTIES) {
        Some(properties) if is_envelope => object(properties, PROPERTIES),
        _ => Ok(map),
    }
}

/// serde takes a list for an object and counts its fields off; nobody means that.
pub fn lists_for_objects(properties: &Map<String, Value>) -> Vec<Violation> {
    const OBJECTS: [&str; 6] = [
        "",
        "/triggers",
        "/triggers/requests",
        "/triggers/slowRequests",
        "/actions",
        "/actions/customAction",
    ];
    const ROWS: [&str; 3] = ["statusCodes", "statusCodesRange", "slowRequestsWithPath"];
    let Some(rules) = properties.get(RULES) else { return Vec::new() };
    let objects = OBJECTS.into_iter().map(str::to_owned);
    let rows = ROWS.into_iter().flat_map(|name| {
        let list = format!("/triggers/{name}");
        let length = rules.pointer(&list).and_then(Value::as_array).map_or(0, Vec::len);
        (0..length).map(move |index| format!("{list}/{index}"))
    });
    let is_list = |pointer: &String| rules.pointer(pointer).is_some_and(Value::is_array);
    let field = |pointer: String| {
        let names = pointer.split('/').skip(1).map(|name| {
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                format!("[{name}]")
            } else {
                format!(".{name}")
            }
        });
        names.fold(RULES.to_owned(), |field, name| field + &name)
    };
    objects
        .chain(rows)
        .filter(is_list)
        .map(|pointer| Violation::new(field(pointer), "a list", Accepted::Object))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_envelope_is_opened_only_where_the_properties_do_not_stand_beside_it() {
        let rules = json!({"triggers": {}});
        let plain = json!({RULES: rules});
        for body in [plain.clone(), json!({"properties": plain}), json!({RULES: rules, "properties": 5})] {
            assert_eq!(properties(body).unwrap()[RULES], rules);
        }
        for (body, field) in [(json!([]), "body"), (json!({"properties": 5}), "properties")] {
            assert_eq!(properties(body).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_list_in_the_place_of_an_object_is_named() {
        let found = |rules: Value| {
            let found = lists_for_objects(&properties(json!({RULES: rules})).unwrap());
            found.into_iter().map(|violation| violation.field).collect::<Vec<_>>()
        };
        assert_eq!(found(json!(["x"])), ["autoHealRules"]);
        let rows = json!({"triggers": {"statusCodes": [{}, [5]], "requests": []}, "actions": {}});
        assert_eq!(found(rows), ["autoHealRules.triggers.requests", "autoHealRules.triggers.statusCodes[1]"]);
        assert!(found(json!({"triggers": {"statusCodes": []}})).is_empty());
    }
}
