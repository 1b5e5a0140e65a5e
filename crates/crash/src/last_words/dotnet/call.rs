//! One call: `   at Shop.Orders.Load(Int32 id) in /src/Orders.cs:line 12`; Mono's `  at P.Load (System.Int32 id) [0x00000] in
//! <hash>:0`.
//!
//! A message may have lines that begin like one (`   at alice's request`), so a call is what has a list of parameters: each with
//! its type, and in an exception's trace with its name.

use model::crash::Frame;

use crate::last_words::report::Line;
use crate::text::{file_line, printed};

pub(super) fn calls(lines: &[Line<'_>]) -> Vec<Frame> {
    lines.iter().filter_map(|line| call(line)).collect()
}

pub(super) fn call(line: &str) -> Option<Frame> {
    // the end of an inner one of an AggregateException
    let call = line.trim_start().strip_prefix("at ")?.trim_end_matches("<---");
    let open = call.find('(')?;
    let close = call.find(") in ").or_else(|| call.rfind(')'))?;
    let (method, parameters) = (call[..open].trim_end(), call.get(open + 1..close)?);
    let after = call[close + 1..].trim_start();
    if !(after.is_empty() || after.starts_with("in ") || after.starts_with('[')) {
        return None;
    }
    // Java's places
    if ["Native Method", "Unknown Source"].contains(&parameters) {
        return None;
    }
    if !(is_method(method) && parameters.split(", ").all(is_parameter)) {
        return None;
    }
    let place = after.strip_prefix("in ").or_else(|| Some(after.split_once(" in ")?.1)).unwrap_or_default();
    let (file, number) = match place.rsplit_once(":line ") {
        Some((file, number)) => (file, number.trim().parse().ok()),
        None if place.starts_with('<') => ("", None),
        None => file_line(place),
    };
    Some(printed(method, file, number))
}

/// `Shop.Orders.Load`, `Program.<Main>$`, `Host.ForeachService[T]`, ``Func`2.Invoke``, `S..ctor`, `Shop.IOrders.Load`. Blanks
/// stand only between the parts of an assembly's name: ``List`1[[Shop.Order, Shop, Version=1.0]].Add``.
fn is_method(method: &str) -> bool {
    let mut depth = 0_i32;
    let mut is_name = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c.is_alphanumeric() || "_.<>`+$|[],@{}=-*&/".contains(c) || (c == ' ' && depth >= 2)
    };
    !method.is_empty() && method.chars().all(&mut is_name)
}

/// `Int32 id`, `System.String`, ``IEnumerable`1 services``, `String& found`; nothing of a method without any.
fn is_parameter(parameter: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_.<>`+$|[],&*@!".contains(c);
    let words = parameter.split(' ').filter(|word| !word.is_empty());
    let count = words.clone().count();
    let is_type = |word: &str| word.starts_with(char::is_uppercase) || word.contains('.') || is_small(word);
    parameter.is_empty()
        || (count <= 4
            && words.clone().all(|word| word.chars().all(is_name))
            && (count > 1 || words.clone().all(is_type)))
}

/// The types that have names of the language.
fn is_small(word: &str) -> bool {
    [
        "int", "uint", "long", "ulong", "short", "byte", "bool", "char", "string", "object", "double",
        "float", "intptr",
    ]
    .contains(&word.trim_end_matches(['[', ']', '*', '&']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_parameters() {
        for (line, function, source) in [
            (
                "   at Shop.Orders.Load(Int32 id) in /src/My Shop/Orders.cs:line 12",
                "Shop.Orders.Load",
                "/src/My Shop/Orders.cs:12",
            ),
            ("   at Program.<Main>$(String[] args)", "Program.<Main>$", ""),
            ("   at System.Environment.FailFast(System.String)", "System.Environment.FailFast", ""),
            ("   at A.Run[T](IEnumerable`1 all, Boolean one, List`1 found)", "A.Run[T]", ""),
            ("   at A.B`1[[C.D, C, Version=1.0]].E(Int32)", "A.B`1[[C.D, C, Version=1.0]].E", ""),
            ("   at A.<>c.<Run>b__0_1()", "A.<>c.<Run>b__0_1", ""),
            ("  at P.Load (System.Int32 id) [0x00000] in <f2e>:0", "P.Load", ""),
            ("   at A..ctor(Int32, Boolean) in /_/src/A.cs:line 3", "A..ctor", "/_/src/A.cs:3"),
        ] {
            let frame = call(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(frame.function.as_deref(), Some(function));
            assert_eq!(frame.source().unwrap_or_default(), source);
        }
        for line in [
            "   at alice's request",
            "   at alice.smith(home)",
            "   at least (so they say) nothing happened",
            "   at the office (Main Street 4)",
            "    at Orders.load (/srv/app/orders.js:3:1)",
            "\tat shop.Orders.load(Orders.java:4)",
        ] {
            assert_eq!(call(line), None, "{line}");
        }
    }
}
