//! What a master says before it ends a child that does not answer in time. How that child ends tells little: gunicorn's deals with
//! the signal and exits with 0, PHP-FPM's dies of SIGTERM as it does at a reload, and SIGKILL does not name its sender.
//!
//! | master | says | ends it by |
//! |---|---|---|
//! | gunicorn | `[…] [7] [CRITICAL] WORKER TIMEOUT (pid:12)` | SIGABRT, which is handled, then SIGKILL |
//! | unicorn | `… ERROR -- : worker=0 PID:12 timeout (61s > 60s), killing` | SIGKILL |
//! | puma | `[7] ! Terminating timed out worker (worker failed to …): 12` | SIGKILL |
//! | uWSGI | `*** HARAKIRI ON WORKER 1 (pid: 12, try: 1) ***` | SIGKILL |
//! | PHP-FPM | `… [pool www] child 12, script '…' (…) execution timed out (2.1 sec), terminating` | SIGTERM, then SIGKILL |
//!
//! Whatever writes to the same output can say so too. So it is believed only of that child, and only where it can have ended so:
//! a fault is a fault.

use model::{Exit, Signal};

use crate::text;

/// How much of an output is read, from its end.
const TEXT_BYTES: usize = 64 << 10;

const ABORT: Signal = Signal(6);

/// Did its master say on the common output that it ends this process for its time, and is this such an end?
pub fn is_time_out(output: &[u8], pid: u32, exit: Exit) -> bool {
    let text = text::plain(output, TEXT_BYTES);
    text.lines().any(|line| ends(line.trim_end(), pid).is_some_and(|can_end| can_end(exit)))
}

/// What the child itself said on the common output of where it was, as gunicorn's does before it deals with the signal: from the
/// line that names it to the next child's. Nothing where there is none, since another child's calls are worse than none.
pub fn words_of(output: &[u8], pid: u32) -> &[u8] {
    const HEAD: &[u8] = b"[ERROR] Error handling request ";
    let own = [format!("[{pid}] ").as_bytes(), HEAD].concat();
    let Some(start) = output.windows(own.len()).rposition(|part| part == own) else { return &[] };
    let words = output.get(start..).unwrap_or_default();
    let rest = words.get(own.len()..).unwrap_or_default();
    let next = rest.windows(HEAD.len()).position(|part| part == HEAD);
    next.and_then(|next| words.get(..own.len() + next)).unwrap_or(words)
}

/// How the child ends that this line speaks of, where it does.
fn ends(line: &str, pid: u32) -> Option<fn(Exit) -> bool> {
    let ends_with = |end: String| line.strip_suffix(&end);
    if ends_with(format!("[CRITICAL] WORKER TIMEOUT (pid:{pid})")).is_some() {
        return Some(|exit| matches!(exit, Exit::Code(_) | Exit::Signal(ABORT | Signal::KILL)));
    }
    let of_puma = || {
        let before = ends_with(format!(": {pid}"))?;
        before.contains("! Terminating timed out worker").then_some(())
    };
    let of_unicorn = || {
        let before = line.strip_suffix("), killing")?;
        let (before, _seconds) = before.rsplit_once(&format!(" PID:{pid} timeout ("))?;
        before.contains("worker=").then_some(())
    };
    let of_uwsgi = || {
        let (_, rest) = line.split_once("*** HARAKIRI ON WORKER ")?;
        rest.contains(&format!("(pid: {pid},")).then_some(())
    };
    if of_puma().or_else(of_unicorn).or_else(of_uwsgi).is_some() {
        return Some(|exit| exit == Exit::Signal(Signal::KILL));
    }
    // what a request asks for stands in the middle
    let (before, _) =
        line.strip_suffix(" sec), terminating")?.split_once(&format!("child {pid}, script '"))?;
    before.contains("[pool ").then_some(|exit| matches!(exit, Exit::Signal(Signal::TERM | Signal::KILL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: Exit = Exit::Signal(Signal::KILL);
    const TERM: Exit = Exit::Signal(Signal::TERM);
    const SEGV: Exit = Exit::Signal(Signal(11));

    #[test]
    fn masters_say_whom_they_end_for_its_time() {
        let gunicorn = "[2026-11-27 00:41:36 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:12)";
        let unicorn = "E, [2026-11-27T00:41:36.1 #7] ERROR -- : worker=0 PID:12 timeout (61s > 60s), killing";
        let puma = "[7] ! Terminating timed out worker (worker failed to check in within 60 seconds): 12";
        let old_puma = "[7] ! Terminating timed out worker: 12";
        let uwsgi = "Fri Nov 27 00:41:36 2026 - *** HARAKIRI ON WORKER 1 (pid: 12, try: 1, graceful: no) ***";
        let fpm = "[27-Nov-2026 00:41:36] WARNING: [pool www] child 12, script '/srv/a.php' (request: \"GET /a.php\") \
                   execution timed out (2.081022 sec), terminating";
        for (said, exits) in [
            (gunicorn, &[Exit::Code(0), Exit::Code(1), Exit::Signal(ABORT), KILL][..]),
            (unicorn, &[KILL]),
            (puma, &[KILL]),
            (old_puma, &[KILL]),
            (uwsgi, &[KILL]),
            (fpm, &[TERM, KILL]),
        ] {
            let output = format!("before\n{said}\nafter\n");
            for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(ABORT), KILL, TERM, SEGV] {
                assert_eq!(is_time_out(output.as_bytes(), 12, exit), exits.contains(&exit), "{said}: {exit}");
            }
            for pid in [1, 2, 112, 123] {
                assert!(!is_time_out(output.as_bytes(), pid, exits[0]), "{said}: {pid}");
            }
        }
    }

    #[test]
    fn of_several_children_each_has_its_own_words() {
        let line = |pid: u32| {
            format!("[2026-11-27] [{pid}] [ERROR] Error handling request /slow\nTraceback of {pid}\n")
        };
        let output = format!("[7] [CRITICAL] WORKER TIMEOUT (pid:12)\n{}{}end\n", line(12), line(13));
        let said = |pid| String::from_utf8_lossy(words_of(output.as_bytes(), pid)).into_owned();
        assert!(said(12).starts_with("[12] [ERROR]") && said(12).contains("Traceback of 12"));
        assert!(!said(12).contains("Traceback of 13"));
        assert!(said(13).contains("Traceback of 13\nend"));
        assert_eq!((said(1), said(14)), (String::new(), String::new()));
    }

    #[test]
    fn others_that_speak_of_it_are_not_believed() {
        for line in [
            "GET /WORKER%20TIMEOUT (pid:12)",
            "[CRITICAL] WORKER TIMEOUT (pid:12) was asked for",
            "Worker 12 failed to check in: 12",
            "PID:12 timeout (61s > 60s), killing",
            "child 12, script 'a' execution timed out (2.0 sec), terminating",
            "[pool www] child 12, script 'a' executing too slow (2.0 sec), logging",
        ] {
            for exit in [Exit::Code(1), KILL, TERM] {
                assert!(!is_time_out(line.as_bytes(), 12, exit), "{line}");
            }
        }
    }
}
