//! The last lines of what an instance's workers wrote, read from the log file when somebody who may asks. They are kept nowhere
//! else: an app writes whatever it likes there, personal data among it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::AppName;
use model::text::seen;

/// How many lines are told at most.
const LINES: usize = 100;
/// How much of the end of a file is read for them.
const READ_BYTES: u64 = 64 << 10;
/// How much of a line is told.
const LINE_CHARS: usize = 1_000;

/// Where an app's output and crash messages are.
pub fn log_folder(data_dir: &Path, app: &AppName) -> PathBuf {
    data_dir.join("apps").join(app.as_str()).join("logfiles")
}

/// The end of what an instance wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LastLines {
    /// The file that they stand in; none where nothing was written yet.
    pub file: Option<PathBuf>,
    /// Oldest first, with everything in them to be seen.
    pub lines: Vec<String>,
}

/// The last lines of the newest file of `instance` in `folder`.
pub fn last_lines(folder: &Path, instance: u16) -> io::Result<LastLines> {
    let Some(path) = newest(folder, instance)? else { return Ok(LastLines::default()) };
    // nothing but a file that stands there itself
    let mut file =
        File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(READ_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = if start == 0 { &*text } else { text.split_once('\n').map_or("", |(_, whole)| whole) };
    let lines: Vec<&str> = whole.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let shown = |line: &&str| seen(&line.chars().take(LINE_CHARS).collect::<String>()).into_owned();
    Ok(LastLines { file: Some(path), lines: last.iter().map(shown).collect() })
}

/// `<instance>-<start>-<number>.log`: the names sort by age.
fn newest(folder: &Path, instance: u16) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let prefix = format!("{instance}-");
    let is_one = |name: &String| {
        name.starts_with(&prefix) && Path::new(name).extension().is_some_and(|extension| extension == "log")
    };
    // a worker that has only just started wrote nothing, and the one before it did
    let written = entries.flatten().filter(|entry| entry.metadata().is_ok_and(|data| data.len() > 0));
    let names = written.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_one);
    Ok(names.max().map(|name| folder.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_of_the_instance_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_lines(&folder.path().join("none"), 0).unwrap(), LastLines::default());
        for (name, text) in [
            ("1-20260131T080000.000Z-000001.log", "old\n".to_owned()),
            ("1-20260131T081500.000Z-000001.log", "first\nsecond \u{1b}[31mred\nlast, unfinished".to_owned()),
            ("1-20260131T091500.000Z-000001.log", String::new()),
            ("10-20260131T091500.000Z-000001.log", "another instance\n".to_owned()),
            ("custom-action-1.log", "no output\n".to_owned()),
            ("2-20260131T081500.000Z-000001.log", "x".repeat(90_000) + "\n" + &"line\n".repeat(300)),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let LastLines { file, lines } = last_lines(folder.path(), 1).unwrap();
        assert!(file.unwrap().ends_with("1-20260131T081500.000Z-000001.log"));
        assert_eq!((lines[0].as_str(), lines[2].as_str()), ("first", "last, unfinished"));
        assert!(!lines[1].contains('\u{1b}') && lines[1].ends_with("red"), "{lines:?}");
        let lines = last_lines(folder.path(), 2).unwrap().lines;
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "line"));
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("3-9.log")).unwrap();
        assert!(last_lines(folder.path(), 3).is_err());
    }
}
