//! A database that is replaced is put aside under a name with the time, never over anything, with what SQLite keeps beside it: nothing of it
//! is deleted, and a person can still try to read it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use model::Timestamp;
use model::status::BegunAnew;

/// More damaged files than this are not kept: a disk that damages every new file would be filled by them.
const KEPT_LIMIT: usize = 20;
const MARK: &str = ".damaged-";
const REPLACED: &str = ".replaced-";
/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Puts the database at `path` aside; where it is then.
pub(crate) fn put(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    if kept(path)?.len() >= KEPT_LIMIT {
        return Err(io::Error::other(format!("{KEPT_LIMIT} damaged files are kept already; delete some")));
    }
    let aside = free_name(path, MARK, now)?;
    std::fs::rename(path, &aside)?;
    move_beside(path, &aside)?;
    Ok(aside)
}

/// Gives the database at `path`, which something else is to replace, another name. It keeps its own as long as nothing does.
pub(crate) fn link_replaced(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = replaced_name(path, now)?;
    std::fs::hard_link(path, &aside)?;
    move_beside(path, &aside)?;
    Ok(aside)
}

/// The name that what is replaced gets.
pub(crate) fn replaced_name(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    free_name(path, REPLACED, now)
}

fn move_beside(path: &Path, aside: &Path) -> io::Result<()> {
    for end in BESIDE {
        match std::fs::rename(with(path, end), with(aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The latest damaged file that is still kept.
pub(crate) fn latest(path: &Path) -> io::Result<Option<BegunAnew>> {
    let latest = kept(path)?.into_iter().max();
    Ok(latest.map(|(at, path)| BegunAnew { at, kept_as: Some(path.display().to_string()) }))
}

fn kept(path: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let start = format!("{}{MARK}", name.to_string_lossy());
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(at) = name.strip_prefix(&start).and_then(read) {
            kept.push((at, entry.path()));
        }
    }
    Ok(kept)
}

fn free_name(path: &Path, mark: &str, now: Timestamp) -> io::Result<PathBuf> {
    let mut at = Timestamp::from_ms(now.as_ms() / 1_000 * 1_000);
    loop {
        let aside = with(path, &format!("{mark}{}", write(at)));
        if !aside.try_exists()? {
            return Ok(aside);
        }
        at = at + std::time::Duration::from_secs(1);
    }
}

/// `20260131T081500Z`: sorts by time, and stands in any file name.
fn write(at: Timestamp) -> String {
    at.to_string().replace(['-', ':'], "").replace(".000", "")
}

fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let part = |text: &str, range| text.get(range).map(str::to_owned);
    let date = [part(date, 0..4)?, part(date, 4..6)?, part(date, 6..8)?].join("-");
    let time = [part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?].join(":");
    let at: Timestamp = format!("{date}T{time}Z").parse().ok()?;
    (write(at) == text).then_some(at)
}

/// The path with more at its end.
pub(crate) fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_keeps_its_files_and_takes_nobodys_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medic.db");
        let now = Timestamp::from_ms(1_769_847_300_123);
        assert_eq!(latest(&path).unwrap(), None);
        for (number, at) in ["20260131T081500Z", "20260131T081501Z"].iter().enumerate() {
            std::fs::write(&path, format!("{number}")).unwrap();
            std::fs::write(with(&path, "-wal"), "log").unwrap();
            let aside = put(&path, now).unwrap();
            assert_eq!(aside, folder.path().join(format!("medic.db.damaged-{at}")));
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), number.to_string());
            assert_eq!(std::fs::read_to_string(with(&aside, "-wal")).unwrap(), "log");
            assert!(!path.exists() && !with(&path, "-wal").exists());
        }
        std::fs::write(folder.path().join("medic.db.damaged-by-me"), "").unwrap();
        let found = latest(&path).unwrap().unwrap();
        assert_eq!(found.at, Timestamp::from_ms(1_769_847_301_000));
        assert!(found.kept_as.unwrap().ends_with("medic.db.damaged-20260131T081501Z"));
    }

    #[test]
    fn damaged_files_are_bounded_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medic.db");
        for _ in 0..KEPT_LIMIT {
            std::fs::write(&path, "").unwrap();
            put(&path, Timestamp::from_ms(0)).unwrap();
        }
        std::fs::write(&path, "the last").unwrap();
        assert!(put(&path, Timestamp::from_ms(0)).unwrap_err().to_string().contains("delete some"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the last");
    }
}
