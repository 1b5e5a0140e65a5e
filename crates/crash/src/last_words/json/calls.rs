//! Calls in a log's record that have no heading: objects with file and line, Go's pairs of lines, places alone.

use model::crash::{Frame, Runtime};
use serde_json::Value;

use crate::last_words::report::Line;
use crate::text::{extension, file_line, printed};

/// The calls of a record, and whose they are.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) runtime: Option<Runtime>,
    pub(super) frames: Vec<Frame>,
}

const FILES: [&str; 7] = ["file", "filename", "filePath", "fileName", "source", "path", "file_name"];
const LINES: [&str; 6] = ["line", "lineno", "lineNumber", "ln", "line_number", "fileLine"];
const FUNCTIONS: [&str; 8] =
    ["function", "func", "method", "methodName", "name", "mn", "function_name", "fn"];
const CLASSES: [&str; 4] = ["class", "className", "cn", "declaringClass"];

/// The languages by their files' ends.
const LANGUAGES: [(&str, Runtime); 14] = [
    ("py", Runtime::Python),
    ("js", Runtime::Node),
    ("mjs", Runtime::Node),
    ("cjs", Runtime::Node),
    ("ts", Runtime::Node),
    ("java", Runtime::Java),
    ("kt", Runtime::Java),
    ("scala", Runtime::Java),
    ("cs", Runtime::Dotnet),
    ("go", Runtime::Go),
    ("s", Runtime::Go),
    ("rb", Runtime::Ruby),
    ("php", Runtime::Php),
    ("rs", Runtime::Rust),
];

fn language(file: &str) -> Option<Runtime> {
    let extension = extension(file);
    LANGUAGES.iter().find(|(end, _)| *end == extension).map(|(_, runtime)| *runtime)
}

/// `[{"func":"load","source":"orders.go","line":"12"}]`; Python's lists have the outermost call first.
pub(super) fn of_objects(list: &[Value]) -> Option<(Runtime, Vec<Frame>)> {
    let mut runtime = None;
    let mut frames: Vec<Frame> = list
        .iter()
        .map_while(|call| {
            let text = |names: &[&str]| names.iter().find_map(|name| call.get(*name)?.as_str());
            let file = text(&FILES)?;
            let line = LINES.iter().find_map(|name| call.get(*name)).and_then(|line| {
                line.as_u64()
                    .or_else(|| line.as_str()?.parse().ok())
                    .and_then(|line| u32::try_from(line).ok())
            });
            runtime = runtime.or_else(|| language(file));
            let function = text(&FUNCTIONS).filter(|name| is_function(name)).unwrap_or_default();
            let class = text(&CLASSES).filter(|name| is_function(name));
            let function = class.map_or(function.to_owned(), |class| format!("{class}.{function}"));
            (line.is_some() && language(file).is_some() && !file.contains(' '))
                .then(|| printed(&function, file, line))
        })
        .collect();
    if runtime == Some(Runtime::Python) {
        frames.reverse();
    }
    runtime.filter(|_| !frames.is_empty()).map(|runtime| (runtime, frames))
}

fn is_function(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.<>$:#*()[]/\\-~".contains(c))
}

/// Go's `main.load` and `\t/srv/orders.go:12`, or `/srv/a.php:12` and `/srv/a.rb:4:in 'load'` alone.
pub(super) fn of_lines(lines: &[Line<'_>]) -> Option<(Runtime, Vec<Frame>)> {
    let pairs: Vec<Frame> = lines
        .iter()
        .zip(lines.iter().skip(1))
        .filter_map(|(function, below)| {
            let (file, line) = below.text.strip_prefix('\t').map(file_line)?;
            let is_go = line.is_some() && language(file) == Some(Runtime::Go);
            (is_go && is_function(function.text)).then(|| printed(function.text, file, line))
        })
        .collect();
    if !pairs.is_empty() {
        return Some((Runtime::Go, pairs));
    }
    let mut runtime = None;
    let frames: Vec<Frame> = lines
        .iter()
        .map_while(|line| {
            let (place, function) = line.text.split_once(":in ").unwrap_or((line.text, ""));
            let (file, number) = file_line(place);
            let function = function.trim_matches(['`', '\'']);
            let is_place = number.is_some() && file.starts_with('/') && !file.contains(' ');
            runtime = runtime.or_else(|| language(file));
            (is_place && language(file).is_some()).then(|| printed(function, file, number))
        })
        .collect();
    runtime.filter(|_| !frames.is_empty()).map(|runtime| (runtime, frames))
}
