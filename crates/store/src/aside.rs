//! A database that is replaced is put aside under a name with the time, never over anything, with what SQLite keeps beside it, so that
//! a person can still try to read it. The latest of each kind stays until that person takes it away; those before it go when they
//! are past the retention, or too many or too large ([`tidy`]).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use model::Timestamp;
use model::status::BegunAnew;

/// More than this are not kept of one kind: a disk that damages every new file would be filled by them.
const KEPT_LIMIT: usize = 20;
/// How large those of one kind may be together, where there are several.
const KEPT_BYTES: u64 = 4 << 30;
const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
const MARK: &str = ".damaged-";
const REPLACED: &str = ".replaced-";
/// What is restored, until it takes the database's name.
pub(crate) const RESTORING: &str = ".restoring";
/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];
/// What it may leave beside one that was being restored.
const BESIDE_COPY: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A database that was put aside.
#[derive(Debug)]
pub(crate) struct Put {
    /// Where it is.
    pub(crate) kept: PathBuf,
    /// The oldest damaged ones, which were too many or too large.
    pub(crate) deleted: Vec<PathBuf>,
}

/// Puts the damaged database at `path` aside.
pub(crate) fn put(path: &Path, now: Timestamp) -> io::Result<Put> {
    let aside = free_name(path, MARK, now)?;
    std::fs::rename(path, &aside)?;
    move_beside(path, &aside)?;
    let surplus = surplus(kept(path, MARK)?, Timestamp::from_ms(i64::MIN));
    // one that cannot be deleted is said by who tidies
    let deleted = surplus.into_iter().filter(|gone| remove_with(gone, &BESIDE).is_ok()).collect();
    Ok(Put { kept: aside, deleted })
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
    let latest = kept(path, MARK)?.into_iter().max();
    Ok(latest.map(|(at, path)| BegunAnew { at, kept_as: Some(path.display().to_string()) }))
}

/// Deletes what was put aside of the databases at `paths` and is past its bounds, and what a restore left that was interrupted; what
/// was deleted. For whoever holds the data folder: no restore is under way then.
pub(crate) fn tidy(paths: &[PathBuf], keep_from: Timestamp) -> (Vec<PathBuf>, Vec<(PathBuf, io::Error)>) {
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    let mut note = |path: PathBuf, removed: io::Result<()>| match removed {
        Ok(()) => deleted.push(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => failed.push((path, error)),
    };
    for path in paths {
        let restoring = with(path, RESTORING);
        note(restoring.clone(), remove_with(&restoring, &BESIDE_COPY));
        for mark in [MARK, REPLACED] {
            match kept(path, mark) {
                Ok(kept) => {
                    for gone in surplus(kept, keep_from) {
                        note(gone.clone(), remove_with(&gone, &BESIDE));
                    }
                }
                Err(error) => note(path.clone(), Err(error)),
            }
        }
    }
    (deleted, failed)
}

/// Of those that were kept, which go, the oldest first; never the latest.
fn surplus(mut kept: Vec<(Timestamp, PathBuf)>, keep_from: Timestamp) -> Vec<PathBuf> {
    kept.sort();
    kept.reverse();
    let mut used = 0_u64;
    let mut gone = Vec::new();
    for (number, (at, path)) in kept.into_iter().enumerate() {
        let beside = BESIDE.iter().map(|end| with(&path, end));
        let sizes = std::iter::once(path.clone()).chain(beside).filter_map(|file| file.metadata().ok());
        used = sizes.fold(used, |used, file| used.saturating_add(file.len()));
        if number > 0 && (number >= KEPT_LIMIT || at < keep_from || used > KEPT_BYTES) {
            gone.push(path);
        }
    }
    gone.reverse();
    gone
}

/// The file last, so that nothing is left that has lost its name.
fn remove_with(path: &Path, ends: &[&str]) -> io::Result<()> {
    for end in ends {
        match std::fs::remove_file(with(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::remove_file(path)
}

fn kept(path: &Path, mark: &str) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    beside(path, |rest| rest.strip_prefix(mark).and_then(read))
}

/// What is in its folder and is called as it is with more at the end, where that is read as a time.
fn beside(path: &Path, read: impl Fn(&str) -> Option<Timestamp>) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })? {
        let entry = entry?;
        let called = entry.file_name().to_string_lossy().into_owned();
        if let Some(at) = called.strip_prefix(&*name.to_string_lossy()).and_then(&read) {
            found.push((at, entry.path()));
        }
    }
    Ok(found)
}

