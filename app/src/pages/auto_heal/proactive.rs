//! The tab Proactive rules: whether the rules that every app has act, what they compare with, what they see now, and what
//! keeps them from acting too often.

use std::time::Duration;

use insight::report::Severity;
use insight::rules;
use insight::words::{bytes, memory_limit};
use leptos::prelude::*;
use model::account::AccountRole;
use model::auto_heal::Rule;
use model::auto_heal::cpu::CpuRule;
use model::auto_heal::fuse::{FuseNumbers, FuseStatus};
use model::auto_heal::limit::{Bitness, WorkerSize};
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::percent_memory;
use model::settings::Setting;
use model::status::{AppHeal, AppStatus, InstanceHeal};
use model::time::humanise;

use super::history::refusal;
use crate::address::RESUME_PROACTIVE_RULES;
use crate::catalog::SETTINGS;
use crate::console::Action;
use crate::parts::icon::Status;
use crate::parts::readings::ReadingTable;
use crate::parts::region::LiveRegion;
use crate::parts::rights::RoleNeeded;
use crate::parts::when::{When, hours_text};
use crate::{Console, ProactiveNumbers};

/// The tab.
pub(super) fn tab(console: &dyn Console, status: &AppStatus) -> AnyView {
    let app = &status.name;
    let heal = console.snapshot().heal.get(app).cloned();
    let numbers = console.proactive(app);
    let lacks = console.lacks(Action::Resume);
    let (enabled, name) = (status.auto_heal_enabled, console.setting_name(Setting::AutoHeal));
    let (settings, rearm) = (SETTINGS.href(app), RESUME_PROACTIVE_RULES.of_app(app));
    let fuse = heal.as_ref().map(|heal| heal.fuse);
    let cpu = numbers.as_ref().and_then(|numbers| numbers.cpu);
    let limit = numbers.as_ref().map(|numbers| numbers.fuse);
    view! {
        <LiveRegion name="state" heading="State">
            <State enabled=enabled settings=settings name=name />
        </LiveRegion>
        <LiveRegion name="fuse" heading="Restart limit">
            {fuse.map(|fuse| view! { <FuseView fuse=fuse numbers=limit rearm=rearm lacks=lacks /> })}
        </LiveRegion>
        <LiveRegion name="readings" heading="Current values by instance">
            {match heal {
                Some(heal) => {
                    let of = |rule: Rule| rule.is_proactive() || rule == Rule::ProactiveCpu;
                    view! { <Readings heal=heal of=of label="Proactive rules" with_last=true /> }.into_any()
                }
                None => view! { <p class="quiet">"No instances are running"</p> }.into_any(),
            }}
        </LiveRegion>
        <section aria-labelledby="rules">
            <h2 id="rules">"Rules"</h2>
            {numbers.map(|numbers| view! { <Thresholds numbers=numbers /> })}
            {cpu.map_or_else(
                || view! { <p class="quiet">"Proactive CPU monitoring is off. Set "<code>"proactive_cpu"</code>" in medic.toml to turn it on."</p> }.into_any(),
                |cpu| view! { <Cpu cpu=cpu /> }.into_any(),
            )}
        </section>
    }
    .into_any()
}

#[component]
fn State(enabled: bool, settings: String, name: &'static str) -> impl IntoView {
    let (severity, word, text) = if enabled {
        (
            Severity::Healthy,
            "On",
            "Medic restarts an instance gracefully when its worker nears the memory limit, hangs or does not respond.",
        )
    } else {
        (Severity::Info, "Opted out", "Off in the app's settings. Custom rules are not affected.")
    };
    view! {
        <p class="now">
            <Status severity=severity word=word />
            " "
            <span>{text}</span>
            " "
            <span>
                <a href=settings>"Settings"</a>
                ": "
                <code>{name}</code>
            </span>
        </p>
    }
}

