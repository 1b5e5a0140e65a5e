//! The rules' old form: `<system.webServer><monitoring>` of a web.config.
//!
//! A file from elsewhere is hostile until read: it is bounded in bytes and nodes, and one with a document type, and so with
//! entities, is refused. What is wrong in it is told with the element and the attribute, all at once. What the old form cannot
//! say, and what stands in it that we do not know, is told as a note, never dropped in silence.

use std::fmt::Write as _;

use roxmltree::{Document, Node, ParsingOptions};

use model::Violation;
use model::auto_heal::config::{
    ActionType, Actions, AutoHealConfig, AutoHealRules, CustomAction, Parameters, RequestsTrigger,
    SlowRequestsTrigger, StatusCodeTrigger, TimeSpan, Triggers,
};
use model::violation::Accepted;

/// The largest file that is read, in bytes.
pub const SIZE_LIMIT_BYTES: usize = 256 * 1_024;
const NODES_LIMIT: u32 = 20_000;

/// Why a web.config was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebConfigError {
    /// Too large.
    #[error(
        "the file has {0} bytes, and at most {SIZE_LIMIT_BYTES} are read: give only its <monitoring> element"
    )]
    TooLarge(usize),
    /// Not XML, or XML with a document type.
    #[error("the file cannot be read as XML: {0}")]
    Xml(#[from] roxmltree::Error),
    /// Nothing to take over.
    #[error("the file has no <monitoring> element in its <system.webServer>")]
    NoMonitoring,
    /// Values that are none; each names its element and attribute.
    #[error("{} of its values cannot be read", .0.len())]
    Values(Vec<Violation>),
}

/// Rules in the other form, and what did not come across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated<T> {
    /// The rules.
    pub rules: T,
    /// What has no place in the other form; a sentence each.
    pub notes: Vec<String>,
}

