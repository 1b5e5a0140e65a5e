//! One call: `    at async Orders.load [as get] (file:///srv/a.js:3:27)`.
//!
//! A message may have lines that begin like one (`    at alice's request`), so a call is what has a place: `(file:line:column)`,
//! a place alone, `<anonymous>` or `native`.

use model::crash::Frame;

use crate::text::{extension, file_line, printed};

/// Ends of names of files that scripts are in, for places without a folder.
const EXTENSIONS: [&str; 14] =
    ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "vue", "svelte", "coffee", "json", "wasm", "node"];

/// Ends of names of files that no script is in: their calls are other runtimes'.
const FOREIGN: [&str; 10] = ["rs", "cs", "java", "kt", "go", "py", "rb", "php", "c", "cpp"];

/// The call of a line.
pub(super) fn call(line: &str) -> Option<Frame> {
    let call = line.trim_start().strip_prefix("at ")?;
    let call = call.strip_suffix(" {").or_else(|| call.strip_suffix(',')).unwrap_or(call).trim();
    let call = call.strip_prefix("async ").unwrap_or(call);
    let (function, place) = match call.strip_suffix(')').and_then(split_place) {
        Some((function, place)) => (function.split(" [as ").next().unwrap_or(function), place),
        None => ("<anonymous>", call),
    };
    let place = self::place(place)?;
    is_function(function).then(|| printed(function, place.0, place.1))
}

/// `load (eval at run (a.js:1:2), <anonymous>:1:7`: the place begins behind the first parenthesis after a blank.
fn split_place(call: &str) -> Option<(&str, &str)> {
    call.split_once(" (")
}

/// File and line; no file where the engine itself is the place.
fn place(place: &str) -> Option<(&str, Option<u32>)> {
    const ENGINE: [&str; 4] = ["<anonymous>", "native", "native code", "unknown"];
    // Code of `eval` names the place of the eval first, `Promise.all` the number of the promise.
    let is_index = place.strip_prefix("index ").is_some_and(|number| number.parse::<u32>().is_ok());
    let place = place.rsplit("), ").next().unwrap_or(place);
    if is_index || ENGINE.contains(&place) {
        return Some(("", None));
    }
    let (file, line) = file_line(place.strip_prefix("file://").unwrap_or(place));
    let line = line?;
    // Bun before 1.1 has only line and column of its own code.
    let is_own = file.is_empty() || file.bytes().all(|byte| byte.is_ascii_digit());
    if is_own || ENGINE.contains(&file) {
        return Some(("", None));
    }
    is_file(file).then_some((file, Some(line)))
}

/// A path, an address with a scheme (`node:fs`, `webpack://shop/a.js`, `https://deno.land/x/a.ts`), the name of a script's file, or
/// what an engine calls code without a file.
pub(super) fn is_file(file: &str) -> bool {
    let has_scheme = file.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && !rest.contains(' ')
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "-+.".contains(c))
    });
    let extension = extension(file);
    if FOREIGN.contains(&extension) {
        return false;
    }
    file.starts_with('/')
        || has_scheme
        || ["[eval]", "[stdin]", "evalmachine.<anonymous>"].contains(&file)
        || file.starts_with("[worker eval]")
        || file.starts_with("[eval]")
        || file.starts_with("internal/")
        || (!file.contains(' ') && (EXTENSIONS.contains(&extension) || file.starts_with('.')))
        || is_old_module(file)
}

/// Before 12, Node.js named its own modules `net.js` and V8's `bootstrap_node.js`; some have neither folder nor end.
fn is_old_module(file: &str) -> bool {
    file.starts_with("REPL") && file[4..].bytes().all(|byte| byte.is_ascii_digit())
}

/// `Orders.load`, `new Orders`, `Object.<anonymous>`, `#load`, `Proxy.get [x]`, `Object../src/a.js`, `get name`.
fn is_function(function: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_$.#<>[]()/-:*\u{200d} ".contains(c);
    !function.is_empty() && function.matches(' ').count() <= 4 && function.chars().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_place() {
        for (line, function, source) in [
            ("    at async Orders.load [as get] (file:///srv/a.js:3:27)", "Orders.load", "/srv/a.js:3"),
            ("    at /srv/app/a.js:3:27", "<anonymous>", "/srv/app/a.js:3"),
            ("    at async file:///srv/app/main.ts:3:9", "<anonymous>", "/srv/app/main.ts:3"),
            ("    at Promise.all (index 0)", "Promise.all", ""),
            ("    at new Promise (<anonymous>)", "new Promise", ""),
            ("    at eval (eval at run (/srv/a.js:1:2), <anonymous>:1:7)", "eval", ""),
            (
                "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {",
                "process.processTicksAndRejections",
                "node:internal/process/task_queues:95",
            ),
            (
                "    at #cachedDefaultResolve (node:internal/modules/esm/loader:704:25)",
                "#cachedDefaultResolve",
                "node:internal/modules/esm/loader:704",
            ),
            ("    at [worker eval]:1:7", "<anonymous>", "[worker eval]:1"),
            ("    at [kOnMessage] (node:internal/worker:344:37)", "[kOnMessage]", "node:internal/worker:344"),
            ("    at Module._compile (module.js:653:30)", "Module._compile", "module.js:653"),
            ("    at f (webpack-internal:///./src/a.js:1:2)", "f", "webpack-internal:///./src/a.js:1"),
            ("      at loadAndEvaluateModule (2:1)", "loadAndEvaluateModule", ""),
            ("      at processTicksAndRejections (native:7:39)", "processTicksAndRejections", ""),
            ("    at f (/srv/my app/a.js:1:1)", "f", "/srv/my app/a.js:1"),
        ] {
            let frame = call(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(frame.function.as_deref(), Some(function), "{line}");
            assert_eq!(frame.source().unwrap_or_default(), source, "{line}");
        }
        for line in [
            "    at alice's request",
            "    at alice",
            "    at alice@example.org:1:1",
            "    at alice (home)",
            "    at the office of alice:4:2",
            "\tat shop.Orders.load(Orders.java:4)",
            "             at ./src/main.rs:14:5",
            "    at jdk.Method.invoke (Method.java:580)",
            "   at Shop.Program.Main(String[] args) in /src/Program.cs:line 31",
        ] {
            assert_eq!(call(line), None, "{line}");
        }
    }
}
