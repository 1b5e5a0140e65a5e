//! Reads a TOML table key by key: remembers where each value came from, collects what is wrong, and finds the keys that nobody
//! asked for. (serde would stop at the first mistake and could not say what came from the environment.)

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use model::text::seen;
use toml::de::{DeTable, DeValue};

use super::values::{Raw, raw, shown};
use super::{ConfigError, Line, Problem};

/// What begins so in the environment is a setting …
const PREFIX: &str = "MEDIC_";
/// … except for these.
const NOT_SETTINGS: [&str; 2] = ["MEDIC_LOG", "MEDIC_TEST_"];

/// One table of the file.
pub(super) struct Section<'t> {
    /// `server`, `app`; empty for the file itself.
    name: String,
    /// The app whose table this is.
    app: Option<String>,
    line: Option<usize>,
    table: DeTable<'t>,
    /// The key under which the environment may override: apps have none, since they have no fixed number.
    environment: Option<String>,
    asked: Vec<(String, Option<usize>)>,
}

/// The whole file.
pub(super) struct Reader<'t> {
    text: &'t str,
    file: &'t str,
    environment: BTreeMap<String, String>,
    problems: Vec<Problem>,
    doubts: Vec<Problem>,
    lines: Vec<Line>,
}

impl Section<'_> {
    /// It stands in the file.
    pub(super) const fn is_given(&self) -> bool {
        self.line.is_some()
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, file: &'t str, environment: &BTreeMap<String, String>) -> Self {
        let is_setting = |name: &str| {
            name.starts_with(PREFIX) && !NOT_SETTINGS.iter().any(|other| name.starts_with(other))
        };
        let environment = environment
            .iter()
            .filter(|(name, _)| is_setting(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self { text, file, environment, problems: Vec::new(), doubts: Vec::new(), lines: Vec::new() }
    }

    pub(super) fn root(&self) -> Result<Section<'t>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            file: self.file.to_owned(),
            line: error.span().map_or(1, |span| self.line_of(&span)),
            message: error.message().to_owned(),
        })?;
        Ok(Section {
            name: String::new(),
            app: None,
            line: None,
            table: table.into_inner(),
            environment: None,
            asked: Vec::new(),
        })
    }

    /// The table of that name; an empty one where the file has none.
    pub(super) fn section(&mut self, parent: &mut Section<'t>, name: &str) -> Section<'t> {
        let full_name =
            if parent.name.is_empty() { name.to_owned() } else { format!("{}.{name}", parent.name) };
        let environment = parent.app.is_none().then(|| format!("{PREFIX}{}_", name.to_ascii_uppercase()));
        let value = parent.table.remove(name);
        let line = value.as_ref().map(|value| self.line_of(&value.span()));
        parent.asked.push((name.to_owned(), line));
        let (line, table) = match value {
            None => (None, DeTable::new()),
            Some(value) => {
                if let DeValue::Table(table) = value.into_inner() {
                    (line, table)
                } else {
                    self.problem(
                        line,
                        &full_name,
                        "must be a table".to_owned(),
                        format!("write [{full_name}]"),
                    );
                    (line, DeTable::new())
                }
            }
        };
        Section { name: full_name, app: parent.app.clone(), line, table, environment, asked: Vec::new() }
    }

    /// The tables of an array of tables.
    pub(super) fn sections(&mut self, parent: &mut Section<'t>, name: &str) -> Vec<Section<'t>> {
        let value = parent.table.remove(name);
        let line = value.as_ref().map(|value| self.line_of(&value.span()));
        parent.asked.push((name.to_owned(), line));
        let Some(value) = value else { return Vec::new() };
        let DeValue::Array(values) = value.into_inner() else {
            self.problem(line, name, "must be an array of tables".to_owned(), format!("write [[{name}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for value in values {
            let line = Some(self.line_of(&value.span()));
            match value.into_inner() {
                DeValue::Table(table) => {
                    // Stands for the name until that is read; no app can be named so.
                    let app = Some(format!("#{}", sections.len()));
                    sections.push(Section {
                        name: name.to_owned(),
                        app,
                        line,
                        table,
                        environment: None,
                        asked: Vec::new(),
                    });
                }
                _ => self.problem(line, name, "must be a table".to_owned(), format!("write [[{name}]]")),
            }
        }
        sections
    }

    /// Gives the app's name to what was read and will be read from its table.
    pub(super) fn name_app_lines(&mut self, section: &mut Section<'t>, name: &str) {
        let provisional = section.app.replace(name.to_owned());
        for line in self.lines.iter_mut().filter(|line| line.app == provisional) {
            line.app = Some(name.to_owned());
        }
    }

    /// A setting with a default that is written as in the file.
    pub(super) fn or<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &str,
        default: &str,
        parse: impl Fn(&Raw) -> Result<T, String>,
    ) -> T {
        if let Some(value) = self.optional(section, key, &parse) {
            return value;
        }
        self.say(section, key, default, "default".to_owned());
        parse(&Raw::Text(default.to_owned())).expect("defaults are good values")
    }

    /// A setting with a computed default.
    pub(super) fn or_else<T: fmt::Display>(
        &mut self,
        section: &mut Section<'t>,
        key: &str,
        default: T,
        parse: impl Fn(&Raw) -> Result<T, String>,
    ) -> T {
        if let Some(value) = self.optional(section, key, &parse) {
            return value;
        }
        self.say(section, key, &default.to_string(), "default".to_owned());
        default
    }

    /// A setting whose value is shown as `***`.
    pub(super) fn secret<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &str,
        default: &str,
        parse: impl Fn(&Raw) -> Result<T, String>,
    ) -> T {
        let from = self.lines.len();
        let value = self.or(section, key, default, parse);
        for line in self.lines.iter_mut().skip(from).filter(|line| !line.value.is_empty()) {
            "***".clone_into(&mut line.value);
        }
        value
    }

    /// A setting that must be there.
    pub(super) fn required<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &str,
        example: &str,
        parse: impl Fn(&Raw) -> Result<T, String>,
    ) -> Option<T> {
        let before = self.problems.len();
        let value = self.optional(section, key, parse);
        if value.is_none() && self.problems.len() == before {
            self.problem(
                section.line,
                &full(section, key),
                "required setting is missing".to_owned(),
                format!("add {key} = {example}"),
            );
        }
        value
    }

    /// A setting that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &str,
        parse: impl Fn(&Raw) -> Result<T, String>,
    ) -> Option<T> {
        let from_file = section.table.remove(key).map(|value| {
            let line = self.line_of(&value.span());
            (raw(value.into_inner()), line)
        });
        section.asked.push((key.to_owned(), from_file.as_ref().map(|(_, line)| *line)));
        let variable =
            section.environment.as_ref().map(|prefix| format!("{prefix}{}", key.to_ascii_uppercase()));
        let overriding = variable.and_then(|name| self.environment.remove(&name).map(|value| (name, value)));
        let (raw, place) = match (overriding, from_file) {
            (Some((name, value)), _) => (Raw::Text(value), name),
            (None, Some((raw, line))) => (raw, self.place(Some(line))),
            (None, None) => return None,
        };
        match parse(&raw) {
            Ok(value) => {
                self.say(section, key, &shown(&raw), place);
                Some(value)
            }
            Err(what) => {
                let (what, remedy) = what.split_once("; ").unwrap_or((&what, ""));
                self.problems.push(Problem {
                    place,
                    key: full(section, key),
                    what: what.to_owned(),
                    remedy: remedy.to_owned(),
                });
                None
            }
        }
    }

    /// Says what is obeyed in place of what `key` was read as, and where it comes from.
    pub(super) fn instead(&mut self, section: &Section<'t>, key: &str, value: &str, source: String) {
        let shown = shown_key(section, key);
        self.lines.retain(|line| line.key != shown || line.app != section.app);
        self.say(section, key, value, source);
    }

    /// Says that a value that could be read cannot be used.
    pub(super) fn complain(&mut self, section: &Section<'t>, key: &str, what: String, remedy: String) {
        let place = self.place_of(section, key);
        self.problems.push(Problem { place, key: full(section, key), what, remedy });
    }

    /// Where a setting that was read came from.
    pub(super) fn source_of(&self, section: &Section<'t>, key: &str) -> Option<String> {
        let is_one = |line: &&Line| line.key == shown_key(section, key) && line.app == section.app;
        self.lines.iter().rev().find(is_one).map(|line| line.source.clone())
    }

    /// Where the setting that was read last under this name came from.
    fn place_of(&self, section: &Section<'t>, key: &str) -> String {
        let line = section
            .asked
            .iter()
            .rev()
            .find(|(asked, _)| asked == key)
            .and_then(|(_, line)| *line)
            .or(section.line);
        self.lines
            .iter()
            .rev()
            .find(|said| {
                said.key == shown_key(section, key) && said.app == section.app && said.source != "default"
            })
            .map_or_else(|| self.place(line), |said| said.source.clone())
    }

    /// Says that what was read is probably not meant.
    pub(super) fn doubt(&mut self, section: &Section<'t>, key: &str, what: String, remedy: String) {
        let place = self.place_of(section, key);
        let doubt = Problem { place, key: full(section, key), what, remedy };
        let shown = shown_key(section, key);
        let mut lines = self.lines.iter_mut().rev();
        if let Some(line) = lines.find(|line| line.key == shown && line.app == section.app) {
            line.hint = Some(doubt.sentences());
        }
        self.doubts.push(doubt);
    }

    /// One more line of a setting, which comes from elsewhere.
    pub(super) fn add_line(&mut self, section: &Section<'t>, key: &str, value: &str, source: String) {
        self.say(section, key, value, source);
    }

    /// What is left in the table was not asked for by anybody.
    pub(super) fn finish(&mut self, section: &Section<'t>) {
        let known: Vec<&str> = section.asked.iter().map(|(key, _)| key.as_str()).collect();
        for key in section.table.keys() {
            let line = Some(self.line_of(&key.span()));
            let name = key.get_ref().to_string();
            let remedy = match nearest(&name, &known) {
                Some(near) => format!("did you mean {near}?"),
                None if known.is_empty() => "remove it".to_owned(),
                None => format!("valid: {}", known.join(", ")),
            };
            self.problem(line, &full(section, &name), "unknown setting".to_owned(), remedy);
        }
    }

    /// What was read and what should be looked at, or everything that is wrong. A variable that is no setting is not wrong:
    /// it may be somebody else's.
    pub(super) fn done(self) -> Result<(Vec<Line>, Vec<Problem>), ConfigError> {
        let doubt = |name| Problem {
            place: "environment".to_owned(),
            key: name,
            what: "unknown setting".to_owned(),
            remedy: "variables are named MEDIC_SECTION_KEY, such as MEDIC_SERVER_LISTEN".to_owned(),
        };
        let doubts = self.doubts.into_iter().chain(self.environment.into_keys().map(doubt)).collect();
        if self.problems.is_empty() {
            Ok((self.lines, doubts))
        } else {
            Err(ConfigError::Wrong(self.problems))
        }
    }

    /// A page shows it, so everything in it can be seen.
    fn say(&mut self, section: &Section<'t>, key: &str, value: &str, source: String) {
        let value = seen(value).into_owned();
        self.lines.push(Line {
            app: section.app.clone(),
            key: shown_key(section, key),
            value,
            source,
            hint: None,
        });
    }

    fn problem(&mut self, line: Option<usize>, key: &str, what: String, remedy: String) {
        let place = self.place(line);
        self.problems.push(Problem { place, key: key.to_owned(), what, remedy });
    }

    fn place(&self, line: Option<usize>) -> String {
        line.map_or_else(|| self.file.to_owned(), |line| format!("{}:{line}", self.file))
    }

    fn line_of(&self, span: &Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
    }
}

fn full(section: &Section<'_>, key: &str) -> String {
    if section.name.is_empty() { key.to_owned() } else { format!("{}.{key}", section.name) }
}

/// Within an app's own lines `app.` goes without saying.
fn shown_key(section: &Section<'_>, key: &str) -> String {
    let full = full(section, key);
    if section.app.is_some() { full.trim_start_matches("app.").to_owned() } else { full }
}

/// The known key that differs in the fewest letters, if at most two do.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|key| (strsim::levenshtein(name, key), *key))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, key)| key)
}
