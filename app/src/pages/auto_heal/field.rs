//! The fields of the rules' form: each with its label, its limits as attributes and in a hint, and what is wrong with it. The
//! attributes only help: whoever receives the form checks regardless.

use leptos::prelude::*;
use model::auto_heal::config::{COUNT_MOST, LIST_LIMIT, Violation};

use super::draft::{Draft, List, Row, field_name};

/// As [`model::auto_heal::config::TimeSpan`] reads it.
const SPAN_PATTERN: &str = "([0-9]{1,5}\\.)?[0-9]{1,2}:[0-5]?[0-9]:[0-5]?[0-9]";
/// As App Service's form has it.
const PATH_PATTERN: &str = "[*\\/A-Za-z0-9_.\\-]*";
const RANGE_PATTERN: &str = "[1-5][0-9]{2}-[1-5][0-9]{2}";

/// What every field is made with.
#[derive(Clone)]
pub(super) struct Fields {
    /// What is wrong, to be said beside its field.
    pub(super) violations: Vec<Violation>,
    /// The list whose first empty row the cursor is put into.
    pub(super) focus: Option<List>,
}

/// How a field is typed into.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Number { least: u64, most: u64 },
    Text { pattern: Option<&'static str>, example: &'static str, most: u16 },
}

pub(super) const SPAN: Kind = Kind::Text { pattern: Some(SPAN_PATTERN), example: "00:05:00", most: 14 };
pub(super) const PATH: Kind = Kind::Text { pattern: Some(PATH_PATTERN), example: "/api/*", most: 256 };
pub(super) const COUNT: Kind = Kind::Number { least: 1, most: COUNT_MOST };

/// An id that can stand in a selector and an address.
pub(super) fn id_of(name: &str) -> String {
    name.chars()
        .filter(|letter| *letter != ']')
        .map(|letter| if letter == '[' || letter == '.' { '-' } else { letter })
        .collect()
}

/// A field as the form calls it, from its name: `Status code 1, within`.
pub(super) fn words_of(name: &str) -> String {
    let (place, field) = name.rsplit_once('.').unwrap_or(("", name));
    let (list, number) =
        place.strip_suffix(']').and_then(|place| place.split_once('[')).unwrap_or((place, ""));
    let number = number.parse::<usize>().map(|index| format!(" {}", index + 1)).unwrap_or_default();
    let condition = match list {
        "triggers.requests" => "Request count",
        "triggers.slow_requests" => "Slow requests",
        "triggers.slow_requests_with_path" => title(List::SlowRequestsWithPath),
        "triggers.status_codes" => title(List::StatusCodes),
        "triggers.status_codes_range" => title(List::StatusCodesRange),
        _ => "",
    };
    let field = match field {
        "count" => "number of requests",
        "time_interval" => "within",
        "time_taken" => "time taken",
        "path" => "path",
        "status" => "status code",
        "sub_status" => "sub-status",
        "win32_status" => "Win32 status",
        "status_codes" if !condition.is_empty() => "status codes",
        "private_bytes_kib" => "Private bytes",
        "exe" => "Executable",
        "parameters" => "Parameters",
        "min_process_execution_time" => "Minimum uptime",
        "action_type" => "Action",
        "triggers" => "Conditions",
        _ => return name.to_owned(),
    };
    if condition.is_empty() { field.to_owned() } else { format!("{condition}{number}, {field}") }
}

impl Fields {
    pub(super) fn messages(&self, name: &str) -> Vec<String> {
        let of_field = self.violations.iter().filter(|violation| field_name(violation) == name);
        of_field.map(insight::violation::message).collect()
    }

    /// Label, input, hint, and what is wrong with it.
    pub(super) fn input(
        &self,
        name: &str,
        label: &'static str,
        hint: &'static str,
        kind: Kind,
        value: &str,
    ) -> AnyView {
        self.focused_input(name, label, hint, kind, value, false)
    }

