//! What is wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why Medic cannot start with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("cannot read {}: {source}. To create it: medic default-config > {}", path.display(), path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        source: io::Error,
    },
    /// It is not TOML.
    #[error("{file}:{line}: invalid TOML: {message}")]
    Syntax {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Keys or values are wrong; one line each.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `medic.toml:12` or `MEDIC_SERVER_LISTEN`.
    pub place: String,
    /// The key, such as `app.warm_up`.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do; empty where `what` already states the values accepted.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.place, self.key, self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, ". {}", sentence(&self.remedy)) }
    }
}

impl Problem {
    /// What is wrong and what to do, where the place stands beside it.
    pub(super) fn sentences(&self) -> String {
        format!("{} {}", sentence(&self.what), sentence(&self.remedy)).trim_end().to_owned()
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with('?') { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}
