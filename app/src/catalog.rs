//! What the console offers for an app: categories, detectors and tools. Only what exists is listed; a page, a tile and the
//! search all read it from here. Detectors list themselves ([`insight::detectors::DETECTORS`]).

use insight::detector::{Category, Detector};
use insight::detectors::{DETECTORS, application_crashes};
use model::AppName;

use crate::address::{self, Address, DETECTOR};
use crate::parts::search::SearchEntry;

/// One page that answers a question about an app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// On tiles, in the search and in the navigation.
    pub(crate) name: &'static str,
    /// What it belongs to.
    pub(crate) category: Category,
    /// One sentence.
    pub(crate) description: &'static str,
    /// What else people call it.
    keywords: &'static str,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Page(Address),
    Detector(&'static Detector),
}

impl Entry {
    const fn of(detector: &'static Detector) -> Self {
        Self {
            name: detector.title,
            category: detector.category,
            description: detector.description,
            keywords: detector.keywords,
            target: Target::Detector(detector),
        }
    }

    /// Its address for one app.
    pub(crate) fn href(&self, app: &AppName) -> String {
        match self.target {
            Target::Page(address) => address.of_app(app),
            Target::Detector(detector) => DETECTOR.of_detector(app, detector),
        }
    }
}

/// The overview of Availability and Performance.
pub(crate) const OVERVIEW: Entry = Entry {
    name: address::OVERVIEW.title,
    category: Category::AvailabilityAndPerformance,
    description: "How the app and each of its instances do right now.",
    keywords: "health status instances workers down availability restart running",
    target: Target::Page(address::OVERVIEW),
};

/// The user's own rules, the proactive ones, and what both did.
pub(crate) const AUTO_HEAL: Entry = Entry {
    name: address::AUTO_HEAL.title,
    category: Category::DiagnosticTools,
    description: "Which rules replace a worker that leaks, hangs or fails, what they see now, and what they did and why.",
    keywords: "auto heal rules recycle restart mitigate slow requests status code memory private bytes proactive fuse \
               percent memory percent request not responding hang custom action history web.config autoHealRules dry run",
    target: Target::Page(address::AUTO_HEAL),
};

/// Every incident of an app.
pub(crate) const INCIDENTS: Entry = Entry {
    name: address::INCIDENTS.title,
    category: Category::DiagnosticTools,
    description: "Every crash signature that was ever seen, with a permanent address to share.",
    keywords: "history signature group crash list share link",
    target: Target::Page(address::INCIDENTS),
};

/// The settings.
pub(crate) const SETTINGS: Entry = Entry {
    name: address::SETTINGS.title,
    category: Category::ConfigurationAndManagement,
    description: "What Medic may do for the app by itself, and the configuration it runs with.",
    keywords: "configuration opt out auto-heal crash monitoring WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED \
               WEBSITE_PROACTIVE_AUTOHEAL_ENABLED environment instances",
    target: Target::Page(address::SETTINGS),
};

/// The crash detector, which other pages lead to.
pub(crate) const CRASHES: Entry = Entry::of(&application_crashes::DETECTOR);

/// What a category's tile lists, the entry that its heading leads to first.
pub(crate) fn entries(category: Category) -> Vec<Entry> {
    let pages: &[Entry] = match category {
        Category::AvailabilityAndPerformance => &[OVERVIEW],
        Category::ConfigurationAndManagement => &[SETTINGS],
        Category::DiagnosticTools => &[AUTO_HEAL],
    };
    let detectors = DETECTORS.into_iter().filter(|detector| detector.category == category).map(Entry::of);
    pages.iter().copied().chain(detectors).collect()
}

/// What people come for most.
pub(crate) const POPULAR: [Entry; 3] = [CRASHES, AUTO_HEAL, INCIDENTS];

/// Everything that can be found.
pub(crate) fn search_entries(app: &AppName) -> Vec<SearchEntry> {
    let listed = Category::ALL.into_iter().flat_map(entries).chain([INCIDENTS]);
    listed
        .map(|entry| SearchEntry {
            name: entry.name,
            category: entry.category.title(),
            href: entry.href(app),
            keywords: entry.keywords,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_stands_on_its_tile_and_is_found() {
        let app: AppName = "shop".parse().unwrap();
        let found = search_entries(&app);
        for detector in DETECTORS {
            let href = DETECTOR.of_detector(&app, detector);
            assert!(entries(detector.category).iter().any(|entry| entry.href(&app) == href), "{href}");
            assert!(found.iter().any(|entry| entry.href == href && entry.name == detector.title), "{href}");
        }
    }
}
