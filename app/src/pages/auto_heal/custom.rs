//! The tab Custom rules: what holds, and the form that changes it.

use insight::custom_rules;
use insight::report::Severity;
use insight::violation::message;
use insight::words::counted;
use leptos::prelude::*;
use model::AppName;
use model::auto_heal::config::Violation;
use model::auto_heal::{AutoHealConfig, Rule};
use model::status::AppStatus;

use super::draft::{Draft, PREFIX, field_name};
use super::field::{Fields, id_of, words_of};
use super::form::{action, conditions, override_time};
use super::lines::{comparison, rule_list};
use super::proactive::Readings;
use super::review::{Question, question};
use super::{Reply, Submission};
use crate::address::AUTO_HEAL_API;
use crate::answer::PageError;
use crate::catalog::AUTO_HEAL;
use crate::console::Action;
use crate::parts::icon::Status;
use crate::parts::readings::sentence;
use crate::parts::region::LiveRegion;
use crate::parts::rights::RoleNeeded;
use crate::{Console, ConsoleError};

/// The tab. Once something was typed, it is shown whatever else fails.
pub(super) async fn tab(
    console: &dyn Console,
    status: &AppStatus,
    submission: Option<Submission>,
) -> Result<AnyView, PageError> {
    let app = &status.name;
    let lacks = console.lacks(Action::ChangeRules);
    let held = console.auto_heal(app).await;
    let (draft, reply) = match (submission, &held) {
        (Some(Submission { draft, reply }), _) => (draft, Some(reply)),
        (None, Ok(config)) => (Draft::of(config), None),
        (None, Err(error)) => return Err(error.clone().into()),
    };
    let (new, found) = draft.config();
    let violations = match &reply {
        Some(Reply::Invalid(violations)) => violations.clone(),
        Some(Reply::Reviewed | Reply::Imported(_)) => found,
        _ => Vec::new(),
    };
    let asks = matches!(reply, Some(Reply::Reviewed | Reply::Imported(_)))
        && violations.is_empty()
        && new.rules.triggers.any();
    let dry_run = if asks { Some(console.dry_run(app, &new).await) } else { None };
    let here = AUTO_HEAL.href(app);
    let is_custom = |rule: Rule| !rule.is_proactive() && rule != Rule::ProactiveCpu;
    let readings = console.snapshot().heal.get(app).cloned().filter(|heal| {
        let mut seen = heal.instances.iter().flat_map(|instance| &instance.status.readings);
        seen.any(|reading| is_custom(reading.rule))
    });
    let current = held
        .clone()
        .ok()
        .map(|config| view! { <Current config=config app=app.clone() may_change=lacks.is_none() /> });
    let review = (reply.is_some() && !matches!(reply, Some(Reply::Editing(_) | Reply::NotImported(_)))).then(|| {
        view! { <Review held=held.clone() new=new.clone() violations=violations.clone() reply=reply.clone() /> }
    });
    let dry_run = dry_run.map(|answer| question(Question { answer }));
    let warned = asks.then(|| warned_of(&new));
    let view = view! {
        <LiveRegion name="rules" heading="Current rules">
            {current}
            {readings
                .map(|heal| {
                    view! {
                        <details class="seen" data-key="seen">
                            <summary>"Current values by instance"</summary>
                            <Readings heal=heal of=is_custom label="Custom rules" />
                        </details>
                    }
                })}
        </LiveRegion>
        {match lacks {
            Some(role) => view! { <RoleNeeded what="Changing the rules" role=role /> }.into_any(),
            None => view! {
                <Edit draft=draft reply=reply violations=violations here=here>
                    {review} {warned.map(|texts| view! { <Warnings texts=texts /> })} {dry_run}
                </Edit>
            }
            .into_any(),
        }}
    };
    Ok(view.into_any())
}

/// What can be saved and is worth a thought.
fn warned_of(config: &AutoHealConfig) -> Vec<String> {
    let label = |path: &str| words_of(path.strip_prefix(PREFIX).unwrap_or(path));
    [custom_rules::warnings(config, label), custom_rules::notes(config, label)].concat()
}

#[component]
fn Current(config: AutoHealConfig, app: AppName, may_change: bool) -> impl IntoView {
    let any = config.rules.triggers.any();
    let (severity, word, text) = match (any, config.enabled) {
        (false, _) => (Severity::Info, "Off", "No custom rules"),
        (true, true) => {
            (Severity::Healthy, "On", "Custom rules on memory or slow requests override the proactive rule.")
        }
        (true, false) => (Severity::Info, "Off", "The rules below are saved but disabled."),
    };
    let (switch, label) = if config.enabled { ("off", "Disable") } else { ("on", "Enable") };
    view! {
        <p class="now">
            <Status severity=severity word=word />
            " "
            {text}
        </p>
        {any.then(|| rule_list(&config))}
        <div class="actions">
            {(any && may_change)
                .then(|| {
                    view! {
                        <form method="post" action=AUTO_HEAL.href(&app)>
                            <button class="button" type="submit" name="do" value=switch>
                                {label}
                            </button>
                        </form>
                    }
                })}
            {any.then(|| view! { <Export app=app /> })}
        </div>
    }
}

#[component]
fn Export(app: AppName) -> impl IntoView {
    let api = AUTO_HEAL_API.of_app(&app);
    view! {
        <a class="button quiet-button" href=api.clone()>
            "Export as JSON"
        </a>
        <a class="button quiet-button" href=format!("{api}?format=web.config")>
            "Export as web.config"
        </a>
    }
}