#[component]
fn FuseView(
    fuse: FuseStatus,
    numbers: Option<FuseNumbers>,
    rearm: String,
    /// What the reader lacks to resume the rules.
    #[prop(optional_no_strip)]
    lacks: Option<AccountRole>,
) -> impl IntoView {
    let off = numbers.map_or_else(|| "a while".to_owned(), |numbers| hours_text(numbers.off));
    let (state, button) = match fuse {
        FuseStatus::Armed { restarts, limit, window_ms } => {
            let window = humanise(Duration::from_millis(window_ms));
            let severity = if restarts == 0 { Severity::Healthy } else { Severity::Info };
            let state = view! {
                <p class="now">
                    <Status severity=severity word="Active" />
                    " "
                    {format!("Restarts: {restarts} of {limit} in the last {window}")}
                    <meter
                        min="0"
                        max=limit.to_string()
                        value=restarts.min(limit).to_string()
                        aria-label=format!("{restarts} of {limit} restarts")
                    ></meter>
                </p>
                <p class="quiet">
                    {format!("At restart {limit}, proactive rules pause for {off}.")}
                </p>
            };
            (state.into_any(), (restarts > 0).then_some("Reset counter"))
        }
        FuseStatus::Blown { at, until, remaining_ms } => {
            let left = humanise(Duration::from_millis(remaining_ms));
            let state = view! {
                <p class="now">
                    <Status severity=Severity::Critical word="Paused" />
                    " "
                    <span>
                        "Proactive rules are paused for another "
                        <strong>{left}</strong>
                        ", until "
                        <When at=until />
                        "."
                    </span>
                </p>
                <p class="quiet">
                    "Paused at "
                    <When at=at />
                    " after too many proactive restarts in a short time. Find the cause before you resume: restarts do not solve it."
                </p>
            };
            (state.into_any(), Some("Resume proactive rules"))
        }
    };
    view! {
        {state}
        {button.and(lacks).map(|role| view! { <RoleNeeded what="Resuming the rules" role=role /> })}
        {button
            .filter(|_| lacks.is_none())
            .map(|button| {
                view! {
                    <form method="post" action=rearm>
                        <button class="button" type="submit">
                            {button}
                        </button>
                    </form>
                }
            })}
    }
}

/// What rules see on each instance.
#[component]
pub(super) fn Readings(
    heal: AppHeal,
    /// Which rules are meant.
    of: fn(Rule) -> bool,
    label: &'static str,
    /// With what was last done, and what was last not done.
    #[prop(optional)]
    with_last: bool,
) -> impl IntoView {
    let instance = move |instance: InstanceHeal| {
        let readings: Vec<_> =
            instance.status.readings.iter().filter(|reading| of(reading.rule)).cloned().collect();
        (!readings.is_empty()).then(|| {
            view! {
                <h3>{format!("Instance {}", instance.index)}</h3>
                <ReadingTable readings=readings label=label />
                {with_last.then(|| view! { <Last instance=instance /> })}
            }
        })
    };
    heal.instances.into_iter().map(instance).collect_view()
}

#[component]
fn Last(instance: InstanceHeal) -> impl IntoView {
    let limit = memory_limit(instance.status.limit);
    let last = instance.status.last.map_or_else(
        || "Never".into_any(),
        |last| view! { {rules::title(last.rule)} " at " <When at=last.at /> }.into_any(),
    );
    let refused = instance.refused.map(|refused| {
        view! {
            <div>
                <dt>"Last skipped"</dt>
                <dd>
                    {rules::title(refused.rule)}
                    " at "
                    <When at=refused.at />
                    ": "
                    {refusal(&refused.refused)}
                </dd>
            </div>
        }
    });
    view! {
        <dl class="details">
            <div>
                <dt>"Memory limit"</dt>
                <dd>{limit}</dd>
            </div>
            <div>
                <dt>"Last action"</dt>
                <dd>{last}</dd>
            </div>
            {refused}
        </dl>
    }
}

/// The rules in words, with where their numbers come from.
#[component]
fn Thresholds(numbers: ProactiveNumbers) -> impl IntoView {
    let memory = format!(
        "Acts when a worker's private bytes stay above {}% of its limit for more than {}.",
        percent_memory::SHARE_PERCENT,
        humanise(percent_memory::FOR)
    );
    let limit = match numbers.memory_limit_bytes {
        Some(limit) => format!(
            "The limit is memory_limit, {}, or the worker's cgroup's where that is lower.",
            bytes(limit)
        ),
        None => format!(
            "The limit is that of worker size {}, or the worker's cgroup's where that is lower.",
            size_words(numbers.worker_size)
        ),
    };
    let requests = format!(
        "Acts {}. A request's time is how long the worker keeps the client waiting for the response head or more of the body. Streams that keep sending, event streams and WebSockets are not slow. The rule is off while a worker starts.",
        rules::percent_request::condition()
    );
    let excluded = excluded(&numbers.percent_request_exclude);
    let responses = if numbers.not_responding.enabled {
        format!(
            "Acts {}. A probe is a GET of health_path, or of the readiness path if health_path is not set. Any response counts, including errors.",
            rules::not_responding::condition(numbers.not_responding)
        )
    } else {
        "Off: not_responding is false in medic.toml.".to_owned()
    };
    view! {
        <dl class="thresholds">
            <div>
                <dt>{rules::title(Rule::PercentMemory)}</dt>
                <dd>{memory} " " {limit}</dd>
            </div>
            <div>
                <dt>{rules::title(Rule::PercentRequest)}</dt>
                <dd>{requests} " " {excluded}</dd>
            </div>
            <div>
                <dt>{rules::title(Rule::NotResponding)}</dt>
                <dd>{responses}</dd>
            </div>
        </dl>
        <p class="quiet">
            "Action: a graceful restart of that instance. A custom rule on memory or slow requests overrides the proactive one."
        </p>
    }
}