/// Reads a web.config, or its `<monitoring>` alone. The rules come out switched on, as they were there; whether they can be
/// used is [`AutoHealConfig::check`]'s to say.
pub fn import(text: &str) -> Result<Translated<AutoHealConfig>, WebConfigError> {
    if text.len() > SIZE_LIMIT_BYTES {
        return Err(WebConfigError::TooLarge(text.len()));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_LIMIT, entity_resolver: None };
    let document = Document::parse_with_options(text, options)?;
    let monitoring = document
        .descendants()
        .find(|node| {
            let parent = node.parent().filter(Node::is_element);
            is(*node, "monitoring") && parent.is_none_or(|parent| is(parent, "system.webServer"))
        })
        .ok_or(WebConfigError::NoMonitoring)?;
    let mut import = Import::default();
    let rules = import.monitoring(monitoring);
    if import.wrong.is_empty() {
        let rules = AutoHealConfig { enabled: true, rules };
        Ok(Translated { rules, notes: import.notes })
    } else {
        Err(WebConfigError::Values(import.wrong))
    }
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

#[derive(Default)]
struct Import {
    wrong: Vec<Violation>,
    notes: Vec<String>,
}

impl Import {
    fn monitoring(&mut self, node: Node<'_, '_>) -> AutoHealRules {
        self.unknown(node, &[], &["triggers", "actions"]);
        let mut rules = AutoHealRules::default();
        for child in node.children() {
            match child.tag_name().name() {
                "triggers" => rules.triggers = self.triggers(child),
                "actions" => rules.actions = self.actions(child),
                _ => {}
            }
        }
        rules
    }

    fn triggers(&mut self, node: Node<'_, '_>) -> Triggers {
        self.unknown(node, &[], &["requests", "slowRequests", "memory", "statusCode"]);
        let mut triggers = Triggers::default();
        for child in node.children() {
            match child.tag_name().name() {
                "requests" => {
                    self.unknown(child, &["count", "timeInterval"], &[]);
                    let trigger =
                        RequestsTrigger { count: self.count(child), time_interval: self.interval(child) };
                    triggers.requests = Some(trigger).filter(|trigger| trigger.count != 0);
                }
                "slowRequests" => {
                    self.unknown(child, &["timeTaken", "count", "timeInterval"], &[]);
                    let trigger = SlowRequestsTrigger {
                        time_taken: self.span(child, "timeTaken"),
                        count: self.count(child),
                        time_interval: self.interval(child),
                        path: None,
                    };
                    triggers.slow_requests = Some(trigger).filter(|trigger| trigger.count != 0);
                }
                "memory" => {
                    self.unknown(child, &["privateBytesInKB"], &[]);
                    triggers.private_bytes_kib =
                        Some(self.number(child, "privateBytesInKB")).filter(|kb| *kb != 0);
                }
                "statusCode" => {
                    self.unknown(child, &[], &["add"]);
                    let added = child.children().filter(|row| is(*row, "add"));
                    triggers.status_codes.extend(added.map(|row| self.status_code(row)));
                }
                _ => {}
            }
        }
        triggers
    }

    fn status_code(&mut self, row: Node<'_, '_>) -> StatusCodeTrigger {
        self.unknown(row, &["statusCode", "subStatusCode", "win32StatusCode", "count", "timeInterval"], &[]);
        StatusCodeTrigger {
            status: self.number(row, "statusCode"),
            sub_status: Some(self.number(row, "subStatusCode")).filter(|status| *status != 0),
            win32_status: Some(self.number(row, "win32StatusCode")).filter(|status| *status != 0),
            count: self.count(row),
            time_interval: self.interval(row),
            path: None,
        }
    }

    fn actions(&mut self, node: Node<'_, '_>) -> Actions {
        self.unknown(node, &["value"], &["customAction"]);
        let action_type = node.attribute("value").map_or(Some(ActionType::default()), ActionType::from_word);
        if action_type.is_none() {
            self.refuse(node, "value", Accepted::ActionType);
        }
        let custom_action = node.children().find(|child| is(*child, "customAction")).map(|child| {
            self.unknown(child, &["exe", "parameters"], &[]);
            let text = |name| child.attribute(name).unwrap_or_default().to_owned();
            CustomAction { exe: text("exe"), parameters: Parameters::new(text("parameters")) }
        });
        Actions {
            action_type: action_type.unwrap_or_default(),
            custom_action: custom_action.filter(|action| *action != CustomAction::default()),
            min_process_execution_time: TimeSpan::ZERO,
        }
    }

    fn count(&mut self, node: Node<'_, '_>) -> u64 {
        self.number(node, "count")
    }

    fn interval(&mut self, node: Node<'_, '_>) -> TimeSpan {
        self.span(node, "timeInterval")
    }

    fn number(&mut self, node: Node<'_, '_>, name: &str) -> u64 {
        let Some(text) = node.attribute(name).map(str::trim).filter(|text| !text.is_empty()) else {
            return 0;
        };
        text.parse().unwrap_or_else(|_| {
            self.refuse(node, name, Accepted::WholeNumber);
            0
        })
    }

    fn span(&mut self, node: Node<'_, '_>, name: &str) -> TimeSpan {
        let Some(text) = node.attribute(name).filter(|text| !text.trim().is_empty()) else {
            return TimeSpan::ZERO;
        };
        text.parse().unwrap_or_else(|_: model::auto_heal::config::TimeSpanError| {
            self.refuse(node, name, Accepted::TimeSpan);
            TimeSpan::ZERO
        })
    }

    fn refuse(&mut self, node: Node<'_, '_>, attribute: &str, accepted: Accepted) {
        let field = format!("<{}> {attribute}", place(node));
        self.wrong.push(match node.attribute(attribute) {
            Some(text) => Violation::new(field, format!("`{text}`"), accepted),
            None => Violation::missing(field, accepted),
        });
    }

    fn unknown(&mut self, node: Node<'_, '_>, attributes: &[&str], elements: &[&str]) {
        let strange = node.attributes().filter(|attribute| !attributes.contains(&attribute.name()));
        self.notes.extend(strange.map(|attribute| {
            format!("<{}>: unknown attribute {} was ignored.", place(node), shorten(attribute.name()))
        }));
        let strange = node
            .children()
            .filter(|child| child.is_element() && !elements.iter().any(|name| is(*child, name)));
        self.notes.extend(strange.map(|child| {
            let (here, name) = (place(node), shorten(child.tag_name().name()));
            format!("<{here}>: unknown element <{name}> was ignored.")
        }));
    }
}

/// `triggers/statusCode/add[2]`: from below `<monitoring>` down, rows of a list by number from 1.
fn place(node: Node<'_, '_>) -> String {
    let name = |node: Node<'_, '_>| {
        let name = shorten(node.tag_name().name());
        let before = node.prev_siblings().filter(|sibling| is(*sibling, "add")).count();
        if name == "add" { format!("{name}[{before}]") } else { name }
    };
    let mut names: Vec<String> =
        node.ancestors().take_while(|node| node.is_element() && !is(*node, "monitoring")).map(name).collect();
    names.reverse();
    if names.is_empty() { "monitoring".to_owned() } else { names.join("/") }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Writes the rules as a web.config that holds nothing else.
pub fn export(config: &AutoHealConfig) -> Translated<String> {
    let (triggers, actions) = (&config.rules.triggers, &config.rules.actions);
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration>\n  <system.webServer>\n    <monitoring>\n      \
         <triggers>\n",
    );
    // Writing to a String cannot fail.
    let _ = write_triggers(&mut xml, triggers);
    let _ = write_actions(&mut xml, actions);
    xml.push_str("    </monitoring>\n  </system.webServer>\n</configuration>\n");
    Translated { rules: xml, notes: unsaid(config) }
}

fn write_triggers(xml: &mut String, triggers: &Triggers) -> std::fmt::Result {
    if let Some(trigger) = &triggers.requests {
        let (count, interval) = (trigger.count, trigger.time_interval);
        writeln!(xml, "        <requests count=\"{count}\" timeInterval=\"{interval}\" />")?;
    }
    if let Some(trigger) = &triggers.slow_requests {
        let (taken, count, interval) = (trigger.time_taken, trigger.count, trigger.time_interval);
        writeln!(
            xml,
            "        <slowRequests timeTaken=\"{taken}\" count=\"{count}\" timeInterval=\"{interval}\" />"
        )?;
    }
    if let Some(kb) = triggers.private_bytes_kib {
        writeln!(xml, "        <memory privateBytesInKB=\"{kb}\" />")?;
    }
    let mut codes = triggers.status_codes.iter().filter(|code| code.path.is_none()).peekable();
    if codes.peek().is_some() {
        xml.push_str("        <statusCode>\n");
        for code in codes {
            let (sub, win32) = (code.sub_status.unwrap_or(0), code.win32_status.unwrap_or(0));
            writeln!(
                xml,
                "          <add statusCode=\"{}\" subStatusCode=\"{sub}\" win32StatusCode=\"{win32}\" count=\"{}\" timeInterval=\"{}\" />",
                code.status, code.count, code.time_interval
            )?;
        }
        xml.push_str("        </statusCode>\n");
    }
    xml.push_str("      </triggers>\n");
    Ok(())
}

fn write_actions(xml: &mut String, actions: &Actions) -> std::fmt::Result {
    let word = actions.action_type.word();
    let Some(custom) = &actions.custom_action else {
        return writeln!(xml, "      <actions value=\"{word}\" />");
    };
    let (exe, parameters) = (escape(&custom.exe), custom.parameters.shown());
    writeln!(xml, "      <actions value=\"{word}\">")?;
    writeln!(xml, "        <customAction exe=\"{exe}\" parameters=\"{parameters}\" />")?;
    writeln!(xml, "      </actions>")
}

/// Text within an attribute's quotes. A character that XML cannot hold becomes a blank; such rules are refused when saved.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
        escaped
    })
}

