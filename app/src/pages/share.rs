//! `…/share`: what a link to an incident, a detector's report or a restart would show, and the form that makes it. What is previewed
//! is the page to be shared, by the ticks of the form; a link is made only of what was previewed. The link stands in the answer to the
//! form and nowhere else.

mod outcome;

use std::time::Duration;

use insight::detectors::detector;
use insight::share::SharedReport;
use leptos::prelude::*;
use model::auto_heal::restart::RestartKey;
use model::range::read_range;
use model::share::{Included, LONGEST, USUAL};
use model::{AppName, IncidentId, TimeRange, Timestamp};

use self::outcome::Outcome;
use crate::address::{DETECTOR, INCIDENT, SHARE_DETECTOR, SHARE_INCIDENT, SHARE_RESTART};
use crate::answer::{PageError, answer, asked_app, console, path_part, query_part};
use crate::catalog::{AUTO_HEAL, INCIDENTS};
use crate::parts::frame::{Crumb, Page, app_crumbs};
use crate::shared::{Heading, SharedView};
use crate::{Console, ToShare};

/// How long a link may work, by the word in the form.
const EXPIRIES: [(&str, &str, Duration); 5] = [
    ("1h", "1 hour", Duration::from_hours(1)),
    ("1d", "1 day", Duration::from_hours(24)),
    ("7d", "7 days", USUAL),
    ("30d", "30 days", Duration::from_hours(30 * 24)),
    ("90d", "90 days", LONGEST),
];

/// What is ticked in the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    pub included: Included,
    pub expires_in: Duration,
}

impl Ticks {
    /// Of a form's fields.
    pub fn read(field: impl Fn(&str) -> Option<String>) -> Self {
        let is_ticked = |name: &str| field(name).is_some_and(|value| value == "yes");
        let included =
            Included { app: is_ticked("app"), hosts: is_ticked("hosts"), paths: is_ticked("paths") };
        let chosen = field("expires_in");
        let known = EXPIRIES.iter().find(|(word, ..)| Some(*word) == chosen.as_deref());
        Self { included, expires_in: known.map_or(USUAL, |(.., length)| *length) }
    }

    /// The form remembers what its preview showed.
    pub fn word(included: Included) -> String {
        let Included { app, hosts, paths } = included;
        format!("{}{}{}", u8::from(app), u8::from(hosts), u8::from(paths))
    }
}

/// What links begin with, as whoever asks reaches this Medic, and whether that is this machine alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBase {
    /// Such as `https://medic.example.com`.
    pub url: String,
    pub is_local: bool,
}

/// What came of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Made {
        ticks: Ticks,
        url: String,
        expires_at: Timestamp,
        is_shortened: bool,
    },
    /// Something else was ticked than what was previewed.
    LookAgain {
        ticks: Ticks,
    },
    Refused {
        ticks: Ticks,
        why: String,
        status: u16,
    },
}

impl Reply {
    const fn ticks(&self) -> Ticks {
        match self {
            Self::Made { ticks, .. } | Self::LookAgain { ticks } | Self::Refused { ticks, .. } => *ticks,
        }
    }

    /// Of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Made { .. } => 201,
            Self::LookAgain { .. } => 409,
            Self::Refused { status, .. } => *status,
        }
    }
}

/// An incident's.
#[component]
pub(crate) fn ShareIncidentPage() -> impl IntoView {
    let console = console();
    let id = path_part("id").parse::<IncidentId>();
    let asked = Asked::read();
    answer(async move {
        let id = id.map_err(|error| PageError::NotFound(error.to_string()))?;
        let missing = || PageError::NotFound(format!("Incident {id} not found"));
        let incident = console.incident(&id).await?.ok_or_else(missing)?;
        let mut crumbs = app_crumbs(&incident.app);
        crumbs.push((INCIDENTS.name.to_owned(), INCIDENTS.href(&incident.app)));
        crumbs.push((insight::incident::title(&incident), INCIDENT.of_incident(&id)));
        let here = Here {
            app: incident.app.clone(),
            crumbs,
            action: SHARE_INCIDENT.of_incident(&id),
            range: None,
            title: SHARE_INCIDENT.title,
        };
        page(&*console, here, ToShare::Incident(id), asked).await
    })
}

