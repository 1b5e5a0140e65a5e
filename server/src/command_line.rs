//! What is asked of the program by its arguments.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use model::AppName;
use model::account::{AccountName, AccountRole, EmailAddress};

pub const HELP: &str = "\
Medic keeps web apps running, catches their crashes and explains them.

  medic serve [--config FILE]          run the apps and the dashboard
  medic reload [--config FILE]         have the running server read the configuration again, if it is valid
  medic stop [--keep-apps]             stop the server and the apps; --keep-apps leaves the apps running
  medic backup FILE                    copy the database, beside a running server or without one
  medic restore FILE                   put a copy in the database's place; what was there is kept
  medic user add NAME --role ROLE [--app APP]... [--email ADDRESS]
                                       add an account; roles: viewer, operator, service-admin, account-admin, owner
  medic user list                      list the accounts
  medic user role NAME --role ROLE [--app APP]...
                                       give an account another role
  medic user password NAME             give an account another password and end its sessions
  medic user remove NAME               remove an account and end its sessions
  medic check-config [--config FILE]   check the configuration
  medic default-config                 print all settings with their defaults
  medic install [--config FILE]        show the systemd unit, then write it (--yes: without a question; --unit: where)
  medic --version

medic user asks for a password twice, or reads it with --password-file FILE (- for standard input).
FILE of --config is medic.toml where not given. MEDIC_LOG=debug logs more. NO_COLOR=1 logs without colors.";

/// What to do.
pub enum Command {
    Serve,
    Reload,
    Stop { keep_apps: bool },
    Backup(PathBuf),
    Restore(PathBuf),
    User(UserCommand),
    CheckConfig,
    DefaultConfig,
    Install { unit: Option<PathBuf>, yes: bool },
    ForkServer,
    Shim(PathBuf),
    Analyse,
    Help,
    Version,
}

/// What to do with the accounts.
pub enum UserCommand {
    Add { name: AccountName, role: RoleFor, email: Option<EmailAddress>, password: PasswordFrom },
    List,
    Role { name: AccountName, role: RoleFor },
    Password { name: AccountName, password: PasswordFrom },
    Remove { name: AccountName },
}

/// A role, and the apps that it is for; none stand for all.
pub struct RoleFor {
    pub role: AccountRole,
    pub apps: BTreeSet<AppName>,
}

/// Where a password comes from.
pub enum PasswordFrom {
    Terminal,
    StandardInput,
    File(PathBuf),
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
            Value(value) if word.is_none() => {
                let value = value.string()?;
                if value == "user" {
                    return user(&mut parser, path);
                }
                word = Some(value);
            }
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

/// `medic user …`, after these two words.
fn user(parser: &mut lexopt::Parser, mut path: PathBuf) -> Result<(Command, PathBuf), Option<lexopt::Error>> {
    let (mut words, mut role, mut apps, mut email) = (Vec::new(), None, BTreeSet::new(), None);
    let mut password = PasswordFrom::Terminal;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") | Short('c') => path = parser.value()?.into(),
            Long("help") | Short('h') => return Ok((Command::Help, path)),
            Long("role") => role = Some(parse_with(&parser.value()?.string()?)?),
            Long("app") => drop(apps.insert(parse_with(&parser.value()?.string()?)?)),
            Long("email") => email = Some(parse_with(&parser.value()?.string()?)?),
            Long("password-file") => {
                let file = parser.value()?;
                password =
                    if file == "-" { PasswordFrom::StandardInput } else { PasswordFrom::File(file.into()) };
            }
            Value(value) if words.len() < 2 => words.push(value.string()?),
            other => return Err(Some(other.unexpected())),
        }
    }
    let mut words = words.into_iter();
    let word = words.next().unwrap_or_default();
    let name = words.next();
    let name_for = |usage: &str| -> Result<AccountName, Option<lexopt::Error>> {
        parse_with(name.as_deref().ok_or_else(|| Some(format!("name an account: {usage}").into()))?)
    };
    let role = |usage: &str| role.ok_or_else(|| Some(lexopt::Error::from(format!("give a role: {usage}"))));
    let command = match word.as_str() {
        "add" => {
            let usage = "medic user add NAME --role ROLE";
            let name = name_for(usage)?;
            UserCommand::Add { name, role: RoleFor { role: role(usage)?, apps }, email, password }
        }
        "role" => {
            let usage = "medic user role NAME --role ROLE";
            UserCommand::Role { name: name_for(usage)?, role: RoleFor { role: role(usage)?, apps } }
        }
        "password" => UserCommand::Password { name: name_for("medic user password NAME")?, password },
        "remove" => UserCommand::Remove { name: name_for("medic user remove NAME")? },
        "list" if name.is_none() => UserCommand::List,
        _ => return Err(Some("medic user: add, list, role, password or remove".into())),
    };
    Ok((Command::User(command), path))
}

fn parse_with<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Option<lexopt::Error>> {
    text.parse().map_err(|error: T::Err| Some(error.to_string().into()))
}
