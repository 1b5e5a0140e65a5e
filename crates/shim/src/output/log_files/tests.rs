use std::os::unix::fs::PermissionsExt;

use model::Timestamp;

use super::*;

const NOW: Duration = Duration::from_secs(100);

/// Before the first file of the worker that was started at that second.
fn worker(instance: u16, second: i64) -> OutputName {
    let started_at = Timestamp::from_ms(1_769_847_300_000 + second * 1_000);
    OutputName { instance, started_at, number: 0 }
}

fn limits(file_bytes: u64, files: u32) -> LogLimits {
    LogLimits { file_bytes, files, age: None }
}

/// Short for the name of a worker's file.
fn file(instance: u16, second: i64, number: u32) -> String {
    OutputName { number, ..worker(instance, second) }.to_string()
}

fn sizes(folder: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

fn names(folder: &Path) -> Vec<String> {
    sizes(folder).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn files_rotate_at_the_limit_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logfiles");
    let mut other = LogFiles::new(path.clone(), worker(10, 0), limits(1_024, 3));
    other.append(NOW, b"another instance\n");
    let mut files = LogFiles::new(path.clone(), worker(1, 0), limits(1_024, 3));
    for number in 0..100 {
        files.append(NOW, format!("{number:099}\n").repeat(3).as_bytes());
    }
    // it ends, and the next worker of the same instance comes
    drop(files);
    let mut files = LogFiles::new(path.clone(), worker(1, 1), limits(1_024, 3));
    files.append(NOW, &[b'x'; 2_000]);
    let found = sizes(&path);
    let expected = [file(1, 0, 30), file(1, 1, 1), file(1, 1, 2), file(10, 0, 1)];
    assert_eq!(names(&path), expected);
    assert!(found.iter().all(|(_, size)| *size <= 1_024), "{found:?}");
    let mode = fs::metadata(path.join(file(1, 1, 1))).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let whole = fs::read_to_string(path.join(file(1, 0, 30))).unwrap();
    assert!(whole.lines().all(|line| line.len() == 99));
}

#[test]
fn what_could_not_be_written_is_counted_and_said_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logfiles");
    // a file stands where the folder should be
    fs::write(&path, "").unwrap();
    let mut files = LogFiles::new(path.clone(), worker(0, 0), limits(1 << 20, 2));
    files.append(NOW, b"lost\n");
    files.append(NOW, b"lost too\nand this\n");
    fs::remove_file(&path).unwrap();
    files.append(NOW, b"kept\n");
    files.append(NOW, b"kept too\n");
    let text = fs::read_to_string(path.join(file(0, 0, 1))).unwrap();
    assert!(text.starts_with("\n[medic] 3 lines (23 bytes) of output could not be written: "), "{text}");
    assert!(text.ends_with("\nkept\nkept too\n"), "{text}");
}

#[test]
fn what_a_worker_that_is_being_replaced_still_writes_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut draining = LogFiles::new(folder.path().to_owned(), worker(0, 0), limits(1_024, 2));
    for _ in 0..3 {
        draining.append(NOW, &[b'a'; 1_000]);
    }
    let mut next = LogFiles::new(folder.path().to_owned(), worker(0, 1), limits(1_024, 2));
    for _ in 0..5 {
        next.append(NOW, &[b'b'; 1_000]);
    }
    draining.append(NOW, b"its last words\n");
    assert_eq!(names(folder.path()), [file(0, 0, 3), file(0, 1, 5)]);
    let text = fs::read_to_string(folder.path().join(file(0, 0, 3))).unwrap();
    assert!(text.ends_with("its last words\n"), "{text}");
    // nobody writes there any more
    drop(draining);
    next.append(NOW, &[b'b'; 1_000]);
    assert_eq!(names(folder.path()), [file(0, 1, 5), file(0, 1, 6)]);
}

#[test]
fn a_name_that_is_taken_is_passed_over_and_its_file_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    fs::write(folder.path().join(file(0, 0, 1)), "theirs").unwrap();
    std::os::unix::fs::symlink(&outside, folder.path().join(file(0, 0, 2))).unwrap();
    let mut files = LogFiles::new(folder.path().to_owned(), worker(0, 0), limits(1_024, 5));
    files.append(NOW, b"a line\n");
    assert_eq!(fs::read_to_string(folder.path().join(file(0, 0, 3))).unwrap(), "a line\n");
    assert_eq!(fs::read_to_string(folder.path().join(file(0, 0, 1))).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(outside).unwrap(), "mine");
}

#[test]
fn many_names_that_are_taken_cost_lines_and_not_the_log() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=TAKEN_NAMES + 1 {
        fs::write(folder.path().join(file(0, 0, number)), "").unwrap();
    }
    let mut files = LogFiles::new(folder.path().to_owned(), worker(0, 0), limits(1_024, 5));
    files.append(NOW, b"lost\n");
    files.append(NOW, b"kept\n");
    let text = fs::read_to_string(folder.path().join(file(0, 0, TAKEN_NAMES + 2))).unwrap();
    assert!(text.contains("1 lines (5 bytes)") && text.ends_with("\nkept\n"), "{text}");
}

#[test]
fn a_worker_that_writes_little_begins_a_file_when_the_last_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let age = Duration::from_hours(24);
    let mut files = LogFiles::new(
        folder.path().to_owned(),
        worker(0, 0),
        LogLimits { age: Some(age), ..limits(1_024, 3) },
    );
    for days in [0, 0, 1, 2, 2, 30, 31] {
        files.append(NOW + age * days, format!("day {days}\n").as_bytes());
    }
    assert_eq!(names(folder.path()), [file(0, 0, 3), file(0, 0, 4), file(0, 0, 5)]);
    assert_eq!(fs::read_to_string(folder.path().join(file(0, 0, 3))).unwrap(), "day 2\nday 2\n");
}

#[test]
fn a_file_that_somebody_deleted_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = LogFiles::new(folder.path().to_owned(), worker(0, 0), limits(1_024, 3));
    files.append(NOW, b"gone\n");
    fs::remove_file(folder.path().join(file(0, 0, 1))).unwrap();
    files.append(NOW, b"here\n");
    assert_eq!(fs::read_to_string(folder.path().join(file(0, 0, 2))).unwrap(), "here\n");
}

#[test]
fn what_medic_does_not_call_so_is_no_log_of_the_instance() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = ["0-notes.log", "0-20260131T081500.000Z-000001.log.gz", "custom-action-0.log"];
    for name in foreign {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let mut files = LogFiles::new(folder.path().to_owned(), worker(0, 0), limits(1_024, 1));
    for _ in 0..5 {
        files.append(NOW, &[b'a'; 1_000]);
    }
    let found = names(folder.path());
    assert!(foreign.iter().all(|name| found.iter().any(|found| found == name)), "{found:?}");
    assert_eq!(found.len(), foreign.len() + 1, "{found:?}");
}
