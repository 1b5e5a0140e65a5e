//! Which code a worker is started from: what is seen of its program, its script and the revision of its app, at the moment of the
//! start. Nothing is run for it, and nothing that could be a secret is taken: of the environment only what looks like a commit, a
//! version or an image, and of `.git` only a commit's name.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use app_service::environment::{INSTANCE_ID, PORT, REVISIONS};
use model::crash::Executable;
use model::deploy::{Code, Revision};
use model::text;
use sha2::{Digest, Sha256};
use shim::protocol::WorkerSpec;

/// What Medic's own files say of it where none of the variables does.
const GIT: &str = "git";
/// How far above the app's folder its repository may begin. Ours: packages of one repository are some folders deep.
const FOLDERS_ABOVE: usize = 4;
/// More than any `HEAD`, or reference.
const HEAD_BYTES: u64 = 4_096;
/// Packed references of some ten thousand branches and tags; more are not read.
const PACKED_BYTES: u64 = 4 << 20;
/// An image with its digest has about 150.
const REVISION_CHARS: usize = 200;

/// What can be seen of it. Reads some files.
pub(super) fn of(spec: &WorkerSpec) -> Code {
    let directory = spec.directory.as_deref().unwrap_or(Path::new("/"));
    let path = spec.environment.get("PATH").map(String::as_str);
    let (program, arguments) =
        spec.command.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    // what was put in their places is another one each time, or of each instance
    let own = [PORT, INSTANCE_ID].map(|variable| (variable, spec.environment.get(variable)));
    let without_own = spec.command.iter().map(|argument| {
        own.iter().fold(argument.clone(), |argument, (variable, value)| match value {
            Some(value) if !value.is_empty() => argument.replace(value.as_str(), variable),
            _ => argument,
        })
    });
    let without_own: Vec<String> = without_own.collect();
    let command = hex::encode(Sha256::digest(without_own.join("\0")));
    let given = REVISIONS.iter().find_map(|variable| {
        let name =
            spec.environment.get(*variable).map(|value| value.trim()).filter(|value| is_revision(value))?;
        Some(Revision { name: name.to_owned(), source: (*variable).to_owned() })
    });
    let found = || commit(directory).map(|name| Revision { name, source: GIT.to_owned() });
    Code {
        revision: given.or_else(found),
        executable: shim::executable_of_program(program, directory, path),
        script: arguments.iter().find_map(|argument| script(directory, argument)),
        command: command.get(..16).unwrap_or_default().to_owned(),
    }
}

/// A commit, a version or an image: `9f8e7d6`, `v4.2.1-rc.1`, `registry.example:5000/shop:4.2`, `shop@sha256:…`. What else stands
/// there may be a secret.
fn is_revision(value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '+' | '@');
    if value.is_empty() || value.len() > REVISION_CHARS || !value.chars().all(fits) {
        return false;
    }
    let (name, digest) = match value.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (value, None),
    };
    let is_hex = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    };
    if let Some(digest) = digest {
        return is_image(name, true)
            && digest.strip_prefix("sha256:").is_some_and(|digest| is_hex(digest, 64..=64));
    }
    is_hex(value, 7..=40) || is_hex(value, 64..=64) || is_version(value) || is_image(value, false)
}

/// `4.2`, `v4.2.1`, `2026-11-27.3`, `release-42`: short, with a number that stands after a beginning or a mark.
fn is_version(value: &str) -> bool {
    let number = value.strip_prefix(['v', 'V']).unwrap_or(value);
    let parts: Vec<&str> = number.split(['.', '-', '_', '+']).collect();
    let is_short = |part: &&str| part.len() <= 12;
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    value.len() <= 40
        && !value.contains(['/', ':'])
        && parts.iter().all(is_short)
        && parts.iter().any(is_number)
}

/// `folder/name:tag`, in small letters but for the tag.
fn is_image(value: &str, has_digest: bool) -> bool {
    let (path, last) = value.rsplit_once('/').map_or(("", value), |(path, last)| (path, last));
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    let is_folder = |(at, folder): (usize, &str)| match folder.split_once(':') {
        Some((host, port)) => at == 0 && is_name(host) && port.parse::<u16>().is_ok(),
        None => is_name(folder),
    };
    let is_tag = |tag: &str| !tag.is_empty() && tag.len() <= 128 && !tag.contains([':', '/', '@', '+']);
    let is_named = has_digest || tag.is_some();
    is_named
        && is_name(name)
        && tag.is_none_or(is_tag)
        && (path.is_empty() || path.split('/').enumerate().all(is_folder))
}

/// A file that the command names, as most interpreters are told what to run.
fn script(directory: &Path, argument: &str) -> Option<Executable> {
    if argument.is_empty() || argument.starts_with('-') || argument.len() > 4_096 {
        return None;
    }
    let path = directory.join(argument);
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let name = text::seen(&path.file_name()?.to_string_lossy()).chars().take(REVISION_CHARS).collect();
    let changed_ms = file.mtime() * 1_000 + file.mtime_nsec() / 1_000_000;
    Some(Executable { name, build: format!("{}-{changed_ms}", file.size()) })
}

