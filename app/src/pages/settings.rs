//! `/apps/{app}/settings`: what Medic may do for the app by itself, and the configuration that it runs with.
//!
//! The form is a plain POST that answers with a redirect back here; `?saved=` says how it went.

use insight::changes;
use leptos::prelude::*;
use model::account::AccountRole;
use model::change::Change;
use model::settings::{AppSettings, Setting};

use crate::ConfigurationLine;
use crate::answer::{answer, asked_app, console, query_part};
use crate::catalog::SETTINGS;
use crate::console::Action;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::outcome::Outcome;
use crate::parts::region::Scroll;
use crate::parts::rights::RoleNeeded;
use crate::parts::when::When;

/// The page.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let saved = query_part("saved");
    answer(async move {
        let app = status?.name;
        let settings = console.settings(&app).await?;
        let [crash_monitoring, first_crash, auto_heal] =
            [Setting::CrashMonitoring, Setting::CaptureFirstCrash, Setting::AutoHeal]
                .map(|setting| console.setting_name(setting));
        let last = console.last_settings_change(&app).await.unwrap_or_default();
        let configuration = console.configuration(&app).unwrap_or_default();
        let lacks_change = console.lacks(Action::ChangeSettings);
        let lacks_configuration = console.lacks(Action::SeeConfiguration);
        let here = SETTINGS.href(&app);
        let view = view! {
            <Page title=format!("{app}: {}", SETTINGS.name) crumbs=app_crumbs(&app) app=Some(app.clone()) here=here.clone()>
                <h1>{SETTINGS.name}</h1>
                <p class="lead">{SETTINGS.description}</p>
                <SaveOutcome saved=saved />
                <section aria-labelledby="proactive">
                    <h2 id="proactive">"Proactive features"</h2>
                    {match lacks_change {
                        Some(role) => view! { <ReadOnly settings=settings role=role /> }.into_any(),
                        None => view! {
                    <form class="settings" method="post" action=here>
                        <Switch
                            setting=Setting::CrashMonitoring
                            name=crash_monitoring
                            label="Proactive crash monitoring"
                            hint="After too many crashes on one instance, records the stack trace of the next one. Takes effect at once, without a restart. Crashes of every serving process count, such as gunicorn's workers, which goes deliberately beyond App Service; with watch = \"main\" in medic.toml only those of the main process do."
                            settings=settings.clone()
                        />
                        <Switch
                            setting=Setting::CaptureFirstCrash
                            name=first_crash
                            label="Capture from the first crash"
                            hint="Attaches the debugger before the first crash, to running workers too. Takes effect at once, without a restart. Requires proactive crash monitoring. While attached, each signal that the app handles itself takes 9 to 45\u{a0}µs instead of 2. Capture still pauses after a crash is captured."
                            settings=settings.clone()
                        />
                        <Switch
                            setting=Setting::AutoHeal
                            name=auto_heal
                            label="Proactive auto-heal"
                            hint="Restarts an instance gracefully when its worker nears the memory limit or hangs. Takes effect at once, without a restart. Custom rules are not affected."
                            settings=settings
                        />
                        <button type="submit" class="button">
                            "Save"
                        </button>
                    </form>
                        }
                        .into_any(),
                    }}
                    {last.map(|change| view! { <LastChange change=change /> })}
                </section>
                <section aria-labelledby="configuration">
                    <h2 id="configuration">"Effective configuration"</h2>
                    {match lacks_configuration {
                        Some(role) => view! { <RoleNeeded what="Reading the configuration" role=role /> }.into_any(),
                        None => view! {
                            <p class="quiet">
                                "The values in use and their sources. Change them in medic.toml."
                            </p>
                            <ConfigurationTable lines=configuration />
                        }
                        .into_any(),
                    }}
                </section>
            </Page>
        };
        Ok(view.into_any())
    })
}