/// Later than those that are kept, whatever the clock says: the latest name is that of the latest.
fn free_name(path: &Path, mark: &str, now: Timestamp) -> io::Result<PathBuf> {
    let latest = kept(path, mark)?.into_iter().map(|(at, _)| at).max();
    let now = Timestamp::from_ms(now.as_ms() / 1_000 * 1_000);
    let mut at = latest.map_or(now, |latest| now.max(latest + SECOND));
    loop {
        let aside = with(path, &format!("{mark}{}", write(at)));
        if !aside.try_exists()? {
            return Ok(aside);
        }
        at = at + SECOND;
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
pub(crate) mod tests {
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
            let Put { kept: aside, deleted } = put(&path, now).unwrap();
            assert!(deleted.is_empty());
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
    fn damaged_files_are_bounded_by_number_and_size_and_the_latest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medic.db");
        let damaged = |second: i64, bytes: u64| {
            std::fs::File::create(&path).unwrap().set_len(bytes).unwrap();
            std::fs::write(with(&path, "-wal"), "log").unwrap();
            put(&path, Timestamp::from_ms(second * 1_000)).unwrap()
        };
        let all: Vec<_> = (0..KEPT_LIMIT).map(|_| damaged(500, 0)).collect();
        assert!(all.iter().all(|put| put.deleted.is_empty()));
        // of a clock that was set back
        let next = damaged(7, 1);
        assert_eq!(next.deleted, [all[0].kept.clone()]);
        assert!(!with(&all[0].kept, "-wal").exists());
        assert_eq!(latest(&path).unwrap().unwrap().kept_as.unwrap(), next.kept.display().to_string());
        // sparse, so that the test needs no disk
        let large = damaged(501, KEPT_BYTES + 1);
        assert_eq!((large.deleted.len(), large.kept.exists()), (KEPT_LIMIT, true));
        assert_eq!(names(folder.path()).len(), 2, "the latest and its log");
    }

    /// What is in a folder, in order.
    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_past_its_bounds_goes_and_the_latest_of_each_kind_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medic.db");
        let day = std::time::Duration::from_hours(24);
        let now = Timestamp::from_ms(1_769_847_300_000);
        for days in [90, 60, 40, 20] {
            for mark in [MARK, REPLACED] {
                let aside = free_name(&path, mark, now - day * days).unwrap();
                std::fs::write(&aside, "history").unwrap();
                std::fs::write(with(&aside, "-wal"), "log").unwrap();
            }
        }
        let others =
            ["medic.db", "medic.db.damaged-by-me", "medic.db.replaced-20251101T081500Z.gz", "backup.partial"];
        for other in others {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        let (deleted, failed) = tidy(std::slice::from_ref(&path), now - day * 30);
        assert!(failed.is_empty() && deleted.len() == 6, "{deleted:?} {failed:?}");
        let mut left: Vec<String> = others.map(str::to_owned).into();
        for name in ["damaged-20260111T081500Z", "replaced-20260111T081500Z"] {
            left.extend([format!("medic.db.{name}"), format!("medic.db.{name}-wal")]);
        }
        left.sort();
        assert_eq!(names(folder.path()), left);
        // one alone stays, however old
        let (deleted, _) = tidy(&[path], now + day * 900);
        assert_eq!((deleted.len(), names(folder.path())), (0, left));
    }

    #[test]
    fn replaced_files_are_bounded_by_number_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medic.backup");
        let aside = |second: i64| {
            let aside = with(&path, &format!("{REPLACED}{}", write(Timestamp::from_ms(second * 1_000))));
            std::fs::write(&aside, "").unwrap();
            aside
        };
        let all: Vec<_> = (0..25).map(aside).collect();
        let (deleted, _) = tidy(std::slice::from_ref(&path), Timestamp::from_ms(0));
        assert_eq!(deleted, all[..5]);
        // sparse, so that the test needs no disk
        std::fs::File::options().write(true).open(&all[24]).unwrap().set_len(KEPT_BYTES + 1).unwrap();
        let (deleted, _) = tidy(std::slice::from_ref(&path), Timestamp::from_ms(0));
        assert_eq!(deleted, all[5..24]);
        assert!(all[24].exists());
    }

    #[test]
    fn what_a_restore_left_that_was_interrupted_goes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["medic.db", "medic.backup"].map(|name| folder.path().join(name));
        for name in
            ["medic.db.restoring", "medic.db.restoring-journal", "medic.backup.restoring", "mine.partial"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let (deleted, failed) = tidy(&paths, Timestamp::from_ms(0));
        assert!(deleted.len() == 2 && failed.is_empty(), "{deleted:?} {failed:?}");
        assert_eq!(names(folder.path()), ["mine.partial"]);
    }
}
