//! What of a command Medic replaces: the variables that only Medic knows. Every other `$` is the program's own, which may be a
//! shell that expands it, or may have another use for it.

use std::collections::BTreeMap;
use std::path::Path;

use app_service::environment::{INSTANCE_ID, PORT, SITE_NAME};

/// The variables that are replaced.
const REPLACED: [&str; 3] = [PORT, INSTANCE_ID, SITE_NAME];

/// Programs that expand variables in the argument behind `-c`.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"];

/// The command with these variables' values for `$NAME` and `${NAME}`.
pub fn expanded(command: &[String], environment: &BTreeMap<String, String>) -> Vec<String> {
    command.iter().map(|part| expand(part, environment)).collect()
}

fn expand(part: &str, environment: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut copied = 0;
    for variable in variables(part).filter(|variable| REPLACED.contains(&variable.name)) {
        let Some(value) = environment.get(variable.name) else { continue };
        text.push_str(&part[copied..variable.start]);
        text.push_str(value);
        copied = variable.end;
    }
    text.push_str(&part[copied..]);
    text
}

/// The variables in a command's arguments that neither Medic nor a shell expands, so that the program gets them as they stand.
pub(super) fn not_expanded(command: &[String]) -> Vec<&str> {
    let program = command.first().and_then(|program| Path::new(program).file_name()?.to_str());
    let runs_shell = command
        .iter()
        .any(|part| Path::new(part).file_name().and_then(|name| name.to_str()).is_some_and(is_shell));
    if runs_shell || program.is_none() {
        return Vec::new();
    }
    let names = command.iter().flat_map(|part| variables(part)).map(|variable| variable.name);
    let mut names: Vec<&str> = names.filter(|name| !REPLACED.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name)
}

/// A `$NAME` or `${NAME}`, and where it stands.
struct Variable<'t> {
    name: &'t str,
    start: usize,
    end: usize,
}

fn variables(part: &str) -> impl Iterator<Item = Variable<'_>> {
    part.match_indices('$').filter_map(|(start, _)| {
        let after = &part[start + 1..];
        let inner = after.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
        let (name, length) = if let Some(name) = inner {
            (name, name.len() + 2)
        } else {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let name = &after[..after.find(|letter| !is_part(letter)).unwrap_or(after.len())];
            (name, name.len())
        };
        let is_first = |first: char| first.is_ascii_alphabetic() || first == '_';
        let is_name = name.starts_with(is_first)
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        is_name.then_some(Variable { name, start, end: start + 1 + length })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn medics_own_variables_are_replaced_and_every_other_dollar_stays() {
        let environment = [(PORT, "20001"), (INSTANCE_ID, "ab12"), (SITE_NAME, "shop"), ("HOME", "/root")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (part, expected) in [
            ("--port=$PORT", "--port=20001"),
            ("${PORT}", "20001"),
            ("127.0.0.1:$PORT:x", "127.0.0.1:20001:x"),
            ("$PORTAL ${PORTAL} $PORT_ $PORT2", "$PORTAL ${PORTAL} $PORT_ $PORT2"),
            ("$WEBSITE_SITE_NAME-$WEBSITE_INSTANCE_ID", "shop-ab12"),
            ("a; exit $?", "a; exit $?"),
            ("$HOME $$ $1 ${PORT:-1} ${PORT $", "$HOME $$ $1 ${PORT:-1} ${PORT $"),
            ("^a$", "^a$"),
            ("ü$PORTü", "ü20001ü"),
            ("$$PORT", "$20001"),
            ("", ""),
        ] {
            assert_eq!(expand(part, &environment), expected, "{part}");
        }
        let nothing = BTreeMap::new();
        assert_eq!(expand("$PORT", &nothing), "$PORT");
        assert_eq!(expanded(&command(&["a", "$PORT"]), &environment), ["a", "20001"]);
    }

    #[test]
    fn what_nobody_expands_is_found() {
        for (parts, names) in [
            (
                &["node", "server.js", "--db=$DATABASE_URL", "${HOME}/x", "$PORT", "$HOME"][..],
                &["DATABASE_URL", "HOME"][..],
            ),
            (&["/bin/sh", "-c", "exec node --db=$DATABASE_URL"], &[]),
            (&["env", "A=1", "bash", "-c", "echo $A"], &[]),
            (&["java", "-Dhome=${user.home}", "^\\w+$", "$1"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(not_expanded(&command(parts)), names, "{parts:?}");
        }
    }
}