/// The commit that the folder's repository has checked out.
fn commit(directory: &Path) -> Option<String> {
    let folder = directory
        .ancestors()
        .take(FOLDERS_ABOVE + 1)
        .map(|folder| folder.join(".git"))
        .find(|git| git.exists())?;
    let git = if folder.is_dir() {
        folder
    } else {
        // of a work tree or a submodule
        let said = read(&folder, HEAD_BYTES)?;
        folder.parent()?.join(said.strip_prefix("gitdir:")?.trim())
    };
    let head = read(&git.join("HEAD"), HEAD_BYTES)?;
    let Some(reference) = head.trim().strip_prefix("ref:").map(str::trim) else { return commit_of(&head) };
    let is_plain =
        reference.starts_with("refs/") && reference.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_plain {
        return None;
    }
    let common = read(&git.join("commondir"), HEAD_BYTES).map(|said| git.join(said.trim()));
    let folders: Vec<PathBuf> = [Some(git), common].into_iter().flatten().collect();
    let loose = || folders.iter().find_map(|folder| commit_of(&read(&folder.join(reference), HEAD_BYTES)?));
    let packed = || {
        folders.iter().find_map(|folder| {
            let packed = read(&folder.join("packed-refs"), PACKED_BYTES)?;
            packed.lines().find_map(|line| commit_of(line.strip_suffix(reference)?.strip_suffix(' ')?))
        })
    };
    loose().or_else(packed)
}

fn commit_of(text: &str) -> Option<String> {
    let text = text.trim();
    let is_commit = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| text.to_ascii_lowercase())
}

/// A small file's text; a pipe or a device is none.
fn read(path: &Path, limit: u64) -> Option<String> {
    let file: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    file.metadata().ok().filter(|kind| kind.is_file() && kind.len() <= limit)?;
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_revision_is_taken() {
        let digest = "a".repeat(64);
        for revision in [
            "9f8e7d6",
            "0123456789abcdef0123456789abcdef01234567",
            "v4.2.1-rc.1",
            "4.2",
            "release-42",
            "2026-11-27.3",
            "shop:4.2",
            "registry.example:5000/team/shop:Latest_1",
            &format!("ghcr.io/team/shop@sha256:{digest}"),
        ] {
            assert!(is_revision(revision), "{revision}");
        }
        for other in [
            "",
            "main",
            "hunter2-correct-horse-battery",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE",
            "https://user:pass@host/x:1",
            "user:pass@host",
            "shop@sha256:short",
            "4.2\u{202e}",
            "a b",
            "<b>1</b>",
            &"1".repeat(201),
        ] {
            assert!(!is_revision(other), "{other}");
        }
    }

    #[test]
    fn the_same_command_is_the_same_whichever_port_and_instance() {
        let spec = |port: &str, instance: &str, last: &str| {
            let spec = serde_json::json!({
                "worker": "shop/0/1", "command": ["/bin/sh", format!("--bind=:{port}"), format!("--id={instance}"), last],
                "directory": "/", "environment": {"PORT": port, "WEBSITE_INSTANCE_ID": instance, "APP_VERSION": "4.2"},
                "port": 1, "application_log_dir": "/", "crash_log_dir": "/", "log_file_limit_bytes": 1, "log_files_kept": 1,
                "arm": false, "spec_hash": ""
            });
            serde_json::from_value::<WorkerSpec>(spec).unwrap()
        };
        let code = of(&spec("20001", "aaaa", "--fast"));
        assert_eq!(code, of(&spec("31999", "bbbb", "--fast")));
        assert_ne!(code.command, of(&spec("31999", "bbbb", "--slow")).command);
        assert_eq!(code.revision.unwrap().source, "APP_VERSION");
        assert!(!code.executable.unwrap().build.is_empty());
    }

    #[test]
    fn the_commit_is_read_from_the_repository_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (app, git) = (folder.path().join("services/shop"), folder.path().join(".git"));
        std::fs::create_dir_all(&app).unwrap();
        assert_eq!(commit(&app), None);
        std::fs::create_dir_all(git.join("refs/heads")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(git.join(name), text).unwrap();
        let id = |digit: &str| digit.repeat(40);
        write("HEAD", &format!("{}\n", id("a")));
        assert_eq!(commit(&app), Some(id("a")));
        write("HEAD", "ref: refs/heads/main\n");
        write(
            "packed-refs",
            &format!("# pack-refs\n{} refs/heads/main\n{} refs/heads/other\n", id("b"), id("c")),
        );
        assert_eq!(commit(&app), Some(id("b")));
        write("refs/heads/main", &format!("{}\n", id("d")));
        assert_eq!(commit(&app), Some(id("d")));
        for hostile in ["ref: refs/../../../etc/passwd", "ref: /etc/passwd", "not a commit", ""] {
            write("HEAD", hostile);
            assert_eq!(commit(&app), None, "{hostile}");
        }
        let tree = folder.path().join("tree");
        std::fs::create_dir_all(git.join("worktrees/tree")).unwrap();
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::write(tree.join(".git"), format!("gitdir: {}\n", git.join("worktrees/tree").display()))
            .unwrap();
        write("worktrees/tree/HEAD", "ref: refs/heads/main\n");
        write("worktrees/tree/commondir", "../..\n");
        assert_eq!(commit(&tree), Some(id("d")));
    }

    #[test]
    fn a_script_is_known_by_its_size_and_time_and_an_option_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.js"), "1").unwrap();
        let found = |argument: &str| script(folder.path(), argument);
        let before = found("server.js").unwrap();
        assert_eq!(before.name, "server.js");
        for none in ["--inspect", "", "missing.js", ".", "/dev/zero"] {
            assert_eq!(found(none), None, "{none}");
        }
        std::fs::write(folder.path().join("server.js"), "12").unwrap();
        assert_ne!(found("server.js").unwrap(), before);
    }
}
