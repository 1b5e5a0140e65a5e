//! The forms around auto-heal: the user's own rules (`POST …/tools/auto-heal`), a restart by hand, and the fuse.
//!
//! What is saved answers with the way back to the page (303), so that a reload does not send the form again. What is looked
//! through, or does not fit, answers with the page itself and everything that was typed: a draft never stands in an address.

use app::{
    AutoHealCommand, AutoHealDraft, AutoHealForm, AutoHealReply, AutoHealSubmission, Console, ConsoleError,
};
use app_service::arm::RULES;
use app_service::web_config::{Translated, WebConfigError};
use app_service::{arm, web_config};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use insight::violation;
use model::auto_heal::AutoHealConfig;
use model::{AppName, Violation};
use serde_json::Value;

use super::Site;
use crate::http::Asked;

/// What came of a form.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Done; this word tells the page.
    Back(&'static str),
    /// The page again, with what was typed.
    Again(Box<AutoHealSubmission>),
    /// There is no such app.
    NotFound,
}

/// The rules' form.
pub(super) async fn submit(
    State(site): State<Site>,
    Asked(console): Asked,
    Path(app): Path<String>,
    parts: Parts,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Ok(app) = app.parse::<AppName>() else { return StatusCode::NOT_FOUND.into_response() };
    match carry_out(&*console, &app, AutoHealForm::read(fields)).await {
        Outcome::Back(word) => {
            Redirect::to(&format!("{}?tab=custom&saved={word}", page(&app))).into_response()
        }
        Outcome::Again(submission) => {
            let status = submission.reply.status();
            site.show_again(parts, *submission, status).await
        }
        Outcome::NotFound => StatusCode::NOT_FOUND.into_response(),
    }
}

fn page(app: &AppName) -> String {
    app::address::AUTO_HEAL.of_app(app)
}

async fn carry_out(console: &dyn Console, app: &AppName, form: AutoHealForm) -> Outcome {
    let AutoHealForm { command, draft } = form;
    let again = |draft, reply| Outcome::Again(Box::new(AutoHealSubmission { draft, reply }));
    match command {
        AutoHealCommand::Review => again(draft, AutoHealReply::Reviewed),
        AutoHealCommand::AddRow(list) => again(draft, AutoHealReply::Editing(Some(list))),
        AutoHealCommand::RemoveRow(..) => again(draft, AutoHealReply::Editing(None)),
        AutoHealCommand::Import => {
            let (draft, reply) = import(draft);
            again(draft, reply)
        }
        AutoHealCommand::Save => save(console, app, draft).await,
        AutoHealCommand::Switch(on) => switch(console, app, draft, on).await,
    }
}

async fn save(console: &dyn Console, app: &AppName, draft: AutoHealDraft) -> Outcome {
    let again = |draft, reply| Outcome::Again(Box::new(AutoHealSubmission { draft, reply }));
    let (config, violations) = draft.config();
    if !violations.is_empty() {
        return again(draft, AutoHealReply::Invalid(violations));
    }
    let saved = |_: &AutoHealConfig| Ok(config.clone());
    match console.change_auto_heal(app, &saved).await {
        Ok(()) => Outcome::Back("yes"),
        Err(ConsoleError::NoSuchApp(_)) => Outcome::NotFound,
        Err(ConsoleError::Invalid(violations)) => again(draft, AutoHealReply::Invalid(violations)),
        Err(error) => again(draft, AutoHealReply::NotSaved(error)),
    }
}

/// The saved rules with the switch turned; what is typed in the form is none of its business.
async fn switch(console: &dyn Console, app: &AppName, draft: AutoHealDraft, on: bool) -> Outcome {
    let switched = |held: &AutoHealConfig| Ok(AutoHealConfig { enabled: on, ..held.clone() });
    match console.change_auto_heal(app, &switched).await {
        Ok(()) => Outcome::Back(if on { "on" } else { "off" }),
        Err(ConsoleError::NoSuchApp(_)) => Outcome::NotFound,
        Err(ConsoleError::Store(_) | ConsoleError::Unreadable(_)) => Outcome::Back("failed"),
        Err(error @ ConsoleError::Forbidden(_)) => {
            Outcome::Again(Box::new(AutoHealSubmission { draft, reply: AutoHealReply::NotSaved(error) }))
        }
        Err(_) => Outcome::Back("refused"),
    }
}

/// The pasted rules in the place of those that were typed; those stay where nothing can be read.
fn import(draft: AutoHealDraft) -> (AutoHealDraft, AutoHealReply) {
    match read_pasted(draft.pasted()) {
        Ok(Translated { rules, notes }) => (draft.replaced_by(&rules), AutoHealReply::Imported(notes)),
        Err(why) => (draft, AutoHealReply::NotImported(why)),
    }
}

