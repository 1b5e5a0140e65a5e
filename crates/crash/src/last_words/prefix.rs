//! What stands before every line of an output, taken off once for all readers.
//!
//! | who | what |
//! |---|---|
//! | `docker compose up`, overmind, hivemind | `app-1  \| ` (the container's name, padded), foreman `13:31:13 web.1   \| ` |
//! | pm2, Docker Swarm | `0\|app  \| `, `shop_web.1.q2w@host    \| ` |
//! | `docker logs -t`, App Service | `2024-03-01T12:34:56.789012345Z ` |
//! | containerd, CRI-O (the CRI's log format) | `2024-03-01T12:34:56.789Z stderr F ` |
//! | journald, syslog | `Mar 15 18:13:49 host1 app[53076]: `; `short-iso` and `short-full` have the year and the zone |
//! | Heroku, Fly | `2019-09-18T13:31:13.945900+00:00 app[web.1]: `, `… app[3d8d] ams [info]` |
//! | Google's, Render's and Jenkins' logs | `ERROR 2026-01-08T11:23:12.2Z [resource.labels.containerName: web] `, `Mar 15 06:13:49 PM  `, `20:26:31 ` |
//! | Maven, sbt, npm, log4j | `[ERROR] `, `[error] `, `npm ERR! `, `npm error ` |
//! | Puma's cluster, concurrently | `[467] `, `[0] ` |
//! | `dmesg`, journald's `short-monotonic`, `short-unix` | `[ 1234.567890] host1 app[7]: `, `1767871394.123456 host1 app[7]: ` |
//! | svlogd, daemontools, `CloudWatch` | `2024-03-01_12:34:56.78901 `, `@400000006523af1e2d3c4b5a `, `1767871394123\t` |
//! | syslog's protocol (RFC 5424) | `<11>1 2024-03-01T12:34:56.789Z host1 app 4711 - - ` |
//! | php-fpm (`catch_workers_output`) | `[21-Nov-2026 10:00:00] WARNING: [pool www] child 7 said into stderr: "…"` |
//! | Passenger, kubectl `--prefix`, Turborepo, systemd | `App 4711 output: `, `[pod/web-1/app] `, `web:start: `, `<3>` |
//! | Ray, `BuildKit`, Sidekiq | `(raylet, ip=192.0.2.7) `, `#11 0.968 `, `2024-04-05T04:17:24.044Z pid=42 tid=3dm WARN: ` |
//! | whoever puts a name of its own there | `[web] `, `apps/web dev: `, `web-5f6d8 app `: learned from the output, see `names` |

mod names;
mod time;

pub(super) use self::names::Sources;
use self::time::time;
use super::form;

/// How many of these stand before one line at most.
const MAX_PIECES: usize = 6;
/// The longest name of a container, a process or a package before a line.
const NAME_CHARS: usize = 100;

/// A line with its prefix apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Split<'t> {
    /// The container, process or package that the line is of.
    pub(super) source: Option<&'t str>,
    /// A level stood there.
    pub(super) level: bool,
    /// A time stood there.
    time: bool,
    pub(super) rest: &'t str,
}

impl Split<'_> {
    /// Was anything taken off?
    pub(super) fn is_stamped(&self, line: &str) -> bool {
        self.rest.len() < line.len()
    }
}

/// Takes the prefix off; a source's name only where it is known to be one.
pub(super) fn split<'t>(line: &'t str, sources: &Sources<'_>) -> Split<'t> {
    let mut split = Split { rest: line, ..Split::default() };
    for _ in 0..MAX_PIECES {
        let known = |piece: &Split<'_>| piece.source.is_none_or(|source| sources.know(source));
        let Some(piece) = sources.named(split.rest).or_else(|| piece(&split).filter(known)) else { break };
        split.source = piece.source.or(split.source);
        split.level |= piece.level;
        split.time |= piece.time;
        split.rest = piece.rest;
    }
    split
}

fn piece<'t>(before: &Split<'t>) -> Option<Split<'t>> {
    let line = before.rest;
    if !line.starts_with(|c: char| c.is_ascii_alphanumeric() || "[<(@_#{\"".contains(c)) {
        return None;
    }
    let early =
        [stamp, container, bracketed, parenthesized, passenger, npm, priority, package, build].into_iter();
    let late = [process, stream, fpm, request, leveled, airflow, source_place, sidekiq].into_iter();
    let late = late.filter(|_| before.time);
    late.chain(early).find_map(|read| read(line))
}

fn rest(rest: &str) -> Split<'_> {
    Split { rest, ..Split::default() }
}

fn of<'t>(source: &'t str, rest: &'t str) -> Split<'t> {
    Split { source: Some(source), rest, ..Split::default() }
}

