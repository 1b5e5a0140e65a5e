//! Pictures. Statuses differ in shape as well as in colour, and always stand beside their word.

use insight::detector::Category;
use insight::report::Severity;
use leptos::prelude::*;

/// Medic's own mark: a pulse that finds its way back.
#[component]
pub(crate) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M4 17h6l3-8 5 15 4-11 2 4h4" />
        </svg>
    }
}

/// The class that colours a severity.
pub(crate) const fn tone(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
        Severity::Healthy => "success",
    }
}

/// A status: picture and word.
#[component]
pub(crate) fn Status(
    /// Picks the picture and the colour.
    severity: Severity,
    /// What is said; the severity's own word where nothing else is.
    #[prop(optional, into)]
    word: Option<String>,
) -> impl IntoView {
    let path = match severity {
        Severity::Critical => "M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM7 7l6 6M13 7l-6 6",
        Severity::Warning => "M10 2.5 18.5 17h-17L10 2.5ZM10 8v4M10 14.2v.6",
        Severity::Info => "M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM10 9v5M10 6v.6",
        Severity::Healthy => "M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM6.5 10.2l2.5 2.6 4.6-5.2",
    };
    view! {
        <span class=format!("status {}", tone(severity))>
            <svg viewBox="0 0 20 20" aria-hidden="true">
                <path d=path />
            </svg>
            <span class="status-word">{word.unwrap_or_else(|| severity.word().to_owned())}</span>
        </span>
    }
}

/// A category's picture.
#[component]
pub(crate) fn CategoryPicture(category: Category) -> impl IntoView {
    let path = match category {
        Category::AvailabilityAndPerformance => "M6 36h10l5-14 8 24 6-18 4 8h13M6 46h46",
        Category::DiagnosticTools => {
            "M30 8v10M30 42v10M8 30h10M42 30h10M30 18a12 12 0 1 0 0 24a12 12 0 1 0 0-24M30 24v12M24 30h12"
        }
        Category::ConfigurationAndManagement => {
            "M8 18h20M40 18h12M8 30h8M28 30h24M8 42h26M46 42h6M34 18m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M22 30m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M40 42m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0"
        }
    };
    view! {
        <svg class="picture" viewBox="0 0 60 60" aria-hidden="true">
            <path d=path />
        </svg>
    }
}