fn read_pasted(text: &str) -> Result<Translated<AutoHealConfig>, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("paste a web.config or the JSON of config/web.".to_owned());
    }
    if text.starts_with('<') {
        return web_config::import(text).map_err(|error| match error {
            WebConfigError::Values(violations) => format!("{}.", violation::list(&violations)),
            error => format!("{error}."),
        });
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("it is neither XML nor JSON: {error}."))?;
    let properties = arm::properties(value).unwrap_or_default();
    if properties.get(RULES).is_none_or(Value::is_null) {
        return Err(format!("the JSON has no {RULES}."));
    }
    let refused = |violations: Vec<Violation>| format!("{}.", violation::list(&violations));
    let lists = arm::lists_for_objects(&properties);
    if !lists.is_empty() {
        return Err(refused(lists));
    }
    let rules =
        arm::read(Value::Object(properties)).map_err(|error| format!("{error}."))?.map_err(refused)?;
    Ok(Translated { rules, notes: Vec::new() })
}

/// A restart by hand. It answers when the restart has begun.
pub(super) async fn restart(
    Asked(console): Asked,
    Path((app, instance)): Path<(String, String)>,
) -> Response {
    let (Ok(app), Ok(instance)) = (app.parse::<AppName>(), instance.parse::<u16>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let word = match console.restart(&app, instance).await {
        Ok(()) => "begun",
        Err(ConsoleError::NoSuchApp(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(ConsoleError::Conflict(_)) => "busy",
        Err(ConsoleError::Forbidden(why)) => return super::forbidden(&why),
        Err(ConsoleError::Refused(_) | ConsoleError::Invalid(_)) => "refused",
        Err(ConsoleError::Store(_) | ConsoleError::Unreadable(_)) => "failed",
    };
    let overview = app::address::OVERVIEW.of_app(&app);
    Redirect::to(&format!("{overview}?restarted={word}")).into_response()
}

/// The proactive rules go on.
pub(super) async fn resume(Asked(console): Asked, Path(app): Path<String>) -> Response {
    let Ok(app) = app.parse::<AppName>() else { return StatusCode::NOT_FOUND.into_response() };
    let word = match console.rearm_fuse(&app).await {
        Ok(true) => "resumed",
        Ok(false) => "reset",
        Err(ConsoleError::NoSuchApp(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(ConsoleError::Forbidden(why)) => return super::forbidden(&why),
        Err(_) => "not-resumed",
    };
    Redirect::to(&format!("{}?tab=proactive&resumed={word}", page(&app))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(pasted: &str) -> AutoHealDraft {
        let fields = [
            ("triggers.requests.count", "7"),
            ("triggers.requests.timeInterval", "00:01:00"),
            ("import", pasted),
        ];
        AutoHealForm::read(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()).draft
    }

    #[test]
    fn rules_in_either_form_fill_the_form() {
        let json = r#"{"autoHealEnabled":true,"autoHealRules":{"triggers":{"privateBytesInKB":204800}}}"#;
        let xml = r#"<configuration><system.webServer><monitoring><triggers><memory privateBytesInKB="204800"/></triggers></monitoring></system.webServer></configuration>"#;
        for pasted in
            [json.to_owned(), format!(r#"{{"id":"x","properties":{json}}}"#), format!("\u{feff}{xml}")]
        {
            let (filled, reply) = import(draft(&pasted));
            assert!(matches!(reply, AutoHealReply::Imported(_)), "{reply:?}");
            let (config, violations) = filled.config();
            assert_eq!(violations, []);
            let triggers = config.rules.triggers;
            assert_eq!((triggers.private_bytes_kib, triggers.requests), (Some(204_800), None), "{pasted}");
            assert_eq!(filled.pasted(), pasted, "what was pasted stays");
        }
    }

    #[test]
    fn what_cannot_be_imported_leaves_the_form_as_it_was() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbb">]><monitoring>&b;</monitoring>"#;
        let deep = "[".repeat(10_000);
        let cases = [
            ("", "paste"),
            ("hello", "neither XML nor JSON"),
            ("{}", "no autoHealRules"),
            ("[1]", "no autoHealRules"),
            (r#"{"autoHealRules":null}"#, "no autoHealRules"),
            (r#"{"autoHealRules":{"triggers":[]}}"#, "autoHealRules.triggers"),
            (r#"{"autoHealRules":{"triggers":{"requests":{"count":"x"}}}}"#, "requests.count"),
            ("<configuration/>", "no <monitoring>"),
            (bomb, "cannot be read as XML"),
            (&deep, "neither XML nor JSON"),
        ];
        for (pasted, part) in cases {
            let before = draft(pasted);
            let (after, reply) = import(before.clone());
            assert_eq!(after, before);
            let AutoHealReply::NotImported(why) = reply else { panic!("{pasted}: {reply:?}") };
            assert!(why.contains(part), "{part} in {why}");
        }
    }
}
