//! What an address of the API names: an app, and a time range.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use model::{AppName, TimeRange, Timestamp, range};
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::ApiError;

/// A time range; without it the last 24 hours. It may reach as far back as crashes are kept.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct FromTo {
    /// RFC 3339; the first moment.
    from: Option<String>,
    /// RFC 3339; the first moment after it.
    to: Option<String>,
}

impl FromTo {
    pub(in crate::http) fn range(&self, now: Timestamp) -> Result<TimeRange, ApiError> {
        let read = |name: &str, text: &Option<String>| {
            let given = text.as_deref().filter(|text| !text.is_empty());
            let parsed = given.map(str::parse::<Timestamp>).transpose();
            parsed.map_err(|error| ApiError::Refused(format!("{name}: {error}")))
        };
        let latest = TimeRange::last(now, range::LONGEST);
        let end = read("to", &self.to)?.unwrap_or(latest.end);
        let start = read("from", &self.from)?.unwrap_or(end - range::LONGEST);
        if start < end {
            Ok(TimeRange { start, end })
        } else {
            Err(ApiError::Refused(format!("from must be before to (got {start} and {end}).")))
        }
    }
}

pub(in crate::http) fn app_name(text: &str) -> Result<AppName, ApiError> {
    text.parse()
        .map_err(|error: model::names::NameError| ApiError::NotFound(format!("App not found: {error}.")))
}

/// The parameters, or an error that names those that are accepted.
pub(in crate::http) fn read_query<T: IntoParams>(
    query: Result<Query<T>, QueryRejection>,
) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| {
        let accepted: Vec<String> =
            T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        // serde has the parameter's name in its sentence only
        let text = rejection.body_text();
        let what = text.split('`').nth(1).map_or_else(
            || "Invalid query string".to_owned(),
            |name| format!("Invalid query parameter \"{name}\""),
        );
        ApiError::Refused(format!("{what}. Accepted, each at most once: {}.", accepted.join(", ")))
    })
}
