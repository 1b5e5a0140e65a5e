//! `/api/v1`: what the pages say, as JSON. One operation a file, with its errors and its description; the router and
//! `/api/v1/openapi.json` are made from the one list in [`operations`], so neither knows a route that the other does not.

mod accounts;
mod apps;
mod auto_heal_status;
mod changes;
mod crashes;
mod deploys;
mod detectors;
mod dry_run;
mod error;
mod heal_events;
mod incident_state;
mod incidents;
mod output;
mod query;
mod restart;
mod restarts;
mod resume;
mod rules;
mod rules_body;
mod session;
mod sessions;
mod settings;
mod shares;
mod signal_only;

use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::console::Consoles;
use error::ApiError;

/// How many rows one answer holds.
const ROWS_LIMIT: u32 = 1_000;

#[derive(OpenApi)]
#[openapi(info(
    title = "Medic",
    description = "What Medic's dashboard says, as JSON. Times are RFC 3339 in UTC.",
    license(name = "MIT OR Apache-2.0")
))]
struct Description;

/// Every operation.
fn operations() -> OpenApiRouter<Consoles> {
    let below = OpenApiRouter::new()
        .routes(routes!(apps::apps))
        .routes(routes!(apps::app_status))
        .routes(routes!(crashes::crashes))
        .routes(routes!(detectors::detectors))
        .routes(routes!(detectors::report))
        .routes(routes!(settings::settings, settings::save_settings))
        .routes(routes!(incidents::incidents))
        .routes(routes!(incidents::incident))
        .routes(routes!(incident_state::change_incident))
        .routes(routes!(signal_only::join_signal_only))
        .routes(routes!(shares::share_incident))
        .routes(routes!(shares::share_report))
        .routes(routes!(shares::share_restart))
        .routes(routes!(shares::shares))
        .routes(routes!(shares::end_share))
        .routes(routes!(rules::auto_heal, rules::save_auto_heal))
        .routes(routes!(auto_heal_status::auto_heal_status))
        .routes(routes!(dry_run::dry_run))
        .routes(routes!(resume::resume))
        .routes(routes!(restarts::restarts))
        .routes(routes!(heal_events::heal_events))
        .routes(routes!(changes::changes))
        .routes(routes!(deploys::deploys))
        .routes(routes!(restart::restart))
        .routes(routes!(output::output))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(session::me))
        .routes(routes!(sessions::sessions, sessions::end_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(accounts::accounts, accounts::add_account))
        .routes(routes!(accounts::remove_account))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::change_role));
    OpenApiRouter::with_openapi(Description::openapi()).merge(below)
}

/// The routes, and their description.
pub(super) fn router(consoles: Consoles) -> Router {
    let (router, _document) = operations().split_for_parts();
    let refused = Router::new().fallback(|| async { ApiError::not_found("Not found") });
    // described for whoever asks: kept, the description would be half of all that Medic has in memory
    let describe = || async { Json(operations().split_for_parts().1) };
    router
        .route("/api/v1/openapi.json", axum::routing::get(describe))
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .with_state(consoles)
        .nest("/api/v1", refused)
}

#[cfg(test)]
mod tests {
    use super::operations;

    fn document() -> serde_json::Value {
        serde_json::to_value(operations().split_for_parts().1).unwrap()
    }

    #[test]
    fn every_reference_resolves() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
        }
    }

    #[test]
    fn a_parameter_is_in_the_path_if_it_stands_there_and_in_the_query_otherwise() {
        for (path, methods) in document()["paths"].as_object().unwrap() {
            assert!(path.starts_with("/api/v1/"), "{path}");
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
