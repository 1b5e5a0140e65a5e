//! One call: `\tat java.base/java.lang.Thread.run(Thread.java:840) ~[app.jar:1.0]`.
//!
//! A message may have lines that begin like one (`\tat alice.smith(home)`), so a call is what has a place: a source file, or the
//! machine's words for there being none.

use model::crash::Frame;

use crate::text::{self, file_line, printed};

/// Ends of names of source files of the machine's languages.
const EXTENSIONS: [&str; 13] =
    ["java", "kt", "kts", "scala", "sc", "groovy", "gradle", "clj", "cljc", "rb", "py", "jsp", "xtend"];

pub(super) fn call(line: &str) -> Option<Frame> {
    let call = line.trim_start().strip_prefix("at ")?;
    let (call, jar) = match call.split_once(") ") {
        Some((call, jar)) => (call, Some(jar.trim_start_matches('~').trim_matches(['[', ']']))),
        None => (call.strip_suffix(')')?, None),
    };
    let (method, place) = call.rsplit_once('(')?;
    let (file, number) = place_of(place)?;
    let method = method.trim_end();
    // a lambda's class has a slash of its own: `Shop$$Lambda$14/0x0800c030.run`
    let (module, method) = method
        .rsplit_once('/')
        .filter(|(module, _)| !module.contains('$'))
        .map_or((None, method), |(module, method)| (Some(module), method));
    if !is_method(method) {
        return None;
    }
    let mut frame = printed(method, if number.is_some() { file } else { "" }, number);
    let jar = jar
        .map(|jar| jar.split([':', '!']).next().unwrap_or(jar))
        .filter(|jar| !["?", "na"].contains(jar) && !jar.contains(' '));
    let module =
        module.map(|module| module.split(['@', '/']).next().unwrap_or(module)).filter(|m| *m != "app");
    frame.module = jar.or(module).and_then(|module| text::name_of(module, text::MODULE_CHARS));
    Some(frame)
}

/// `Thread.java:840`, `Orders.kt`, `Native Method`, `Unknown Source`, `<generated>`, R8's `SourceFile:12`.
fn place_of(place: &str) -> Option<(&str, Option<u32>)> {
    const NONE: [&str; 7] = [
        "Native Method",
        "Unknown Source",
        "<generated>",
        "NO_SOURCE_FILE",
        "SourceFile",
        "REPL",
        "InvokeDynamic",
    ];
    let (file, number) = file_line(place);
    let is_compiled = file.starts_with("r8-map-id-") || NONE.contains(&file);
    let extension = text::extension(file);
    let is_file = EXTENSIONS.contains(&extension) && !file.contains([' ', '/', ':']);
    (is_compiled || is_file).then_some((file, number))
}

/// `shop.Orders$Line.load`, `Shop.<init>`, `shop.core$load.invoke`: at least a class and a method.
fn is_method(method: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_$.<>-+/".contains(c);
    method.contains('.') && method.chars().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_place() {
        for (line, function, source) in [
            (
                "\tat java.base/java.lang.Thread.run(Thread.java:840)",
                "java.lang.Thread.run",
                "Thread.java:840",
            ),
            ("    at shop.Orders.load (Orders.kt:12)", "shop.Orders.load", "Orders.kt:12"),
            ("\tat shop.Orders.<init>(Unknown Source)", "shop.Orders.<init>", ""),
            ("\tat a.B.c(B.java) ~[b.jar!/:1.0]", "a.B.c", ""),
            ("at app//shop.core$load.invoke(core.clj:3)", "shop.core$load.invoke", "core.clj:3"),
        ] {
            let frame = call(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(frame.function.as_deref(), Some(function));
            assert_eq!(frame.source().unwrap_or_default(), source);
        }
        for line in [
            "\tat alice.smith(home)",
            "\tat alice's request (a.java)",
            "\tat alice(A.java:1)",
            "    at Orders.load (/srv/app/orders.js:3:1)",
            "   at Shop.Program.Main(String[] args)",
        ] {
            assert_eq!(call(line), None, "{line}");
        }
    }
}
