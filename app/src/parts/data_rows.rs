//! The rows of the table behind a chart, as markup made by hand: a day of ten instances is a thousand cells, and as views each
//! would cost the server an allocation or more.

use std::fmt::Write as _;

use model::Timestamp;

use super::markup::text;
use super::when::seconds_text;

/// What is known of one moment.
pub(super) struct DataRow {
    /// When it began.
    pub(super) at: Timestamp,
    /// A cell for each line or series.
    pub(super) values: Vec<String>,
    /// What happened; `None` where the table has no column for it.
    pub(super) events: Option<String>,
}

/// What stands in `<tbody>`. Trusted: all but the tags is escaped.
pub(super) fn body(rows: impl IntoIterator<Item = DataRow>) -> String {
    let mut markup = String::new();
    for DataRow { at, values, events } in rows {
        let _infallible =
            write!(markup, "<tr><th scope=\"row\"><time datetime=\"{at}\">{}</time></th>", seconds_text(at));
        for value in values {
            let _infallible = write!(markup, "<td class=\"number\">{}</td>", text(&value));
        }
        if let Some(events) = events {
            let _infallible = write!(markup, "<td class=\"wrap\">{}</td>", text(&events));
        }
        markup.push_str("</tr>");
    }
    markup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_moment_and_its_cells_and_no_name_becomes_a_tag() {
        let row = |events: Option<&str>| DataRow {
            at: "2026-01-31T08:15".parse().unwrap(),
            values: vec!["2".to_owned(), "–".to_owned()],
            events: events.map(str::to_owned),
        };
        assert_eq!(
            body([row(Some("Deploy of <b>2</b>")), row(None)]),
            "<tr><th scope=\"row\"><time datetime=\"2026-01-31T08:15:00.000Z\">2026-01-31 08:15:00</time></th>\
             <td class=\"number\">2</td><td class=\"number\">–</td><td class=\"wrap\">Deploy of &lt;b&gt;2&lt;/b&gt;</td></tr>\
             <tr><th scope=\"row\"><time datetime=\"2026-01-31T08:15:00.000Z\">2026-01-31 08:15:00</time></th>\
             <td class=\"number\">2</td><td class=\"number\">–</td></tr>"
        );
    }
}
