//! What figures have in common: the drawing as an image with a title and a description, what it says on hover, and the swatches
//! of the legend.

use leptos::prelude::*;

use super::markup::text;
use super::plot::{Plot, Size};

/// The drawing, for `inner_html`; `id` is unique on the page. Trusted: it is made of numbers, times and what [`text`] has
/// escaped.
pub(super) fn image<T>(
    plot: &Plot<T>,
    size: Size,
    id: &str,
    title: &str,
    about: &str,
    hover: &str,
) -> String {
    let (class, view_box, inner) = (size.class, &plot.view_box, &plot.inner);
    let (id, title, about) = (text(id), text(title), text(about));
    format!(
        "<svg class=\"plot {class}\" viewBox=\"{view_box}\" role=\"img\" aria-labelledby=\"{id}-title {id}-about\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-about\">{about}</desc>{inner}{hover}</svg>"
    )
}

/// What a place of a drawing says while the pointer is over it.
pub(super) fn hover((x, y, width, height): (i32, i32, i32, i32), says: &str) -> String {
    format!(
        "<rect class=\"column\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{}</title></rect>",
        text(says)
    )
}

/// Above a drawing.
pub(super) fn caption(title: &str, has_heading: bool) -> String {
    if has_heading { "Times in UTC".to_owned() } else { format!("{title} (times in UTC)") }
}

/// A name that fits into a legend.
pub(super) fn short(name: &str) -> String {
    let mut short = name.chars().take(60).collect::<String>();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// A line in the legend.
pub(super) const LINE_SWATCH: &str = "M0 6h12";
/// A column in the legend.
pub(super) const COLUMN_SWATCH: &str = "M1.25 1.25h9.5v9.5h-9.5z";

/// What a name of the legend looks like in the drawing.
#[component]
pub(super) fn Swatch(
    /// Its shape in a square of 12.
    path: &'static str,
    /// Of stroke and filling.
    #[prop(into)]
    colour: String,
    /// A shape rather than a line.
    #[prop(optional)]
    filled: bool,
) -> impl IntoView {
    let fill = if filled { colour.clone() } else { "none".to_owned() };
    view! {
        <svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">
            <path d=path stroke=colour stroke-width="2.5" stroke-linejoin="round" fill=fill />
        </svg>
    }
}
