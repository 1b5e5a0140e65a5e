//! Medic's own log: on standard error, a line an event, whatever a process put into a name that an event speaks of.

use std::fmt;
use std::io::IsTerminal;

use model::text::Escaped;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Logs from now on: as `MEDIC_LOG` asks for, in colours where a person looks on.
pub fn start() {
    let filter = EnvFilter::try_from_env("MEDIC_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = has_colours(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .fmt_fields(escaped_fields())
        .init();
}

/// An error that has a line for each thing that is wrong: an event for each, since an event is one line.
pub fn error_lines(what: &str, error: &dyn std::error::Error) {
    for line in error.to_string().lines() {
        tracing::error!("{what}: {line}");
    }
}

/// As <https://no-color.org> has it: a variable that is set to something.
fn has_colours(is_terminal: bool, no_color: Option<&std::ffi::OsStr>) -> bool {
    is_terminal && no_color.is_none_or(std::ffi::OsStr::is_empty)
}

/// The message, then `name=value`.
fn escaped_fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| match field.name() {
        "message" => write!(writer, "{}", Escaped(format_args!("{value:?}"))),
        name => write!(writer, "{name}={}", Escaped(format_args!("{value:?}"))),
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn colours_are_for_a_terminal_without_no_color() {
        let cases = [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
            (false, Some(""), false),
        ];
        for (is_terminal, no_color, expected) in cases {
            assert_eq!(
                has_colours(is_terminal, no_color.map(OsStr::new)),
                expected,
                "{is_terminal} {no_color:?}"
            );
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `events`.
    fn logged(events: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(escaped_fields())
            .finish();
        tracing::subscriber::with_default(log, events);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_error_of_several_lines_is_several_events() {
        let error = io::Error::other("medic.toml:3: a\nmedic.toml:9: b\u{1b}");
        let text = logged(|| error_lines("reload failed", &error));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with("reload failed: medic.toml:3: a"), "{text}");
        assert!(lines[1].ends_with(r"reload failed: medic.toml:9: b\u{1b}"), "{text}");
    }

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        let hostile = "x\n2026-01-31T00:00:00Z  INFO forged\u{1b}[2J\u{9b}1m\u{202e}\r";
        let error = io::Error::other(hostile);
        let text = logged(|| {
            tracing::warn!(%error, name = hostile, path = ?std::path::Path::new(hostile), "the program {hostile}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end().chars().any(model::text::is_unseen), "{text:?}");
        assert!(text.contains("the program x\\n2026") && text.contains(" error=x\\n2026"), "{text}");
    }
}
