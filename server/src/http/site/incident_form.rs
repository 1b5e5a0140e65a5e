//! `POST /incidents/{id}/state`: the incident page's form. It always answers with the way back to the page (303), so that a reload
//! does not send the form again; `?changed=` tells the page how it went.

use std::time::Duration;

use app::{Console, ConsoleError};
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::incident_state::IncidentDecision;
use model::{IncidentId, Timestamp};
use serde::Deserialize;

use crate::http::Asked;

/// What the form holds: which of its buttons was pressed, and the fields of all.
#[derive(Deserialize)]
pub(super) struct Fields {
    decision: String,
    #[serde(default)]
    fixed_in: String,
    #[serde(default)]
    days: String,
}

/// What a button asks for.
#[derive(Debug, PartialEq, Eq)]
enum Pressed {
    State(IncidentDecision),
    /// Crashes of which only the signal is known are to be counted with the incident.
    SignalOnly {
        joined: bool,
    },
}

impl Fields {
    fn read(self, now: Timestamp) -> Option<Pressed> {
        let decision = match self.decision.as_str() {
            "resolve" => IncidentDecision::Resolve { fixed_in: Some(self.fixed_in) },
            "ignore" => {
                let days: u16 = self.days.parse().ok()?;
                IncidentDecision::Ignore { until: now + Duration::from_hours(u64::from(days) * 24) }
            }
            "reopen" => IncidentDecision::Reopen,
            "join" => return Some(Pressed::SignalOnly { joined: true }),
            "separate" => return Some(Pressed::SignalOnly { joined: false }),
            _ => return None,
        };
        Some(Pressed::State(decision))
    }
}

/// Changes the incident's state, or what is counted with it.
pub(super) async fn submit(
    Asked(console): Asked,
    Path(id): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    let Ok(id) = id.parse::<IncidentId>() else { return StatusCode::NOT_FOUND.into_response() };
    let word = match outcome(&*console, &id, fields).await {
        Ok(Some(word)) => word,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(why) => return super::forbidden(&why),
    };
    Redirect::to(&format!("{}?changed={word}", app::address::INCIDENT.of_incident(&id))).into_response()
}

/// The word that tells the page how it went; `None` where there is no such incident, and why not where they may not.
async fn outcome(
    console: &dyn Console,
    id: &IncidentId,
    fields: Fields,
) -> Result<Option<&'static str>, String> {
    let changed = match fields.read(console.now()) {
        None => return Ok(Some("refused")),
        Some(Pressed::State(decision)) => console.change_incident(id, decision).await,
        Some(Pressed::SignalOnly { joined }) => console.join_signal_only(id, joined).await,
    };
    match changed {
        Ok(Some(_)) => Ok(Some("yes")),
        Ok(None) => Ok(None),
        Err(ConsoleError::Forbidden(why)) => Err(why),
        Err(ConsoleError::Store(_)) => Ok(Some("failed")),
        Err(_) => Ok(Some("refused")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_button_is_a_decision() {
        let now = Timestamp::from_ms(0);
        let read = |decision: &str, days: &str| {
            let fixed_in = "4.2".to_owned();
            Fields { decision: decision.to_owned(), fixed_in, days: days.to_owned() }.read(now)
        };
        let state = |decision| Some(Pressed::State(decision));
        let fixed_in = Some("4.2".to_owned());
        assert_eq!(read("resolve", ""), state(IncidentDecision::Resolve { fixed_in }));
        let until = Timestamp::from_ms(7 * 86_400_000);
        assert_eq!(read("ignore", "7"), state(IncidentDecision::Ignore { until }));
        assert_eq!(read("reopen", ""), state(IncidentDecision::Reopen));
        assert_eq!(read("join", ""), Some(Pressed::SignalOnly { joined: true }));
        assert_eq!(read("separate", ""), Some(Pressed::SignalOnly { joined: false }));
        assert_eq!(read("ignore", "many"), None);
        assert_eq!(read("delete", ""), None);
    }
}