    fn focused_input(
        &self,
        name: &str,
        label: &'static str,
        hint: &'static str,
        kind: Kind,
        value: &str,
        focused: bool,
    ) -> AnyView {
        let (id, wrong) = (id_of(name), self.messages(name));
        let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
        let described = [(!hint.is_empty(), &hint_id), (!wrong.is_empty(), &error_id)]
            .into_iter()
            .filter_map(|(there, id)| there.then_some(id.as_str()))
            .collect::<Vec<_>>()
            .join(" ");
        let described = (!described.is_empty()).then_some(described);
        let invalid = (!wrong.is_empty()).then_some("true");
        let (name, value) = (name.to_owned(), value.to_owned());
        let for_id = id.clone();
        let input = match kind {
            Kind::Number { least, most } => view! {
                <input
                    type="number"
                    id=id
                    name=name
                    value=value
                    min=least.to_string()
                    max=most.to_string()
                    step="1"
                    autofocus=focused
                    aria-invalid=invalid
                    aria-describedby=described
                />
            }
            .into_any(),
            Kind::Text { pattern, example, most } => view! {
                <input
                    type="text"
                    id=id
                    name=name
                    value=value
                    pattern=pattern
                    placeholder=example
                    maxlength=most.to_string()
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    autofocus=focused
                    aria-invalid=invalid
                    aria-describedby=described
                />
            }
            .into_any(),
        };
        view! {
            <div class="field">
                <label for=for_id>{label}</label>
                {input}
                {(!hint.is_empty())
                    .then(|| {
                        view! {
                            <p class="hint" id=hint_id>
                                {hint}
                            </p>
                        }
                    })}
                <Wrong id=error_id messages=wrong />
            </div>
        }
        .into_any()
    }

    pub(super) fn slow(&self, at: &str, row: &Row) -> [AnyView; 3] {
        [
            self.input(&format!("{at}.count"), "Slow requests, at least", "", COUNT, &row.count),
            self.input(
                &format!("{at}.time_taken"),
                "Each taking, at least",
                "hh:mm:ss",
                SPAN,
                &row.time_taken,
            ),
            self.input(
                &format!("{at}.time_interval"),
                "Within",
                "hh:mm:ss, not shorter than the time taken",
                SPAN,
                &row.time_interval,
            ),
        ]
    }

    pub(super) fn list(&self, here: &str, draft: &Draft, list: List) -> AnyView {
        let rows = draft.rows(list);
        let blank = vec![Row::default(); rows.blank];
        let first_blank = rows.filled.len();
        let row = |(index, row): (usize, &Row)| {
            let focused = self.focus == Some(list) && index + 1 == first_blank + rows.blank;
            let remove = (index < first_blank)
                .then(|| view! { <Remove here=here.to_owned() list=list index=index /> });
            view! {
                <fieldset class="row">
                    <legend>{format!("{} {}", title(list), index + 1)}</legend>
                    {self.row(list, index, row, focused)}
                    {remove}
                </fieldset>
            }
        };
        let room = rows.has_room();
        let wrong = self.messages(&format!("triggers.{}", list.name()));
        view! {
            <div class="rows" id=list.name()>
                {rows.filled.iter().chain(&blank).enumerate().map(row).collect_view()}
                <Wrong id=format!("{}-error", list.name()) messages=wrong />
                {if room {
                    view! {
                        <button
                            class="button quiet-button"
                            type="submit"
                            name="do"
                            value=format!("add:{}", list.name())
                            formnovalidate=true
                        >
                            "Add row"
                            <span class="hidden-label">{format!(" for {}", title(list))}</span>
                        </button>
                    }
                        .into_any()
                } else {
                    view! { <p class="hint">{format!("At most {LIST_LIMIT} of a kind.")}</p> }.into_any()
                }}
            </div>
        }
        .into_any()
    }

