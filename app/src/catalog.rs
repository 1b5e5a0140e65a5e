//! What the console offers for an app: categories, detectors and tools. Only what exists is listed; a page, a tile and the
//! search all read it from here.

use model::AppName;

use crate::address::{self, Address};
use crate::islands::SearchEntry;

/// The category's id in addresses.
pub(crate) const AVAILABILITY: &str = "availability-and-performance";

/// The id of the tools' category.
pub(crate) const DIAGNOSTIC_TOOLS: &str = "diagnostic-tools";

/// One page that answers a question about an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// On tiles, in the search and in the navigation.
    pub(crate) name: &'static str,
    /// What it belongs to.
    pub(crate) category: &'static str,
    /// One sentence.
    pub(crate) description: &'static str,
    /// What else people call it.
    keywords: &'static str,
    /// Where it is.
    address: Address,
}

impl Entry {
    /// Its address for one app.
    pub(crate) fn href(&self, app: &AppName) -> String {
        self.address.of_app(app)
    }
}

/// A group of entries, shown as a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Category {
    /// Its id: in addresses, and for its picture and colour.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) description: &'static str,
    /// What it holds, the entry that its heading leads to first.
    pub(crate) entries: &'static [Entry],
}

/// The overview of Availability and Performance.
pub(crate) const OVERVIEW: Entry = Entry {
    name: address::OVERVIEW.title,
    category: "Availability and Performance",
    description: "How the app and each of its instances do right now.",
    keywords: "health status instances workers down availability restart running",
    address: address::OVERVIEW,
};

/// The crash detector.
pub(crate) const CRASHES: Entry = Entry {
    name: address::APPLICATION_CRASHES.title,
    category: "Availability and Performance",
    description: "Which crashes happened, on which instances, and in which line of code.",
    keywords: "crash exception signal segfault SIGSEGV SIGABRT abort exit code out of memory OOM stack trace 502 debugger \
               dump panic crash monitoring",
    address: address::APPLICATION_CRASHES,
};

/// The restart detector.
pub(crate) const RESTARTED: Entry = Entry {
    name: address::WEB_APP_RESTARTED.title,
    category: "Availability and Performance",
    description: "How often workers were replaced, for which reason, and what it cost.",
    keywords: "restart recycle replace reboot auto-heal reason overlapped drained failed requests restart limit manual configuration",
    address: address::WEB_APP_RESTARTED,
};

/// The memory detector.
pub(crate) const MEMORY: Entry = Entry {
    name: address::MEMORY_ANALYSIS.title,
    category: "Availability and Performance",
    description: "How near each instance came to its memory limit, whether it grows, and what happened meanwhile.",
    keywords: "memory leak private bytes limit out of memory OOM kill growth RAM heap worker size cgroup",
    address: address::MEMORY_ANALYSIS,
};

/// The user's own rules, the proactive ones, and what both did.
pub(crate) const AUTO_HEAL: Entry = Entry {
    name: address::AUTO_HEAL.title,
    category: "Diagnostic Tools",
    description: "Which rules replace a worker that leaks, hangs or fails, what they see now, and what they did and why.",
    keywords: "auto heal rules recycle restart mitigate slow requests status code memory private bytes proactive fuse \
               percent memory percent request not responding hang custom action history web.config autoHealRules dry run",
    address: address::AUTO_HEAL,
};

/// Every incident of an app.
pub(crate) const INCIDENTS: Entry = Entry {
    name: address::INCIDENTS.title,
    category: "Diagnostic Tools",
    description: "Every crash signature that was ever seen, with a permanent address to share.",
    keywords: "history signature group crash list share link",
    address: address::INCIDENTS,
};

/// The settings.
pub(crate) const SETTINGS: Entry = Entry {
    name: address::SETTINGS.title,
    category: "Configuration and Management",
    description: "What Medic may do for the app by itself, and the configuration it runs with.",
    keywords: "configuration opt out auto-heal crash monitoring WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED \
               WEBSITE_PROACTIVE_AUTOHEAL_ENABLED environment instances",
    address: address::SETTINGS,
};

/// The tiles, in their order.
pub(crate) const CATEGORIES: [Category; 3] = [
    Category {
        id: AVAILABILITY,
        name: "Availability and Performance",
        description: "Check your app's health and discover app or platform issues.",
        entries: &[OVERVIEW, MEMORY, RESTARTED, CRASHES],
    },
    Category {
        id: "configuration-and-management",
        name: "Configuration and Management",
        description: "Find out what the app runs with and what Medic may do by itself.",
        entries: &[SETTINGS],
    },
    Category {
        id: DIAGNOSTIC_TOOLS,
        name: "Diagnostic Tools",
        description: "Run proactive tools to automatically mitigate the app.",
        entries: &[AUTO_HEAL],
    },
];

/// What people come for most.
pub(crate) const POPULAR: [Entry; 3] = [CRASHES, AUTO_HEAL, INCIDENTS];

/// Everything that can be found.
pub(crate) fn search_entries(app: &AppName) -> Vec<SearchEntry> {
    [OVERVIEW, MEMORY, RESTARTED, CRASHES, AUTO_HEAL, INCIDENTS, SETTINGS]
        .into_iter()
        .map(|entry| SearchEntry {
            name: entry.name.to_owned(),
            category: entry.category.to_owned(),
            href: entry.href(app),
            keywords: entry.keywords.to_owned(),
        })
        .collect()
}
