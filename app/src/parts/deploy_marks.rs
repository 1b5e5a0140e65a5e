//! Deploys on a chart: a thin line where other code began to run, its name where there is room, and what changed on hover.

use std::fmt::Write as _;

use insight::report::DeployMark;
use leptos::prelude::*;

use super::figure::{Swatch, hover, short};
use super::markup::text;
use super::plot::DeployLines;
use super::when::clock_seconds_text;

/// From one name to the next, so that none covers another; in the drawing's units.
const NAME_WIDTH: i32 = 96;
/// Characters of a name that fit there.
const NAME_CHARS: usize = 13;

/// The lines, for the end of a drawing. Trusted: it is made of numbers and what [`text`] has escaped.
pub(super) fn lines(
    deploys: &[DeployMark],
    DeployLines { xs, area: (top, floor), right }: &DeployLines,
) -> String {
    let mut drawn = String::new();
    let mut free_from = i32::MIN;
    for (deploy, x) in deploys.iter().zip(xs.iter().copied()) {
        let _infallible =
            write!(drawn, "<line class=\"deploy\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{floor}\"/>");
        let is_at_end = x + NAME_WIDTH > *right;
        let (from, x_of_name, anchor) =
            if is_at_end { (x - NAME_WIDTH, x - 4, "end") } else { (x, x + 4, "start") };
        if from >= free_from {
            free_from = from + NAME_WIDTH;
            let name = text(&named(&deploy.label));
            let y = top - 4;
            let _infallible = write!(
                drawn,
                "<text class=\"deploy\" x=\"{x_of_name}\" y=\"{y}\" text-anchor=\"{anchor}\">{name}</text>"
            );
        }
        drawn.push_str(&hover((x - 4, top - 14, 8, floor - top + 14), &words(deploy)));
    }
    drawn
}

fn named(label: &str) -> String {
    let is_long = label.chars().count() > NAME_CHARS;
    label
        .chars()
        .take(if is_long { NAME_CHARS - 1 } else { NAME_CHARS })
        .chain(is_long.then_some('…'))
        .collect()
}

/// `08:20:00 Deploy of 9f8e7d6: Revision 1111111 → 9f8e7d6 (git)`.
pub(super) fn words(deploy: &DeployMark) -> String {
    format!("{} Deploy of {}: {}", clock_seconds_text(deploy.at), short(&deploy.label), deploy.text)
}

/// In a sentence about a chart.
pub(super) fn about(deploys: &[DeployMark]) -> String {
    let names: Vec<String> = deploys.iter().map(|deploy| short(&deploy.label)).collect();
    if names.is_empty() { String::new() } else { format!(" Deploys: {}.", names.join(", ")) }
}

/// In the legend.
pub(super) fn legend(deploys: &[DeployMark]) -> impl IntoView + use<> {
    let count = deploys.len();
    (count > 0).then(|| {
        view! {
            <li>
                <Swatch path="M6 0v12" colour="var(--deploy)" />
                "Deploy"
                <span class="quiet">{count}</span>
            </li>
        }
    })
}
