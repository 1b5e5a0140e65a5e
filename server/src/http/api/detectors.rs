//! `GET /api/v1/apps/{app}/detectors` and `…/detectors/{detector}`: what the detectors' pages say.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::detector::Detector;
use insight::detectors::{DETECTORS, detector};
use insight::report::Report;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// A detector, without its answer.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DetectorSummary {
    /// In addresses.
    id: &'static str,
    title: &'static str,
    /// In the addresses of pages.
    category: &'static str,
    /// The question that it answers.
    description: &'static str,
}

impl From<&Detector> for DetectorSummary {
    fn from(detector: &Detector) -> Self {
        Self {
            id: detector.id,
            title: detector.title,
            category: detector.category.id(),
            description: detector.description,
        }
    }
}

/// A detector and its answer.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DetectorReport {
    #[serde(flatten)]
    detector: DetectorSummary,
    #[serde(flatten)]
    report: Report,
}

/// The detectors, in the order of the pages.
#[utoipa::path(get, path = "/api/v1/apps/{app}/detectors", params(("app" = String, Path)), responses(
    (status = 200, body = Vec<DetectorSummary>), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn detectors(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<Vec<DetectorSummary>>, ApiError> {
    let app = app_name(&app)?;
    if console.snapshot().app(&app).is_none() {
        return Err(app::ConsoleError::NoSuchApp(app).into());
    }
    Ok(Json(DETECTORS.into_iter().map(DetectorSummary::from).collect()))
}

/// What one detector says. A detector that speaks of this moment says the same whatever range is asked for.
#[utoipa::path(get, path = "/api/v1/apps/{app}/detectors/{detector}",
    params(("app" = String, Path), ("detector" = String, Path), FromTo), responses(
    (status = 200, body = DetectorReport), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody, description = "The database is unavailable.")))]
pub(in crate::http) async fn report(
    Asked(console): Asked,
    Path((app, id)): Path<(String, String)>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<DetectorReport>, ApiError> {
    let app = app_name(&app)?;
    let unknown = || ApiError::NotFound("Detector not found. See the app's /detectors.".to_owned());
    let detector = detector(&id).ok_or_else(unknown)?;
    let range = read_query(query)?.range(console.now())?;
    let report = console.report(&app, detector, range).await?;
    Ok(Json(DetectorReport { detector: detector.into(), report }))
}