/// What follows one blank or tab; nothing where the line ends.
fn after_blank(text: &str) -> Option<&str> {
    text.strip_prefix([' ', '\t']).or(Some(text).filter(|text| text.is_empty()))
}

/// `app-1  | rest`. A number alone is that of a source line in an error's excerpt (`12 | let x`).
fn container(line: &str) -> Option<Split<'_>> {
    let is_name = |c: char| c.is_alphanumeric() || "_.-/@|".contains(c);
    let end = line.find(|c| !is_name(c)).unwrap_or(line.len());
    let (name, more) = line.split_at(end);
    let bar = more.trim_start_matches(' ').strip_prefix(['|', '│']).filter(|_| more.starts_with(' '))?;
    let is_named = name.len() <= NAME_CHARS && name.contains(char::is_alphabetic);
    is_named.then_some(of(name, after_blank(bar)?))
}

/// `[467] `, `[ERROR] `, `[pod/web-1/app] `, `[resource.labels.containerName: web] `.
fn bracketed(line: &str) -> Option<Split<'_>> {
    let (inner, more) = line.strip_prefix('[')?.split_once(']')?;
    let more = after_blank(more)?;
    if form::is_level(inner.trim()) {
        return Some(Split { level: true, ..rest(more) });
    }
    if inner.starts_with("pod/") || inner.starts_with("resource.labels.") {
        return Some(of(inner, more)).filter(|_| inner.len() <= 2 * NAME_CHARS);
    }
    // a name that is padded so that all lines begin in one column
    let name = inner.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    if name.len() < inner.len() && !name.is_empty() && name.chars().all(is_name) {
        return Some(of(name, more)).filter(|_| name.len() <= NAME_CHARS);
    }
    let is_number = inner.len() <= 8 && !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(rest(more))
}

/// `(raylet, ip=192.0.2.7) `, `(Orders pid=4711) ` of Ray.
fn parenthesized(line: &str) -> Option<Split<'_>> {
    let (inner, more) = line.strip_prefix('(')?.split_once(')')?;
    let is_ours = inner.len() <= NAME_CHARS && (inner.contains("pid=") || inner.starts_with("raylet"));
    is_ours.then_some(of(inner, after_blank(more)?))
}

/// `#11 0.968 ` of `BuildKit`: the step and the seconds.
fn build(line: &str) -> Option<Split<'_>> {
    let (step, more) = line.strip_prefix('#')?.split_once(' ')?;
    let (seconds, more) = more.split_once(' ').unwrap_or((more, ""));
    let is_ours = step.parse::<u16>().is_ok() && seconds.contains('.') && seconds.parse::<f64>().is_ok();
    is_ours.then_some(rest(more))
}

/// `App 4711 output: `.
fn passenger(line: &str) -> Option<Split<'_>> {
    let (number, more) = line.strip_prefix("App ")?.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let more = ["output:", "stdout:", "stderr:"].iter().find_map(|word| more.strip_prefix(word))?;
    after_blank(more).map(rest)
}

fn npm(line: &str) -> Option<Split<'_>> {
    line.strip_prefix("npm ERR!").or_else(|| line.strip_prefix("npm error")).and_then(after_blank).map(rest)
}

/// `<3>`; of syslog's newer protocol with version, time, host, program, process, message's id and fields:
/// `<11>1 2024-03-01T12:34:56.789Z host1 app 4711 - - `.
fn priority(line: &str) -> Option<Split<'_>> {
    let (number, more) = line.strip_prefix('<')?.split_once('>')?;
    (number.len() <= 3).then_some(())?;
    number.parse::<u8>().ok()?;
    let protocol = || {
        let named = after_blank(time(more.strip_prefix("1 ")?)?)?;
        // host, program, process, message's id
        let (blank, _) = named.match_indices(' ').nth(3)?;
        let (source, fields) = named.split_at(blank);
        let fields = fields.strip_prefix(' ')?;
        let more =
            if fields.starts_with('[') { fields.split_once(']')?.1 } else { fields.strip_prefix('-')? };
        Some(Split { time: true, ..of(source, after_blank(more)?) })
    };
    Some(protocol().unwrap_or_else(|| rest(more)))
}

/// `web:start: `, `@shop/api:dev: `.
fn package(line: &str) -> Option<Split<'_>> {
    const TASKS: [&str; 5] = ["dev", "start", "serve", "build", "preview"];
    let (name, more) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let (package, task) = name.rsplit_once(':')?;
    let is_package = package.chars().all(|c| c.is_alphanumeric() || "@/-_.".contains(c));
    let is_task = TASKS.contains(&task.split(':').next().unwrap_or(task));
    (is_package && is_task && name.len() <= NAME_CHARS).then(|| of(name, more))
}