fn excluded(paths: &[PathGlob]) -> String {
    if paths.is_empty() {
        return "To leave out long polls, set percent_request_exclude in medic.toml.".to_owned();
    }
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    format!("Excluded paths (percent_request_exclude): {}.", paths.join(", "))
}

fn size_words(size: WorkerSize) -> String {
    let [narrow, wide] = [Bitness::Bits32, Bitness::Bits64].map(|bitness| size.limit_bytes(bitness));
    if narrow == wide {
        format!("{size:?}, {}", bytes(wide))
    } else {
        format!("{size:?}, {} ({} for 32 bit)", bytes(wide), bytes(narrow))
    }
}

#[component]
fn Cpu(cpu: CpuRule) -> impl IntoView {
    let text = format!(
        "Acts when a worker uses {}% or more of a processor for {}\u{a0}s, checked every {}\u{a0}s. At most {} actions on an instance within {}\u{a0}h. Action: {:?}.",
        cpu.threshold_percent, cpu.seconds, cpu.frequency_s, cpu.actions, cpu.hours, cpu.mode
    );
    view! {
        <dl class="thresholds">
            <div>
                <dt>{rules::title(Rule::ProactiveCpu)}</dt>
                <dd>{text}</dd>
            </div>
        </dl>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::NotRespondingNumbers;

    fn fuse(fuse: FuseStatus) -> String {
        view! { <FuseView fuse=fuse numbers=Some(FuseNumbers::default()) rearm="/r".to_owned() lacks=None /> }
            .to_html()
    }

    #[test]
    fn the_fuse_says_how_far_it_is_and_is_armed_again_only_where_that_changes_something() {
        let armed = |restarts| fuse(FuseStatus::Armed { restarts, limit: 3, window_ms: 1_800_000 });
        assert!(armed(0).contains("Restarts: 0 of 3 in the last 30 min") && !armed(0).contains("<form"));
        assert!(armed(2).contains("2 of 3") && armed(2).contains("Reset counter"));
        let at = Timestamp::from_ms(1_769_847_300_000);
        let until = at + Duration::from_hours(3);
        let blown = fuse(FuseStatus::Blown { at, until, remaining_ms: 8_040_000 });
        for expected in [
            "Paused",
            "Resume proactive rules",
            "2 h 14 min",
            "datetime=\"2026-01-31T11:15:00.000Z\"",
            "<form",
        ] {
            assert!(blown.contains(expected), "{expected} in {blown}");
        }
    }

    #[test]
    fn the_thresholds_are_those_that_are_compared_with() {
        let numbers = ProactiveNumbers {
            fuse: FuseNumbers::default(),
            worker_size: WorkerSize::Large,
            memory_limit_bytes: None,
            percent_request_exclude: vec![],
            not_responding: NotRespondingNumbers::default(),
            cpu: None,
        };
        let html = view! { <Thresholds numbers=numbers.clone() /> }.to_html();
        for expected in [
            "above 90% of its limit for more than 30 s",
            "Large, 7 GiB (4 GiB for 32 bit)",
            "at least 80% of the requests within 120 s took 200 s or longer",
            "set percent_request_exclude in medic.toml",
            "no byte comes back for 1 min while at least 3 requests wait or are given up on",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        let own = ProactiveNumbers {
            memory_limit_bytes: Some(512 << 20),
            percent_request_exclude: vec!["/poll/*".parse().unwrap(), "/wait".parse().unwrap()],
            ..numbers.clone()
        };
        let html = view! { <Thresholds numbers=own /> }.to_html();
        for expected in ["memory_limit, 512 MiB", "(percent_request_exclude): /poll/*, /wait."] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        let not_responding = NotRespondingNumbers { enabled: false, ..NotRespondingNumbers::default() };
        let off = ProactiveNumbers { not_responding, ..numbers };
        assert!(view! { <Thresholds numbers=off /> }.to_html().contains("not_responding is false"));
    }
}
