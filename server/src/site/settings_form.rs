//! `POST /apps/{app}/settings`: the settings page's form. It always answers with the way back to the page (303), so that a
//! reload does not send the form again; `?saved=` tells the page how it went.

use std::sync::Arc;

use app::{Console, ConsoleError};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine::AppName;
use engine::settings::{AppSettings, KNOWN};

use crate::access::Principal;

/// Saves what the form holds. A setting that the form does not have stays as it is.
pub(super) async fn save(
    State(console): State<Arc<dyn Console>>,
    Path(app): Path<String>,
    _: Principal,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let Ok(app) = app.parse::<AppName>() else { return StatusCode::NOT_FOUND.into_response() };
    let outcome = match read(form, console.settings(&app).await) {
        Ok(settings) => console.save_settings(&app, settings).await,
        Err(error) => Err(error),
    };
    let word = match outcome {
        Ok(()) => "yes",
        Err(ConsoleError::NoSuchApp(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(
            ConsoleError::Refused(_)
            | ConsoleError::Forbidden(_)
            | ConsoleError::Invalid(_)
            | ConsoleError::Conflict(_),
        ) => "refused",
        Err(ConsoleError::Store(_)) => "failed",
    };
    Redirect::to(&format!("/apps/{app}/settings?saved={word}")).into_response()
}

/// The stored settings with the form's values over them; of a name that stands twice (a switch and what its absence means) the
/// last counts.
fn read(
    form: Vec<(String, String)>,
    stored: Result<AppSettings, ConsoleError>,
) -> Result<AppSettings, ConsoleError> {
    let mut settings = stored?;
    for (name, value) in form {
        if !KNOWN.contains(&name.as_str()) {
            return Err(ConsoleError::Refused(format!(
                "`{}` is no setting",
                name.chars().take(80).collect::<String>()
            )));
        }
        settings.0.insert(name, value);
    }
    settings.check().map_err(|error| ConsoleError::Refused(error.to_string()))?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::settings::{AUTO_HEAL_ENABLED, CRASH_MONITORING_ENABLED};

    fn read_form(form: &[(&str, &str)]) -> Result<AppSettings, ConsoleError> {
        let stored = AppSettings([(AUTO_HEAL_ENABLED.to_owned(), "FALSE".to_owned())].into());
        read(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), Ok(stored))
    }

    #[test]
    fn a_switch_counts_over_what_its_absence_means() {
        let on =
            read_form(&[(CRASH_MONITORING_ENABLED, "False"), (CRASH_MONITORING_ENABLED, "True")]).unwrap();
        assert!(on.is_enabled(CRASH_MONITORING_ENABLED));
        assert!(!on.is_enabled(AUTO_HEAL_ENABLED), "what the form does not have stays");
        let off = read_form(&[(CRASH_MONITORING_ENABLED, "False")]).unwrap();
        assert!(!off.is_enabled(CRASH_MONITORING_ENABLED));
    }

    #[test]
    fn nothing_is_saved_of_a_form_with_something_wrong() {
        for wrong in [("WEBSITE_X", "True"), (CRASH_MONITORING_ENABLED, "maybe")] {
            assert!(matches!(read_form(&[wrong]), Err(ConsoleError::Refused(_))), "{wrong:?}");
        }
    }
}
