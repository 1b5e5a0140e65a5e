//! The page of a detector: its question, the time range that it answers for, and the answer.

use leptos::prelude::*;
use model::range::ReadRange;
use model::{AppName, Timestamp};

use super::frame::{LiveRegion, Page, app_crumbs};
use super::range::RangePill;
use crate::catalog::{Entry, OVERVIEW};

/// The page.
#[component]
pub(crate) fn DetectorPage(
    /// Which detector.
    entry: Entry,
    /// The app that is asked about.
    app: AppName,
    /// The range that is asked about.
    read: ReadRange,
    /// The present.
    now: Timestamp,
    /// What it answers.
    children: Children,
) -> impl IntoView {
    let mut crumbs = app_crumbs(&app);
    crumbs.push((entry.category.to_owned(), OVERVIEW.href(&app)));
    let (title, here) = (format!("{app}: {}", entry.name), entry.href(&app));
    view! {
        <Page title=title crumbs=crumbs app=Some(app) here=here.clone()>
            <h1>{entry.name}</h1>
            <p class="lead">{entry.description}</p>
            <LiveRegion name="range">
                <RangePill read=read now=now here=here />
            </LiveRegion>
            {children()}
        </Page>
    }
}