/// Which are on, for whoever may not change them.
#[component]
fn ReadOnly(settings: AppSettings, role: AccountRole) -> impl IntoView {
    let line = |(setting, label): (Setting, &'static str)| {
        let is_on = settings.is_enabled(setting);
        view! { <li>{label} ": " <strong>{if is_on { "On" } else { "Off" }}</strong></li> }
    };
    let lines = [
        (Setting::CrashMonitoring, "Proactive crash monitoring"),
        (Setting::CaptureFirstCrash, "Capture from the first crash"),
        (Setting::AutoHeal, "Proactive auto-heal"),
    ];
    view! {
        <ul class="plain-list">{lines.into_iter().map(line).collect_view()}</ul>
        <RoleNeeded what="Changing settings" role=role />
    }
}

/// Who changed the settings last.
#[component]
fn LastChange(change: Change) -> impl IntoView {
    let by = change.by.clone().map(|by| format!(" by {by}"));
    view! {
        <p class="quiet">
            {changes::summary(&change)} {by} " at " <When at=change.at /> "."
        </p>
    }
}

/// How saving went. The words are ours, whatever the address says.
#[component]
fn SaveOutcome(saved: Option<String>) -> impl IntoView {
    let outcome = match saved.as_deref()? {
        "yes" => Outcome::Done("Saved."),
        "refused" => Outcome::Failed(
            "Not saved: a setting is unknown, or its value is not True or False. Nothing was changed.",
        ),
        "failed" => {
            Outcome::Failed("Not saved: database unavailable. Nothing was changed. See the Medic log.")
        }
        _ => return None,
    };
    Some(outcome.view())
}

/// A flag that is on unless it says false. The hidden field says what an empty box means, so that a form without this flag
/// leaves it alone.
#[component]
fn Switch(
    setting: Setting,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    settings: AppSettings,
) -> impl IntoView {
    let stored = settings.0.get(&setting).cloned();
    let hint_id = format!("hint-{name}");
    view! {
        <div class="switch">
            <input type="hidden" name=name value="False" />
            <input
                type="checkbox"
                role="switch"
                id=name
                name=name
                value="True"
                checked=settings.is_enabled(setting)
                aria-describedby=hint_id.clone()
            />
            <label for=name>{label}</label>
            <p id=hint_id>
                {hint} " " <code>{name}</code>
                {match stored {
                    Some(value) => view! { " = "<code>{value}</code> }.into_any(),
                    None => " is not set.".into_any(),
                }}
            </p>
        </div>
    }
}

#[component]
fn ConfigurationTable(lines: Vec<ConfigurationLine>) -> impl IntoView {
    view! {
        <Scroll label="Effective configuration">
            <table class="configuration cards">
                <thead>
                    <tr>
                        <th scope="col">"Key"</th>
                        <th scope="col">"Value"</th>
                        <th scope="col">"Source"</th>
                    </tr>
                </thead>
                <tbody>
                    {lines
                        .into_iter()
                        .map(|line| {
                            view! {
                                <tr>
                                    <th scope="row">
                                        <code>{line.key}</code>
                                    </th>
                                    <td class="wrap" data-label="Value">
                                        <code>{line.value}</code>
                                        {line.hint.map(|hint| view! { <p class="message warning">{hint}</p> })}
                                    </td>
                                    <td data-label="Source">{line.source}</td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </Scroll>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(settings: AppSettings) -> String {
        view! { <Switch setting=Setting::CrashMonitoring name="CRASHES" label="l" hint="h" settings=settings /> }.to_html()
    }

    #[test]
    fn a_flag_is_on_unless_it_says_false_and_says_what_is_stored() {
        let absent = switch(AppSettings::default());
        assert!(
            absent.contains(" checked")
                && absent.contains("<code>CRASHES</code>")
                && absent.contains("is not set"),
            "{absent}"
        );
        let off = switch(AppSettings([(Setting::CrashMonitoring, "fAlse".to_owned())].into()));
        assert!(!off.contains(" checked") && off.contains(">fAlse<"), "{off}");
    }

    #[test]
    fn the_outcome_is_said_in_our_own_words_only() {
        let html = |saved: &str| view! { <SaveOutcome saved=Some(saved.to_owned()) /> }.to_html();
        assert!(html("yes").contains("Saved."));
        assert!(html("failed").contains("Nothing was changed"));
        assert!(!html("<b>You won").contains("won"));
    }
}
