//! The log folders of the apps: what Medic wrote there is found by its name and deleted, and nothing else. An app that runs as
//! Medic's own user may plant what it likes in them, so no link is followed below the data folder: each folder is opened in the one
//! above, and a name is only ever deleted in the folder that it was found in.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use engine::storage::{LogFile, LogKind};
use model::status::DiskSpace;
use model::{AppName, Timestamp};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat, statvfs, unlinkat};
use rustix::io::Errno;
use shim::{MessageName, OutputName};

use crate::custom_action;

const OUTPUT: &str = "application";
const MESSAGES: &str = "crashdumps";

/// A data folder, which itself may be reached by a link.
pub(super) struct DataFolder {
    path: PathBuf,
    folder: OwnedFd,
}

/// A file of Medic's.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) file: LogFile,
    /// Its folder's name, below the app's log folder.
    folder: &'static str,
    name: String,
}

impl DataFolder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { path: path.to_owned(), folder: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// All log files of all apps, configured or not. What cannot be looked into is said.
    pub(super) fn logs(&self, failed: &mut Vec<(PathBuf, io::Error)>) -> Vec<Found> {
        let mut found = Vec::new();
        for app in self.apps(failed) {
            for folder in [OUTPUT, MESSAGES] {
                if let Err(error) = self.logs_in(&app, folder, &mut found) {
                    failed.push((self.path_in(&app, folder), error));
                }
            }
        }
        found
    }

    pub(super) fn path_of(&self, found: &Found) -> PathBuf {
        self.path_in(&found.file.app, found.folder).join(&found.name)
    }

    pub(super) fn delete(&self, found: &Found) -> io::Result<()> {
        let Some(folder) = self.below(&["apps", found.file.app.as_str(), "logfiles", found.folder])? else {
            return Ok(());
        };
        match unlinkat(&folder, found.name.as_str(), AtFlags::empty()) {
            // the worker's own shim was faster
            Err(Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Removes the folders of apps that `is_gone`, where nothing is in them: another's file keeps them.
    pub(super) fn remove_empty(&self, is_gone: impl Fn(&AppName) -> bool) {
        let apps = ["apps", "run"].map(|folder| self.apps_in(folder).unwrap_or_default());
        for app in apps.iter().flatten().filter(|app| is_gone(app)) {
            let app = app.as_str();
            for (above, name) in [
                (&["apps", app, "logfiles"][..], OUTPUT),
                (&["apps", app, "logfiles"], MESSAGES),
                (&["apps", app], "logfiles"),
                (&["apps"], app),
                (&["run"], app),
            ] {
                if let Ok(Some(above)) = self.below(above) {
                    let _not_empty = unlinkat(&above, name, AtFlags::REMOVEDIR);
                }
            }
        }
    }

    fn apps(&self, failed: &mut Vec<(PathBuf, io::Error)>) -> Vec<AppName> {
        self.apps_in("apps").unwrap_or_else(|error| {
            failed.push((self.path.join("apps"), error));
            Vec::new()
        })
    }

    /// The apps that have a folder in this one.
    fn apps_in(&self, folder: &str) -> io::Result<Vec<AppName>> {
        let Some(folder) = self.below(&[folder])? else { return Ok(Vec::new()) };
        Ok(names(&folder)?.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn logs_in(&self, app: &AppName, folder: &'static str, found: &mut Vec<Found>) -> io::Result<()> {
        let Some(opened) = self.below(&["apps", app.as_str(), "logfiles", folder])? else { return Ok(()) };
        for name in names(&opened)? {
            let Some(kind) = kind(folder, &name) else { continue };
            let stat = match statat(&opened, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                let file = LogFile { app: app.clone(), kind, written_at: written_at(&stat), bytes };
                found.push(Found { file, folder, name });
            }
        }
        Ok(())
    }

    /// The folder at this path, through folders alone; `None` where there is none.
    fn below(&self, path: &[&str]) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = self.folder.try_clone()?;
        for name in path {
            folder = match openat(&folder, *name, flags, Mode::empty()) {
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    return Err(io::Error::new(
                        io::ErrorKind::NotADirectory,
                        "not a folder, or a link to one",
                    ));
                }
                opened => opened?,
            };
        }
        Ok(Some(folder))
    }

    fn path_in(&self, app: &AppName, folder: &str) -> PathBuf {
        self.path.join("apps").join(app.as_str()).join("logfiles").join(folder)
    }
}

/// What Medic writes there under this name.
fn kind(folder: &str, name: &str) -> Option<LogKind> {
    if folder == MESSAGES {
        return MessageName::read(name).map(|_| LogKind::CrashMessage);
    }
    if custom_action::is_output(name) {
        return Some(LogKind::Action);
    }
    let OutputName { instance, started_at, number } = OutputName::read(name)?;
    Some(LogKind::Output { instance, started_at, number })
}

/// The names in a folder, as far as they are text, sorted.
fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        names.extend(entry?.file_name().to_str().map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

fn written_at(stat: &Stat) -> Timestamp {
    let ms = i64::try_from(stat.st_mtime_nsec).unwrap_or(0) / 1_000_000;
    Timestamp::from_ms(stat.st_mtime.saturating_mul(1_000).saturating_add(ms))
}

/// What is left of the file system that this folder is on.
pub(super) fn space(folder: &Path) -> io::Result<DiskSpace> {
    let disk = statvfs(folder)?;
    Ok(DiskSpace {
        free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        free_inodes: disk.f_favail,
        total_inodes: disk.f_files,
    })
}
