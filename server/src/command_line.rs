//! What is asked of the program by its arguments.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value, ValueExt};

pub const HELP: &str = "\
Medic keeps web apps running, catches their crashes and explains them.

  medic serve [--config FILE]          run the apps and the dashboard
  medic reload [--config FILE]         have the running server read the configuration again, if it is valid
  medic stop [--keep-apps]             stop the server and the apps; --keep-apps leaves the apps running
  medic backup FILE                    copy the database, beside a running server or without one
  medic restore FILE                   put a copy in the database's place; what was there is kept
  medic check-config [--config FILE]   check the configuration
  medic default-config                 print all settings with their defaults
  medic install [--config FILE]        show the systemd unit, then write it (--yes: without a question; --unit: where)
  medic --version

FILE of --config is medic.toml where not given. MEDIC_LOG=debug logs more. NO_COLOR=1 logs without colors.";

/// What to do.
pub enum Command {
    Serve,
    Reload,
    Stop { keep_apps: bool },
    Backup(PathBuf),
    Restore(PathBuf),
    CheckConfig,
    DefaultConfig,
    Install { unit: Option<PathBuf>, yes: bool },
    ForkServer,
    Shim(PathBuf),
    Analyse,
    Help,
    Version,
}

/// The command, and where the configuration is. No error text where nothing was asked for.
pub fn command() -> Result<(Command, PathBuf), Option<lexopt::Error>> {
    parse(lexopt::Parser::from_env())
}

/// The same of another process, whose program's name comes first.
pub fn command_of<'w>(
    words: impl Iterator<Item = &'w [u8]>,
) -> Result<(Command, PathBuf), Option<lexopt::Error>> {
    parse(lexopt::Parser::from_iter(words.map(OsStr::from_bytes)))
}

fn parse(mut parser: lexopt::Parser) -> Result<(Command, PathBuf), Option<lexopt::Error>> {
    let mut word = None;
    let mut path = PathBuf::from("medic.toml");
    let mut file = None;
    let (mut keep_apps, mut unit, mut yes) = (false, None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") | Short('c') => path = parser.value()?.into(),
            Long("help") | Short('h') => return Ok((Command::Help, path)),
            Long("version") | Short('V') => return Ok((Command::Version, path)),
            Long("keep-apps") if word.as_deref() == Some("stop") => keep_apps = true,
            Long("unit") if word.as_deref() == Some("install") => unit = Some(parser.value()?.into()),
            Long("yes") if word.as_deref() == Some("install") => yes = true,
            Value(value) if word.is_none() => word = Some(value.string()?),
            Value(value) if file.is_none() && word.as_deref().is_some_and(takes_file) => {
                file = Some(PathBuf::from(value));
            }
            other => return Err(Some(other.unexpected())),
        }
    }
    let command = match (word.as_deref(), file) {
        (Some("serve"), _) => Command::Serve,
        (Some("reload"), _) => Command::Reload,
        (Some("stop"), _) => Command::Stop { keep_apps },
        (Some("backup"), Some(file)) => Command::Backup(file),
        (Some("restore"), Some(file)) => Command::Restore(file),
        (Some(word @ ("backup" | "restore")), None) => {
            return Err(Some(format!("name a file: medic {word} FILE").into()));
        }
        (Some("check-config"), _) => Command::CheckConfig,
        (Some("default-config"), _) => Command::DefaultConfig,
        (Some("install"), _) => Command::Install { unit, yes },
        (Some("fork-server"), Some(_room)) => Command::ForkServer,
        (Some("shim"), Some(run_dir)) => Command::Shim(run_dir),
        (Some("analyse"), _) => Command::Analyse,
        (Some("help"), _) => Command::Help,
        (Some(other), _) => return Err(Some(format!("unknown command \"{other}\"").into())),
        (None, _) => return Err(None),
    };
    Ok((command, path))
}

fn takes_file(word: &str) -> bool {
    matches!(word, "backup" | "restore" | "shim" | "fork-server")
}