/// A time, in brackets or not, with a level beside it.
fn stamp(line: &str) -> Option<Split<'_>> {
    let level = line.split_once(' ').filter(|(word, _)| form::is_level(word));
    let unlevelled = level.map_or(line, |(_, more)| more);
    let open = unlevelled.strip_prefix('[');
    let more = time(open.unwrap_or(unlevelled))?;
    if open.is_none() {
        let more = more.strip_prefix(':').unwrap_or(more);
        return Some(Split { level: level.is_some(), time: true, ..rest(after_blank(more)?) });
    }
    // `[16:46:57 INF]`, `[2024-03-01 12:34:56,789: ERROR/MainProcess]`
    let (beside, more) = more.split_once(']')?;
    let is_word = |c: char| c.is_alphanumeric() || " :/,-_.".contains(c);
    (beside.len() <= 40 && beside.chars().all(is_word)).then_some(())?;
    let has_level =
        beside.split(|c: char| !c.is_alphabetic()).any(|word| form::is_level(word) || is_short(word));
    let level = level.is_some() || has_level;
    Some(Split { level, time: true, ..rest(after_blank(more)?) })
}

/// Serilog's levels of three letters.
fn is_short(word: &str) -> bool {
    ["VRB", "DBG", "INF", "WRN", "FTL"].contains(&word)
}

/// A host's, a program's or a region's name begins a text: its end.
fn name_end(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_.-/@".contains(c)))?;
    (1..=NAME_CHARS).contains(&end).then_some(end)
}

/// `host1 traffic_manager[53076]: `, `app[web.1]: `, `app[3d8d] ams [info] `.
fn process(line: &str) -> Option<Split<'_>> {
    let end = name_end(line)?;
    let host = if line[end..].starts_with(' ') { end + 1 } else { 0 };
    let (_, more) = line[host..].split_at(name_end(&line[host..])?);
    let (id, more) = more.strip_prefix('[')?.split_once(']')?;
    if id.len() > NAME_CHARS {
        return None;
    }
    let source = &line[..line.len() - more.len()];
    if let Some(more) = more.strip_prefix(':') {
        return after_blank(more).map(|more| of(source, more));
    }
    let (region, more) = more.strip_prefix(' ').filter(|_| host == 0)?.split_once(" [")?;
    let (level, more) = more.split_once(']')?;
    let is_ours = form::is_level(level) && region.len() <= 5;
    is_ours.then_some(Split { level: true, ..of(source, after_blank(more).unwrap_or(more)) })
}

/// `ERROR\t` of AWS Lambda for Node.js.
fn leveled(line: &str) -> Option<Split<'_>> {
    let (level, more) = line.split_once('\t').unwrap_or((line, ""));
    form::is_level(level).then_some(Split { level: true, ..rest(more) })
}

/// `stderr F `: the stream, and whether the line is whole or a part.
fn stream(line: &str) -> Option<Split<'_>> {
    let more = line.strip_prefix("stderr ").or_else(|| line.strip_prefix("stdout "))?;
    more.strip_prefix(['F', 'P']).and_then(after_blank).map(rest)
}

/// `WARNING: [pool www] child 7 said into stderr: "rest"`.
fn fpm(line: &str) -> Option<Split<'_>> {
    let (_, said) = line.strip_prefix("WARNING: [pool ")?.split_once("] child ")?;
    let (_, said) = said.split_once(" said into std")?;
    let said = said.strip_prefix("err: \"").or_else(|| said.strip_prefix("out: \""))?;
    Some(rest(said.strip_suffix("\", pipe is closed").or_else(|| said.strip_suffix('"')).unwrap_or(said)))
}

/// The request's id in the logs of AWS Lambda.
fn request(line: &str) -> Option<Split<'_>> {
    let (id, more) = line.split_once('\t')?;
    let is_id = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_id.then_some(rest(more))
}

/// `logging.cc:317: ` after a time.
fn source_place(line: &str) -> Option<Split<'_>> {
    let (file, more) = line.split_once(':')?;
    let (number, more) = more.split_once(':')?;
    let is_file = ["cc", "cpp", "go", "py", "rs"].contains(&crate::text::extension(file));
    let is_place = is_file && !file.contains(' ') && number.parse::<u32>().is_ok();
    is_place.then_some(rest(after_blank(more)?))
}

/// `pid=42 tid=3dm WARN: ` of Sidekiq.
fn sidekiq(line: &str) -> Option<Split<'_>> {
    let fields = line.strip_prefix("pid=")?;
    let (fields, more) = fields.split_once(": ").or_else(|| Some((fields.strip_suffix(':')?, "")))?;
    let has_level = fields.rsplit(' ').next().is_some_and(form::is_level);
    let is_ours = has_level && fields.contains(" tid=") && fields.len() <= 2 * NAME_CHARS;
    is_ours.then_some(Split { level: true, ..rest(more) })
}