/// A detector's.
#[component]
pub(crate) fn ShareDetectorPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let (id, category) = (path_part("detector"), path_part("category"));
    let (start, end) = (query_part("startTime"), query_part("endTime"));
    let asked = Asked::read();
    answer(async move {
        let app = status?.name;
        let found = detector(&id).filter(|detector| detector.category.id() == category);
        let detector = found.ok_or_else(|| PageError::NotFound(format!("Detector {id} not found")))?;
        let range = read_range(console.now(), start.as_deref(), end.as_deref()).range;
        let mut crumbs = app_crumbs(&app);
        let report = format!(
            "{}?startTime={}&endTime={}",
            DETECTOR.of_detector(&app, detector),
            range.start,
            range.end
        );
        crumbs.push((detector.title.to_owned(), report));
        let here = Here {
            action: SHARE_DETECTOR.of_detector(&app, detector),
            app: app.clone(),
            crumbs,
            range: Some(range),
            title: SHARE_DETECTOR.title,
        };
        page(&*console, here, ToShare::Report { app, detector, range }, asked).await
    })
}

/// A restart's.
#[component]
pub(crate) fn ShareRestartPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let restart = path_part("restart").parse::<RestartKey>();
    let asked = Asked::read();
    answer(async move {
        let app = status?.name;
        let restart = restart.map_err(|error| PageError::NotFound(error.to_string()))?;
        let mut crumbs = app_crumbs(&app);
        crumbs.push((AUTO_HEAL.name.to_owned(), format!("{}?tab=history", AUTO_HEAL.href(&app))));
        let here = Here {
            action: SHARE_RESTART.of_restart(&app, &restart),
            app: app.clone(),
            crumbs,
            range: None,
            title: SHARE_RESTART.title,
        };
        page(&*console, here, ToShare::Restart { app, restart }, asked).await
    })
}

/// What the address or the form asks for.
struct Asked {
    ticks: Ticks,
    reply: Option<Reply>,
    base: Option<LinkBase>,
}

impl Asked {
    /// Before the page waits: all of it is in the context.
    fn read() -> Self {
        let reply = use_context::<Reply>();
        let ticks = reply.as_ref().map_or_else(|| Ticks::read(query_part), Reply::ticks);
        Self { ticks, reply, base: use_context() }
    }
}

/// Where the page is.
struct Here {
    app: AppName,
    crumbs: Vec<Crumb>,
    /// Of the form.
    action: String,
    range: Option<TimeRange>,
    title: &'static str,
}

async fn page(console: &dyn Console, here: Here, what: ToShare, asked: Asked) -> Result<AnyView, PageError> {
    let Here { app, crumbs, action, range, title } = here;
    let missing = || PageError::NotFound("There is nothing to share at this address".to_owned());
    let report = console.share_preview(&what, asked.ticks.included).await?.ok_or_else(missing)?;
    let is_local = asked.base.is_none_or(|base| base.is_local);
    let heading = match what {
        ToShare::Incident(_) => "Share this incident",
        ToShare::Report { .. } => "Share this report",
        ToShare::Restart { .. } => "Share this restart",
    };
    let reply = asked.reply.map(|reply| view! { <Outcome reply=reply is_local=is_local /> });
    let form =
        view! { <ShareForm action=action range=range app=app.clone() ticks=asked.ticks is_local=is_local /> };
    let preview = view! { <Preview report=report /> };
    let view = view! {
        <Page title=format!("{app}: {title}") crumbs=crumbs app=Some(app) here=String::new()>
            <h1>{heading}</h1>
            <p class="lead">
                "Anyone who has the link can read the snapshot below, without an account, until the link expires or is revoked. The snapshot does not change."
            </p>
            {reply}
            {form}
            {preview}
        </Page>
    };
    Ok(view.into_any())
}

