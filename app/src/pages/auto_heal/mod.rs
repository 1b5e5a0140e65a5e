//! `…/tools/auto-heal`: the user's own rules, the proactive rules, and what both did.
//!
//! The form is a plain POST to this address. Whoever serves the pages reads it ([`SentForm`]), and where it is not simply saved
//! renders this page again with what was typed ([`Submission`] in the context): a draft never stands in an address.

mod custom;
mod draft;
mod field;
mod filter;
mod form;
mod history;
mod lines;
mod proactive;
mod review;

use leptos::prelude::*;
use model::AppName;
use model::auto_heal::config::Violation;

use crate::ConsoleError;
use crate::answer::{answer, asked_app, console, query_part};
use crate::catalog::AUTO_HEAL;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::outcome::Outcome;

pub use draft::{Command, Draft, List, SentForm};

/// The rules as they were sent, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What the form is to show.
    pub draft: Draft,
    /// What to say about it.
    pub reply: Reply,
}

/// What came of a form that was sent and is shown again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It goes on being filled in; a row of this list was asked for.
    Editing(Option<List>),
    /// It is looked through: beside the rules that hold, and run over the last 24 hours.
    Reviewed,
    /// It was filled with imported rules; what did not come across, a sentence each.
    Imported(Vec<String>),
    /// What was pasted is nothing that can be imported, and why.
    NotImported(String),
    /// It was not saved: these fields do not fit.
    Invalid(Vec<Violation>),
    /// It was not saved, and why.
    NotSaved(ConsoleError),
}

impl Reply {
    /// The HTTP status of the page.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Editing(_) | Self::Reviewed | Self::Imported(_) => 200,
            Self::NotImported(_) | Self::Invalid(_) => 400,
            Self::NotSaved(error) => error.status(),
        }
    }
}

/// What the page is opened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Custom,
    Proactive,
    History,
}

impl Tab {
    const ALL: [Self; 3] = [Self::Custom, Self::Proactive, Self::History];

    const fn word(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Proactive => "proactive",
            Self::History => "history",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Custom => "Custom rules",
            Self::Proactive => "Proactive rules",
            Self::History => "History",
        }
    }

    fn of_word(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|tab| Some(tab.word()) == word).unwrap_or(Self::Custom)
    }

    fn href(self, app: &AppName) -> String {
        format!("{}?tab={}", AUTO_HEAL.href(app), self.word())
    }
}

/// The page.
#[component]
pub(crate) fn AutoHealPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let submission = use_context::<Submission>();
    let tab = if submission.is_some() { Tab::Custom } else { Tab::of_word(query_part("tab").as_deref()) };
    let outcome = query_part("saved").or_else(|| query_part("resumed")).filter(|_| submission.is_none());
    let asked = history::Asked::read();
    answer(async move {
        let status = status?;
        let app = status.name.clone();
        let content = match tab {
            Tab::Custom => custom::tab(&*console, &status, submission).await?,
            Tab::Proactive => proactive::tab(&*console, &status),
            Tab::History => history::tab(&*console, &status, &asked).await?,
        };
        let mut crumbs = app_crumbs(&app);
        crumbs.push((AUTO_HEAL.category.title().to_owned(), AUTO_HEAL.href(&app)));
        let view = view! {
            <Page title=format!("{app}: {}", AUTO_HEAL.name) crumbs=crumbs app=Some(app.clone()) here=AUTO_HEAL.href(&app)>
                <h1>{AUTO_HEAL.name}</h1>
                <p class="lead">{AUTO_HEAL.description}</p>
                <Tabs app=app now=tab />
                <RulesOutcome word=outcome />
                {content}
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn Tabs(app: AppName, now: Tab) -> impl IntoView {
    let link = |tab: Tab| {
        view! {
            <li>
                <a href=tab.href(&app) aria-current=(tab == now).then_some("page")>
                    {tab.name()}
                </a>
            </li>
        }
    };
    view! {
        <nav class="tabs" aria-label="Auto-heal">
            <ul>{Tab::ALL.into_iter().map(link).collect_view()}</ul>
        </nav>
    }
}

/// How the last change went. The words are ours, whatever the address says.
#[component]
fn RulesOutcome(word: Option<String>) -> impl IntoView {
    let outcome = match word.as_deref()? {
        "yes" => Outcome::Done("Saved. The rules apply from now on; no worker was restarted."),
        "on" => Outcome::Done("Custom rules enabled. No worker was restarted."),
        "off" => Outcome::Done("Custom rules disabled. They are kept."),
        "refused" => {
            Outcome::Failed("Not enabled: the saved rules have no valid condition. Add one, then save.")
        }
        "failed" => {
            Outcome::Failed("Not saved: database unavailable. Nothing was changed. See the Medic log.")
        }
        "resumed" => Outcome::Done("Proactive rules resumed. The restart count is 0."),
        "reset" => Outcome::Done("Restart count reset to 0."),
        "not-resumed" => Outcome::Failed("Proactive rules not resumed. See the Medic log."),
        _ => return None,
    };
    Some(outcome.view())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreFailure;

    #[test]
    fn what_was_not_taken_says_so_in_the_status_too() {
        let draft = SentForm::read(vec![("triggers.requests.count".to_owned(), "many".to_owned())]).draft;
        let cases = [
            (Reply::Reviewed, 200),
            (Reply::Invalid(draft.config().1), 400),
            (Reply::NotImported(String::new()), 400),
            (Reply::NotSaved(ConsoleError::Refused(String::new())), 400),
            (Reply::NotSaved(ConsoleError::Store(StoreFailure::Failed)), 500),
            (Reply::NotSaved(ConsoleError::Store(StoreFailure::Full)), 507),
        ];
        for (reply, status) in cases {
            assert_eq!(reply.status(), status, "{reply:?}");
        }
    }

    #[test]
    fn an_unknown_tab_is_the_first_and_an_unknown_outcome_says_nothing() {
        assert_eq!(Tab::of_word(Some("history")), Tab::History);
        assert_eq!(Tab::of_word(Some("<b>")), Tab::Custom);
        let html = |word: &str| view! { <RulesOutcome word=Some(word.to_owned()) /> }.to_html();
        assert!(html("yes").contains("no worker was restarted"));
        assert!(!html("<b>You won").contains("won"));
    }
}
