//! A form as it was sent, field by field. What comes is hostile until read: names are those of the form or refused, and lists are
//! bounded.

use std::collections::BTreeMap;

use model::auto_heal::config::{LIST_LIMIT, Violation};
use model::violation::Accepted;

use super::{Draft, List, Row, shorten};

/// The most rows of one list that are read: one over [`LIST_LIMIT`] already cannot be saved.
pub(super) const ROWS_READ: usize = 2 * LIST_LIMIT;

/// What the reader asked for with the form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// The rules beside those that hold, and what they would have done.
    #[default]
    Review,
    /// They are to hold.
    Save,
    /// One more row.
    AddRow(List),
    /// Without that row.
    RemoveRow(List, usize),
    /// The pasted rules are to fill the form.
    Import,
    /// The saved rules are to act, or not.
    Switch(bool),
}

impl Command {
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let row = |text: &str| {
            let (list, index) = text.strip_suffix(']')?.split_once('[')?;
            Some(Self::RemoveRow(List::of_name(list)?, index.parse().ok()?))
        };
        match word {
            "review" => Some(Self::Review),
            "save" => Some(Self::Save),
            "import" => Some(Self::Import),
            "on" => Some(Self::Switch(true)),
            "off" => Some(Self::Switch(false)),
            _ => match word.split_once(':')? {
                ("add", list) => List::of_name(list).map(Self::AddRow),
                ("remove", text) => row(text),
                _ => None,
            },
        }
    }
}

/// A form that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentForm {
    /// What is asked for.
    pub command: Command,
    /// With which rules.
    pub draft: Draft,
}

impl SentForm {
    /// Reads the fields in the order in which they came. Of a name that stands twice the last counts. What cannot be read is
    /// among [`Draft::config`]'s violations.
    pub fn read(fields: Vec<(String, String)>) -> Self {
        let mut reader = Reader::default();
        for (name, value) in fields {
            reader.take(&name, value);
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    draft: Draft,
    command: Command,
    lists: BTreeMap<List, BTreeMap<usize, Row>>,
}

impl Reader {
    fn take(&mut self, name: &str, value: String) {
        match name {
            "do" => match Command::of_word(&value) {
                Some(command) => self.command = command,
                None => self.refuse("do", &value, Accepted::FormAction),
            },
            "enabled" => self.draft.enabled = value.trim().eq_ignore_ascii_case("true"),
            _ => match self.place(name) {
                Some(place) => *place = value,
                None => self.refuse(&shorten(name), "", Accepted::FormField),
            },
        }
    }

    fn place(&mut self, name: &str) -> Option<&mut String> {
        let draft = &mut self.draft;
        match name {
            "import" => return Some(&mut draft.pasted),
            "triggers.private_bytes_kib" => return Some(&mut draft.memory_kb),
            "actions.action_type" => return Some(&mut draft.action),
            "actions.custom_action.exe" => return Some(&mut draft.exe),
            "actions.custom_action.parameters" => return Some(&mut draft.parameters),
            "actions.min_process_execution_time" => return Some(&mut draft.minimum_time),
            _ => {}
        }
        let (place, field) = name.strip_prefix("triggers.")?.split_once('.')?;
        match place {
            "requests" => draft.requests.field(field),
            "slow_requests" => draft.slow_requests.field(field),
            _ => {
                let (list, index) = place.strip_suffix(']')?.split_once('[')?;
                let (list, index) = (List::of_name(list)?, index.parse().ok()?);
                let rows = self.lists.entry(list).or_default();
                if rows.len() >= ROWS_READ && !rows.contains_key(&index) {
                    return None;
                }
                rows.entry(index).or_default().field(field)
            }
        }
    }

    fn refuse(&mut self, field: &str, value: &str, accepted: Accepted) {
        // One is enough to refuse the form; a hostile one has thousands.
        if self.draft.unread.len() < LIST_LIMIT {
            self.draft.unread.push(Violation::new(field, format!("`{value}`"), accepted));
        }
    }

    fn finish(mut self) -> SentForm {
        for list in List::ALL {
            let mut rows = self.lists.remove(&list).unwrap_or_default();
            if let Command::RemoveRow(of, index) = self.command
                && of == list
            {
                rows.remove(&index);
            }
            let sent = rows.len();
            let filled: Vec<Row> = rows.into_values().filter(|row| !row.is_blank()).collect();
            let more = usize::from(self.command == Command::AddRow(list));
            let blank = (sent - filled.len()).max(1) + more;
            let rows = self.draft.rows_mut(list);
            rows.filled = filled;
            rows.offer(blank);
        }
        SentForm { command: self.command, draft: self.draft }
    }
}