#[component]
fn ShareForm(
    action: String,
    range: Option<TimeRange>,
    app: AppName,
    ticks: Ticks,
    is_local: bool,
) -> impl IntoView {
    let Ticks { included, expires_in } = ticks;
    // the form's own fields are in a body; the range stays in the address
    let target = match range {
        Some(range) => format!("{action}?startTime={}&endTime={}", range.start, range.end),
        None => action,
    };
    let times = range.map(|range| [("startTime", range.start), ("endTime", range.end)]);
    let times = times.into_iter().flatten().map(|(name, at)| {
        view! { <input type="hidden" name=name value=at.to_string() /> }
    });
    let times = times.collect_view();
    let tick = |name: &'static str, label: &'static str, hint: String, is_ticked: bool| {
        view! {
            <div class="choice">
                <input type="checkbox" id=format!("include-{name}") name=name value="yes" checked=is_ticked />
                <label for=format!("include-{name}")>{label}</label>
                <p class="hint">{hint}</p>
            </div>
        }
    };
    let expiry = |(word, text, length): (&'static str, &'static str, Duration)| {
        view! {
            <option value=word selected=length == expires_in>
                {text}
            </option>
        }
    };
    view! {
        <form class="settings share-form" method="post" action=target>
            {times}
            <input type="hidden" name="shown" value=Ticks::word(included) />
            <fieldset>
                <legend>"Include in the snapshot"</legend>
                {tick("app", "App name", format!("{app}"), included.app)}
                {tick("hosts", "Machine names", "Otherwise node-1, node-2 and so on.".to_owned(), included.hosts)}
                {tick(
                    "paths",
                    "Paths",
                    "Full paths of source files, and paths of requests. Otherwise file names only.".to_owned(),
                    included.paths,
                )}
            </fieldset>
            <p class="hint">
                "Never included: exception messages, output, environment variables, command lines, users, IP addresses and process IDs. Names of functions, modules and exceptions are included as they are in the code."
            </p>
            <div class="field">
                <label for="expires_in">"Link expires after"</label>
                <select id="expires_in" name="expires_in">
                    {EXPIRIES.map(expiry).collect_view()}
                </select>
            </div>
            {is_local
                .then(|| {
                    view! {
                        <p class="hint">
                            "The link will work on this machine only, because only this machine reaches the dashboard. From another machine, open it through an SSH tunnel."
                        </p>
                    }
                })}
            <p class="actions">
                <button class="button" type="submit">
                    "Create link"
                </button>
                <button class="button quiet-button" type="submit" formmethod="get">
                    "Update preview"
                </button>
            </p>
        </form>
    }
}

#[component]
fn Preview(report: SharedReport) -> impl IntoView {
    view! {
        <section class="share-preview" aria-labelledby="share-preview">
            <h2 id="share-preview">"Preview"</h2>
            <div class="share-page">
                <SharedView report=report heading=Heading::OfPart />
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(fields: &'static [(&'static str, &'static str)]) -> Ticks {
        Ticks::read(|name| {
            fields.iter().find(|(field, _)| *field == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_not_ticked_is_left_out_and_a_link_works_for_a_week() {
        assert_eq!(ticks(&[]), Ticks { included: Included::default(), expires_in: USUAL });
        let all = ticks(&[("app", "yes"), ("hosts", "yes"), ("paths", "yes"), ("expires_in", "90d")]);
        let included = Included { app: true, hosts: true, paths: true };
        assert_eq!(all, Ticks { included, expires_in: LONGEST });
        let odd = ticks(&[("app", "no"), ("hosts", ""), ("expires_in", "99999d")]);
        assert_eq!(odd, ticks(&[]));
        assert_eq!(Ticks::word(Included { hosts: true, ..Included::default() }), "010");
    }
}
