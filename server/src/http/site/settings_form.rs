//! `POST /apps/{app}/settings`: the settings page's form. It always answers with the way back to the page (303), so that a
//! reload does not send the form again; `?saved=` tells the page how it went.

use app::{ConsoleError, SettingChanges};
use app_service::settings::setting;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::AppName;

use crate::http::Asked;

/// Saves what the form holds. A setting that the form does not have stays as it is.
pub(super) async fn save(
    Asked(console): Asked,
    Path(app): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let Ok(app) = app.parse::<AppName>() else { return StatusCode::NOT_FOUND.into_response() };
    let outcome = match read(form) {
        Ok(changes) => console.change_settings(&app, changes).await,
        Err(error) => Err(error),
    };
    let word = match outcome {
        Ok(()) => "yes",
        Err(ConsoleError::NoSuchApp(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(ConsoleError::Forbidden(why)) => return super::forbidden(&why),
        Err(ConsoleError::Refused(_) | ConsoleError::Invalid(_) | ConsoleError::Conflict(_)) => "refused",
        Err(ConsoleError::Store(_) | ConsoleError::Unreadable(_)) => "failed",
    };
    Redirect::to(&format!("{}?saved={word}", app::address::SETTINGS.of_app(&app))).into_response()
}

/// What the form sets; of a name that stands twice (a switch and what its absence means) the last counts.
fn read(form: Vec<(String, String)>) -> Result<SettingChanges, ConsoleError> {
    let mut changes = SettingChanges::new();
    for (name, value) in form {
        let setting = setting(&name).map_err(|error| ConsoleError::Refused(error.to_string()))?;
        changes.insert(setting, Some(value));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app_service::settings::name;
    use model::settings::Setting;

    const NAME: &str = name(Setting::CrashMonitoring);

    fn read_form(form: &[(&str, &str)]) -> Result<SettingChanges, ConsoleError> {
        read(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_switch_counts_over_what_its_absence_means() {
        let set = |value: &str| [(Setting::CrashMonitoring, Some(value.to_owned()))].into();
        let on = [(NAME, "False"), (NAME, "True")];
        assert_eq!(read_form(&on), Ok(set("True")));
        assert_eq!(read_form(&[(NAME, "False")]), Ok(set("False")));
    }

    #[test]
    fn nothing_is_saved_of_a_form_with_something_wrong() {
        let wrong = [(NAME, "True"), ("WEBSITE_X", "True")];
        assert!(matches!(read_form(&wrong), Err(ConsoleError::Refused(_))));
    }
}
