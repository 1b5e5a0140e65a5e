//! From when on log files are kept, over restarts and without a database: a line of text in the data folder. It moves on by
//! `engine::retention`, so that a clock that is set far ahead deletes nothing before somebody can set it right.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use model::Timestamp;

const NAME: &str = "logs.kept-from";

/// What was said last, in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeptFrom {
    last: Option<(Timestamp, Duration)>,
}

impl KeptFrom {
    /// The next, which `reckon` makes of the last one and how long Medic has run since. On a disk that takes nothing it is known for
    /// as long as this Medic runs.
    pub(super) fn advance(
        &mut self,
        data_dir: &Path,
        now: Duration,
        reckon: impl FnOnce(Option<Timestamp>, Duration) -> Timestamp,
    ) -> Timestamp {
        let path = data_dir.join(NAME);
        let (from, ran) = match self.last {
            Some((from, at)) => (Some(from), now.saturating_sub(at)),
            None => (read(&path), Duration::ZERO),
        };
        let next = reckon(from, ran);
        self.last = Some((next, now));
        let _full_or_read_only = write(&path, next);
        next
    }
}

/// A file that is cut off, or somebody else's, says nothing: then the oldest file counts.
fn read(path: &Path) -> Option<Timestamp> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn write(path: &Path, from: Timestamp) -> io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    writeln!(options.open(path)?, "{from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_the_last_medic_was() {
        let folder = tempfile::tempdir().unwrap();
        let (first, hour) = (Timestamp::from_ms(1_769_847_300_000), Duration::from_hours(1));
        let mut kept = KeptFrom::default();
        kept.advance(folder.path(), hour, |from, ran| {
            assert_eq!((from, ran), (None, Duration::ZERO));
            first
        });
        kept.advance(folder.path(), hour * 3, |from, ran| {
            assert_eq!((from, ran), (Some(first), hour * 2));
            first + hour
        });
        // another run, whose clock begins anew
        KeptFrom::default().advance(folder.path(), Duration::ZERO, |from, ran| {
            assert_eq!((from, ran), (Some(first + hour), Duration::ZERO));
            first
        });
        std::fs::write(folder.path().join(NAME), "").unwrap();
        KeptFrom::default().advance(folder.path(), hour, |from, _| {
            assert_eq!(from, None, "a full disk has cut it off");
            first
        });
    }
}