fn unsaid(config: &AutoHealConfig) -> Vec<String> {
    const AT: &str = "autoHealRules.triggers";
    let triggers = &config.rules.triggers;
    let missing = |what: String| format!("{what} has no place in a web.config and was left out.");
    let with_path = triggers.status_codes.iter().enumerate().filter(|(_, code)| code.path.is_some());
    let mut notes: Vec<String> = with_path
        .map(|(index, _)| missing(format!("{AT}.statusCodes[{index}], which has a path,")))
        .collect();
    for (name, count) in [
        ("statusCodesRange", triggers.status_codes_range.len()),
        ("slowRequestsWithPath", triggers.slow_requests_with_path.len()),
    ] {
        notes.extend((0..count).map(|index| missing(format!("{AT}.{name}[{index}]"))));
    }
    let time = config.rules.actions.min_process_execution_time;
    if !time.is_zero() {
        notes.push(missing(format!("autoHealRules.actions.minProcessExecutionTime ({time})")));
    }
    let action = config.rules.actions.custom_action.as_ref();
    if action.is_some_and(|action| action.parameters.is_set()) {
        notes.push(format!(
            "The custom action's parameters may hold secrets, so {} stands in their place. Add them to the file by hand.",
            Parameters::KEPT
        ));
    }
    if !config.enabled {
        notes.push("The rules are switched off here; in a web.config they are on.".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
