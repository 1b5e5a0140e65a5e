//! The API's description, derived from the handlers and the types that are served.

use axum::Json;
use utoipa::OpenApi;

use super::api;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Medic",
        description = "What Medic's dashboard says, as JSON. Times are RFC 3339 in UTC.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        api::apps,
        api::app_status,
        api::crashes,
        api::incidents,
        api::incident,
        api::settings,
        api::save_settings,
        api::auto_heal::auto_heal,
        api::auto_heal::save_auto_heal,
        api::auto_heal::auto_heal_status,
        api::auto_heal::dry_run,
        api::auto_heal::rearm_fuse,
        api::auto_heal::restarts,
        api::auto_heal::heal_events,
        api::auto_heal::restart
    )
)]
struct Description;

/// `GET /api/v1/openapi.json`.
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_every_route_and_resolves_every_reference() {
        let document = serde_json::to_value(Description::openapi()).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            paths,
            [
                "/api/v1/apps",
                "/api/v1/apps/{app}",
                "/api/v1/apps/{app}/auto-heal",
                "/api/v1/apps/{app}/auto-heal/dry-run",
                "/api/v1/apps/{app}/auto-heal/fuse/rearm",
                "/api/v1/apps/{app}/auto-heal/status",
                "/api/v1/apps/{app}/crashes",
                "/api/v1/apps/{app}/heal-events",
                "/api/v1/apps/{app}/instances/{instance}/restart",
                "/api/v1/apps/{app}/restarts",
                "/api/v1/apps/{app}/settings",
                "/api/v1/incidents",
                "/api/v1/incidents/{id}"
            ]
        );
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
        }
    }

    #[test]
    fn a_parameter_is_in_the_path_if_it_stands_there_and_in_the_query_otherwise() {
        let document = serde_json::to_value(Description::openapi()).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().values() {
                let parameters = method["parameters"].as_array().into_iter().flatten();
                for parameter in parameters {
                    let name = parameter["name"].as_str().unwrap();
                    let stands = path.contains(&format!("{{{name}}}"));
                    assert_eq!(parameter["in"], if stands { "path" } else { "query" }, "{path} {name}");
                }
            }
        }
    }
}
