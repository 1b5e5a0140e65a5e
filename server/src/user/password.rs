//! A password from a file, from standard input, or typed twice on the terminal, which does not show it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;

use model::account::AccountName;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::accounts::{PasswordError, check_password};
use crate::command_line::PasswordFrom;

/// More than any password has.
const LONGEST_BYTES: u64 = 64 * 1024;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read the password from {}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("cannot read the password from standard input: {0}")]
    StandardInput(#[source] io::Error),
    #[error(
        "there is no terminal to ask for the password; give --password-file FILE, or - for standard input"
    )]
    NoTerminal,
    #[error("cannot ask for the password on the terminal: {0}")]
    Terminal(#[source] io::Error),
    #[error("the two passwords differ")]
    Differ,
    #[error(transparent)]
    Weak(#[from] PasswordError),
}

/// Reads and checks it.
pub(super) fn read(from: &PasswordFrom, name: &AccountName) -> Result<String, ReadError> {
    let password = match from {
        PasswordFrom::File(path) => {
            let read = File::open(path).and_then(first_line);
            read.map_err(|source| ReadError::File { file: path.clone(), source })?
        }
        PasswordFrom::StandardInput => first_line(io::stdin().lock()).map_err(ReadError::StandardInput)?,
        PasswordFrom::Terminal => typed_twice(name)?,
    };
    check_password(name, &password)?;
    Ok(password)
}

/// What an editor adds at the end is not part of it.
fn first_line(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(LONGEST_BYTES).read_to_string(&mut text)?;
    Ok(text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text).to_owned())
}

fn typed_twice(name: &AccountName) -> Result<String, ReadError> {
    let terminal =
        File::options().read(true).write(true).open("/dev/tty").map_err(|_| ReadError::NoTerminal)?;
    let silent = Silent::new(&terminal).map_err(ReadError::Terminal)?;
    let mut lines = BufReader::new(&terminal);
    let mut ask = |question: &str| -> io::Result<String> {
        write!(&terminal, "{question}: ")?;
        let mut line = String::new();
        lines.read_line(&mut line)?;
        writeln!(&terminal)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = ask(&format!("Password for {name}")).map_err(ReadError::Terminal)?;
    check_password(name, &first)?;
    let again = ask("The same again").map_err(ReadError::Terminal)?;
    drop(silent);
    if first == again { Ok(first) } else { Err(ReadError::Differ) }
}

/// The terminal does not show what is typed while this is there.
struct Silent<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Silent<'t> {
    fn new(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _terminal_gone = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn the_end_of_a_files_line_is_no_part_of_it() {
        for text in ["correct horse", "correct horse\n", "correct horse\r\n"] {
            assert_eq!(first_line(text.as_bytes()).unwrap(), "correct horse");
        }
        assert_eq!(first_line(" a\n\n".as_bytes()).unwrap(), " a\n");
    }
}
