//! What the console offers for an app: categories, detectors and tools. Only what exists is listed; a page, a tile and the
//! search all read it from here. Detectors list themselves ([`insight::detectors::DETECTORS`]).

use insight::detector::{Category, Detector};
use insight::detectors::{DETECTORS, application_crashes};
use model::AppName;
use model::settings::Setting;

use crate::address::{self, Address, DETECTOR};

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
    description: "Current status of the app and each of its instances.",
    keywords: "health status instances workers down availability restart running",
    target: Target::Page(address::OVERVIEW),
};

/// The user's own rules, the proactive ones, and what both did.
pub(crate) const AUTO_HEAL: Entry = Entry {
    name: address::AUTO_HEAL.title,
    category: Category::DiagnosticTools,
    description: "The rules that replace a worker that leaks, hangs or fails, their current values, and their history.",
    keywords: "auto heal rules recycle restart mitigate slow requests status code memory private bytes proactive fuse \
               percent memory percent request not responding hang custom action history web.config autohealrules dry run",
    target: Target::Page(address::AUTO_HEAL),
};

/// Every incident of an app.
pub(crate) const INCIDENTS: Entry = Entry {
    name: address::INCIDENTS.title,
    category: Category::DiagnosticTools,
    description: "Every recorded crash signature, with a permanent address to share.",
    keywords: "history signature group crash list share link",
    target: Target::Page(address::INCIDENTS),
};

/// The share links of all apps.
pub(crate) const SHARES: Entry = Entry {
    name: address::SHARES.title,
    category: Category::DiagnosticTools,
    description: "Links to snapshots of incidents, reports and restarts for readers without an account, and how often they were opened.",
    keywords: "share link snapshot public colleague send revoke expire",
    target: Target::Page(address::SHARES),
};

/// The settings.
pub(crate) const SETTINGS: Entry = Entry {
    name: address::SETTINGS.title,
    category: Category::ConfigurationAndManagement,
    description: "The app's proactive features and its effective configuration.",
    keywords: "configuration opt out auto-heal crash monitoring first crash environment instances",
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

/// One thing that can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchEntry {
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) href: String,
    /// What it is found by, in lower case.
    pub(crate) words: String,
}

/// Everything that can be found; the settings by their names too.
pub(crate) fn search_entries(
    app: &AppName,
    setting_name: impl Fn(Setting) -> &'static str,
) -> Vec<SearchEntry> {
    let found = |entry: Entry, names: &[&str]| {
        let category = entry.category.title();
        let words = [&[entry.name, category, entry.keywords], names].concat().join(" ").to_lowercase();
        SearchEntry { name: entry.name, category, href: entry.href(app), words }
    };
    let names = Setting::ALL.map(setting_name);
    let listed = Category::ALL.into_iter().flat_map(entries).chain([INCIDENTS, SHARES]);
    listed.map(|entry| found(entry, if entry.name == SETTINGS.name { &names } else { &[] })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_stands_on_its_tile_and_is_found_and_settings_by_their_names() {
        let app: AppName = "shop".parse().unwrap();
        let found = search_entries(&app, |_| "NAME_OF_A_SETTING");
        for detector in DETECTORS {
            let href = DETECTOR.of_detector(&app, detector);
            assert!(entries(detector.category).iter().any(|entry| entry.href(&app) == href), "{href}");
            assert!(found.iter().any(|entry| entry.href == href && entry.name == detector.title), "{href}");
        }
        let named = found.iter().filter(|entry| entry.words.contains("name_of_a_setting"));
        assert_eq!(named.map(|entry| entry.name).collect::<Vec<_>>(), [SETTINGS.name]);
    }
}