/// `{taskinstance.py:1937} ERROR - ` of Airflow.
fn airflow(line: &str) -> Option<Split<'_>> {
    let (place, more) = line.strip_prefix('{')?.split_once("} ")?;
    let (level, more) = more.split_once(" - ").or_else(|| Some((more.strip_suffix(" -")?, "")))?;
    let is_ours = place.contains(".py:") && place.len() <= NAME_CHARS && form::is_level(level);
    is_ours.then(|| Split { level: true, ..rest(more) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_is_taken_off() {
        let lines = [
            "app-1  | x",
            "0|app  | x",
            "shop_web.1.q2w@host    | x",
            "13:31:13 web.1   | x",
            "2024-03-01T12:34:56.789012345Z x",
            "2024-03-01T12:34:56.789Z stderr F x",
            "Mar 15 18:13:49 host1 traffic_manager[53076]: x",
            "2024-03-15T18:13:49+0000 host1 app[7]: x",
            "Fri 2024-03-15 18:13:49 UTC host1 app[7]: x",
            "2019-09-18T13:31:13.945900+00:00 app[web.1]: x",
            "2024-03-15T18:13:49Z app[3d8d] ams [info] x",
            "ERROR 2026-01-08T11:23:12.208Z [resource.labels.containerName: web] x",
            "Mar 15 06:13:49 PM x",
            "20:26:31 x",
            "[2024-01-01T00:00:00.000Z] x",
            "[ERROR] x",
            "npm ERR! x",
            "[467] x",
            "[21-Nov-2026 10:00:00] WARNING: [pool www] child 7 said into stderr: \"x\"",
            "App 4711 output: x",
            "[pod/web-1/app] x",
            "@shop/web:start: x",
            "<3>x",
            "[2024-01-01, 00:00:00 UTC] {a.py:12} ERROR - x",
            "[2025-09-06 13:50:21 +0000] [7] [ERROR] x",
            "[app         ] 08:23:51.152 [ERROR] x",
            "#11 0.968 x",
            "(raylet, ip=192.0.2.7) [2022-02-13 11:46:40,549 E 149 189] logging.cc:317: x",
            "2024-04-05T04:17:24.044Z pid=42 tid=3dm WARN: x",
            "[Wed Jul 01 15:34:08.123456 2020] x",
            "app-1  | 2024-03-01T12:34:56Z [ERROR] x",
            "Thu 2026-01-08 11:23:05 CET host1 app[7]: x",
            "[ 1234.567890] host1 app[7]: x",
            "[61234.567890 <    0.000012 >] host1 app[7]: x",
            "1767871394.123456 host1 app[7]: x",
            "1767871394123\tx",
            "2024-03-01_12:34:56.78901 x",
            "@400000006523af1e2d3c4b5a x",
            "<11>1 2024-03-01T12:34:56.789Z host1 app 4711 - - x",
            "<11>1 2024-03-01T12:34:56.789Z host1 app 4711 ID4 [x@32473 a=\"3\"] x",
            "2024-03-15T18:13:49Z app[3d8dd15ce23489] ams [info]x",
            "2026-01-08T11:23:05.123Z\t6f1e2d3c-1111-2222-3333-444455556666\tERROR\tx",
        ];
        for line in lines {
            let split = split(line, &Sources::any());
            assert_eq!(split.rest, "x", "{line}");
            assert!(split.is_stamped(line));
        }
        assert_eq!(split("gathio-1  |", &Sources::any()).rest, "");
        assert_eq!(split("app-1  |     at f", &Sources::any()), of("app-1", "    at f"));
    }

    #[test]
    fn what_only_looks_like_a_prefix_stays() {
        let lines = [
            "12 | let x = 1;",
            "Error: 2024-03-01 12:34:56",
            "  |   File \"a.py\", line 1, in f",
            "Node.js v22.12.0",
            "[ioredis] Unhandled error event: Error: x",
            "goroutine 1 [running]:",
            "FATAL ERROR: Reached heap limit",
            "node:internal/process/promises:394",
            "[signal SIGSEGV: segmentation violation code=0x1 addr=0x28 pc=0x4eb15b]",
            "127.0.0.1 - - [01/Jul/2020:15:34:08 +0000] \"GET / HTTP/1.1\" 200",
            "#0 /srv/a.php(4): App\\Orders->load()",
            "#1 0x852428 (/opt/bin/shop+0x852428)",
            "(node:12) UnhandledPromiseRejectionWarning: Error: x",
        ];
        for line in lines {
            assert_eq!(split(line, &Sources::any()).rest, line);
        }
        assert_eq!(split("a | b", &Sources::default()).rest, "a | b");
    }
}
