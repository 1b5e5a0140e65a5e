//! What a detector is: one question about an app, the evidence that it asks for, and a pure function from that to a report.
//!
//! A detector is one file of [`crate::detectors`] and one row of [`crate::detectors::DETECTORS`]. Navigation, tiles, search, its
//! page and its place in the API are made from what stands in [`Detector`].

use crate::evidence::{Ask, Evidence};
use crate::report::Report;

/// One question about an app.
#[derive(Debug)]
pub struct Detector {
    /// In addresses: its title in kebab case.
    pub id: &'static str,
    /// On pages, with Azure's capitals.
    pub title: &'static str,
    /// Where it is listed.
    pub category: Category,
    /// One sentence.
    pub description: &'static str,
    /// What else people call it, for the search.
    pub keywords: &'static str,
    /// Whether it speaks of a time range or of this moment.
    pub span: Span,
    /// What is gathered for it; the rest of [`Evidence`] is empty.
    pub evidence: &'static [Ask],
    /// Whether a link may show it to whoever has the link.
    pub sharing: Sharing,
    /// The answer.
    pub report: fn(&Evidence) -> Report,
}

/// Whether a detector's answer may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// It speaks of processes, output or connections, or it is no report of its own.
    Private,
    /// As a snapshot ([`crate::share`]): all but the tables, of which those that are named have the columns that are named.
    Snapshot { tables: &'static [(&'static str, SharedColumns)] },
}

/// The keys of a table's columns that are shared.
pub type SharedColumns = &'static [&'static str];

/// What time a detector speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The range that is asked for.
    Range,
    /// This moment; no range can be chosen.
    Now,
}

/// A troubleshooting category, as App Service has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// How the app does.
    AvailabilityAndPerformance,
    /// How it is set up.
    ConfigurationAndManagement,
    /// What can be done about it.
    DiagnosticTools,
}

impl Category {
    /// In the order of the tiles.
    pub const ALL: [Self; 3] =
        [Self::AvailabilityAndPerformance, Self::ConfigurationAndManagement, Self::DiagnosticTools];

    /// In addresses.
    pub const fn id(self) -> &'static str {
        match self {
            Self::AvailabilityAndPerformance => "availability-and-performance",
            Self::ConfigurationAndManagement => "configuration-and-management",
            Self::DiagnosticTools => "diagnostic-tools",
        }
    }

    /// On pages.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AvailabilityAndPerformance => "Availability and Performance",
            Self::ConfigurationAndManagement => "Configuration and Management",
            Self::DiagnosticTools => "Diagnostic Tools",
        }
    }

    /// One sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::AvailabilityAndPerformance => {
                "Check your app's health and discover app or platform issues."
            }
            Self::ConfigurationAndManagement => {
                "See the app's configuration and what Medic may do automatically."
            }
            Self::DiagnosticTools => "Run proactive tools to automatically mitigate the app.",
        }
    }
}
