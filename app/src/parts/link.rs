//! Where the links of a report lead, and what they are called.

use insight::detectors::detector;
use insight::report::Target;
use leptos::prelude::*;
use model::{AppName, TimeRange};

use crate::address::{AUTO_HEAL, DETECTOR, INCIDENT, SETTINGS};

/// The app that a report is about, and the time range that its links to other detectors keep.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    pub(crate) app: AppName,
    /// Nothing where the reader chose none.
    pub(crate) range: Option<TimeRange>,
}

impl Links {
    /// Of what is about no range.
    pub(crate) const fn of_app(app: AppName) -> Self {
        Self { app, range: None }
    }

    pub(crate) fn href(&self, target: &Target) -> String {
        let app = &self.app;
        match target {
            Target::Detector { id } => {
                let here =
                    detector(id).map(|detector| DETECTOR.of_detector(app, detector)).unwrap_or_default();
                match self.range {
                    Some(range) => format!("{here}?startTime={}&endTime={}", range.start, range.end),
                    None => here,
                }
            }
            Target::Incident { id } => INCIDENT.of_incident(id),
            Target::AutoHeal => AUTO_HEAL.of_app(app),
            Target::ProactiveRules => format!("{}?tab=proactive", AUTO_HEAL.of_app(app)),
            Target::AutoHealHistory => format!("{}?tab=history", AUTO_HEAL.of_app(app)),
            Target::Settings => SETTINGS.of_app(app),
        }
    }
}

fn label(target: &Target) -> &'static str {
    match target {
        Target::Detector { id } => detector(id).map_or("", |detector| detector.title),
        Target::Incident { .. } => "Open incident",
        Target::AutoHeal => AUTO_HEAL.title,
        Target::ProactiveRules => "Proactive rules",
        Target::AutoHealHistory => "Auto-heal history",
        Target::Settings => SETTINGS.title,
    }
}

/// A sentence with its link behind it.
#[component]
pub(crate) fn Linked<'a>(text: String, link: Option<Target>, links: &'a Links) -> impl IntoView + use<> {
    let link = link.map(|target| {
        view! {
            " "
            <a href=links.href(&target)>{label(&target)}</a>
        }
    });
    view! {
        {text}
        {link}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insight::detectors::DETECTORS;

    #[test]
    fn a_link_to_a_detector_keeps_the_range() {
        let mut links = Links::of_app("shop".parse().unwrap());
        for detector in DETECTORS {
            let target = Target::Detector { id: detector.id };
            let category = detector.category.id();
            let plain = format!("/apps/shop/categories/{category}/detectors/{}", detector.id);
            assert_eq!((links.href(&target), label(&target)), (plain, detector.title));
        }
        let at = |text: &str| text.parse().unwrap();
        links.range = Some(TimeRange { start: at("2026-01-31T08:15"), end: at("2026-01-31T09:15") });
        assert!(
            links
                .href(&Target::Detector { id: "memory-analysis" })
                .ends_with("?startTime=2026-01-31T08:15:00.000Z&endTime=2026-01-31T09:15:00.000Z")
        );
    }
}