    fn row(&self, list: List, index: usize, row: &Row, focused: bool) -> Vec<AnyView> {
        let at = format!("triggers.{}[{index}]", list.name());
        let path = |hint: &'static str| self.input(&format!("{at}.path"), "Path", hint, PATH, &row.path);
        let counted = [
            self.input(&format!("{at}.count"), "Requests, at least", "", COUNT, &row.count),
            self.input(&format!("{at}.time_interval"), "Within", "hh:mm:ss", SPAN, &row.time_interval),
        ];
        match list {
            List::SlowRequestsWithPath => {
                let label = "Path";
                let hint = "* is the only wildcard";
                let path = self.focused_input(&format!("{at}.path"), label, hint, PATH, &row.path, focused);
                std::iter::once(path).chain(self.slow(&at, row)).collect()
            }
            List::StatusCodes => {
                let kind = Kind::Number { least: 101, most: 529 };
                let name = format!("{at}.status");
                let status =
                    self.focused_input(&name, "Status code", "101 to 529", kind, &row.status, focused);
                let kept = [("sub_status", &row.sub_status), ("win32_status", &row.win32_status)];
                let kept =
                    kept.into_iter().filter(|(_, value)| !value.trim().is_empty()).map(|(name, value)| {
                        let (name, value) = (format!("{at}.{name}"), value.clone());
                        view! { <input type="hidden" name=name value=value /> }
                    });
                let kept = kept.collect_view().into_any();
                std::iter::once(status)
                    .chain(counted)
                    .chain([path("optional; * is the only wildcard"), kept])
                    .collect()
            }
            List::StatusCodesRange => {
                let kind = Kind::Text { pattern: Some(RANGE_PATTERN), example: "500-530", most: 16 };
                let name = format!("{at}.status_codes");
                let hint = "100 to 530, the smaller first";
                let range = self.focused_input(&name, "Status codes", hint, kind, &row.status_codes, focused);
                std::iter::once(range)
                    .chain(counted)
                    .chain([path("optional; * is the only wildcard")])
                    .collect()
            }
        }
    }
}

const fn title(list: List) -> &'static str {
    match list {
        List::SlowRequestsWithPath => "Slow requests with path",
        List::StatusCodes => "Status code",
        List::StatusCodesRange => "Status code range",
    }
}

/// What is wrong, in words.
#[component]
pub(super) fn Wrong(id: String, messages: Vec<String>) -> impl IntoView {
    (!messages.is_empty()).then(|| {
        view! {
            <p class="wrong" id=id>
                {messages.into_iter().map(|message| view! { <span>{message} ". "</span> }).collect_view()}
            </p>
        }
    })
}

#[component]
fn Remove(here: String, list: List, index: usize) -> impl IntoView {
    view! {
        <button
            class="button quiet-button remove"
            type="submit"
            name="do"
            value=format!("remove:{}[{index}]", list.name())
            formaction=format!("{here}#{}", list.name())
            formnovalidate=true
        >
            "Remove"
            <span class="hidden-label">{format!(" {} {}", title(list), index + 1)}</span>
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_called_as_on_the_form() {
        let cases = [
            ("triggers.status_codes[1].time_interval", "Status code 2, within"),
            ("triggers.requests.count", "Request count, number of requests"),
            ("triggers.private_bytes_kib", "Private bytes"),
            ("actions.min_process_execution_time", "Minimum uptime"),
            ("triggers", "Conditions"),
            ("triggers.status_codes", "triggers.status_codes"),
            ("do", "do"),
        ];
        for (name, words) in cases {
            assert_eq!(words_of(name), words);
        }
        assert_eq!(id_of("triggers.status_codes[1].count"), "triggers-status_codes-1-count");
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field_with_what_was_typed() {
        let violation =
            Violation::new("rules.triggers.requests.count", "`<b>`", model::violation::Accepted::WholeNumber);
        let fields = Fields { violations: vec![violation], focus: None };
        let html =
            fields.input("triggers.requests.count", "Requests", "hint", COUNT, "\"><script>").to_html();
        for expected in [
            "aria-invalid=\"true\"",
            "aria-describedby=\"triggers-requests-count-hint triggers-requests-count-error\"",
            "min=\"1\"",
            "&lt;b&gt;",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
    }
}