/// The form around its steps.
#[component]
fn Edit(
    draft: Draft,
    reply: Option<Reply>,
    violations: Vec<Violation>,
    here: String,
    children: Children,
) -> impl IntoView {
    let focus = match &reply {
        Some(Reply::Editing(list)) => *list,
        _ => None,
    };
    let fields = Fields { violations, focus };
    let not_imported = match &reply {
        Some(Reply::NotImported(why)) => Some(why.clone()),
        _ => None,
    };
    let (enabled, pasted) = (draft.enabled, draft.pasted.clone());
    let steps = [conditions(&fields, &draft, &here), action(&fields, &draft), override_time(&fields, &draft)];
    let (target, review_action) = (here.clone(), format!("{here}#review"));
    view! {
        <section aria-labelledby="edit">
            <h2 id="edit">"Edit rules"</h2>
            <form class="rules" method="post" action=target>
                // The first button is what the Enter key presses: it must change nothing.
                <button class="hidden-label" type="submit" name="do" value="review" formnovalidate=true tabindex="-1" aria-hidden="true">
                    "Review"
                </button>
                <Import pasted=pasted wrong=not_imported here=here />
                {steps}
                <h3 id="review">"4. Review and Save"</h3>
                <div class="switch">
                    <input type="hidden" name="enabled" value="False" />
                    <input
                        type="checkbox"
                        role="switch"
                        id="enabled"
                        name="enabled"
                        value="True"
                        checked=enabled
                        aria-describedby="enabled-hint"
                    />
                    <label for="enabled">"Enable custom rules"</label>
                    <p id="enabled-hint">"Disabled rules are kept."</p>
                </div>
                {children()}
                <p class="actions">
                    <button class="button quiet-button" type="submit" name="do" value="review" formaction=review_action.clone() formnovalidate=true>
                        "Review"
                    </button>
                    <button class="button" type="submit" name="do" value="save" formaction=review_action>
                        "Save"
                    </button>
                </p>
                <p class="hint">
                    "Review compares the new rules with the current ones and with the last 24 hours. Save applies them at once, without a restart."
                </p>
            </form>
        </section>
    }
}

#[component]
fn Import(pasted: String, wrong: Option<String>, here: String) -> impl IntoView {
    let open = wrong.is_some();
    view! {
        <details class="import" open=open>
            <summary>"Import from web.config or ARM JSON"</summary>
            <div class="field">
                <label for="import">"web.config, its <monitoring> element, or the JSON of config/web"</label>
                <textarea
                    id="import"
                    name="import"
                    rows="8"
                    spellcheck="false"
                    autocomplete="off"
                    maxlength="20000"
                    aria-describedby="import-hint"
                    aria-invalid=open.then_some("true")
                >
                    {pasted}
                </textarea>
                <p class="hint" id="import-hint">
                    "Replaces the values in the form. Nothing is saved yet. At most 20,000 characters: from a longer web.config, paste only its <monitoring> element."
                </p>
                {wrong
                    .map(|why| {
                        view! {
                            <p class="wrong" role="alert">
                                "Nothing was imported: "
                                {why}
                            </p>
                        }
                    })}
            </div>
            <button
                class="button quiet-button"
                type="submit"
                name="do"
                value="import"
                formaction=format!("{here}#review")
                formnovalidate=true
            >
                "Import"
            </button>
        </details>
    }
}

/// What stands between the form and its being saved, or what it would change.
#[component]
fn Review(
    held: Result<AutoHealConfig, ConsoleError>,
    new: AutoHealConfig,
    violations: Vec<Violation>,
    reply: Option<Reply>,
) -> impl IntoView {
    let said = match reply {
        Some(Reply::NotSaved(error)) => {
            let why = sentence(&error.to_string());
            Some((true, vec![format!("Not saved. {why} Your input is still in the form.")]))
        }
        Some(Reply::Imported(notes)) => {
            let first = "Imported into the form. Nothing is saved yet.".to_owned();
            Some((false, std::iter::once(first).chain(notes).collect()))
        }
        _ => None,
    };
    let said = said.map(|(bad, texts)| {
        let (class, role) = if bad { ("message critical", "alert") } else { ("message info", "status") };
        view! {
            <div class=class role=role>
                {texts.into_iter().map(|text| view! { <p>{text}</p> }).collect_view()}
            </div>
        }
    });
    let content = if violations.is_empty() {
        match held {
            Ok(current) => comparison(&current, &new),
            Err(error) => view! {
                <p class="message warning">"Cannot show the current rules: " {error.to_string()}</p>
            }
            .into_any(),
        }
    } else {
        view! { <Violations violations=violations /> }.into_any()
    };
    view! {
        {said}
        {content}
    }
}

/// All that does not fit, each leading to its field.
#[component]
fn Violations(violations: Vec<Violation>) -> impl IntoView {
    let count = counted(violations.len() as u64, "entry does", "entries do");
    let line = |violation: Violation| {
        let name = field_name(&violation).to_owned();
        view! {
            <li>
                <a href=format!("#{}", id_of(&name))>{words_of(&name)}</a>
                ": "
                {message(&violation)}
            </li>
        }
    };
    view! {
        <div class="message critical" role="alert">
            <p>{format!("Nothing is saved: {count} not fit.")}</p>
            <ul>{violations.into_iter().map(line).collect_view()}</ul>
        </div>
    }
}

/// What can be saved and is worth a thought.
#[component]
fn Warnings(texts: Vec<String>) -> impl IntoView {
    (!texts.is_empty()).then(|| {
        view! {
            <div class="message warning">
                <ul>{texts.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
            </div>
        }
    })
}
