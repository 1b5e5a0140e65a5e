//! Whatever stands before every line, a report says the same.

use crash::last_words::read;

use crate::sample;

/// What stands before a line, by its number.
const PREFIXES: [fn(usize) -> String; 40] = [
    |_| "app-1  | ".into(),
    |_| "app_1     | ".into(),
    |_| "\u{1b}[36mapp-1  | \u{1b}[0m".into(),
    |second| format!("app-1  | 2026-01-08T11:23:{second:02}.123456789Z "),
    |second| format!("2026-01-08T11:23:{second:02}.123456789Z "),
    |second| format!("2026-01-08T11:23:{second:02}.123456789+01:00 stderr F "),
    |second| format!("Jan  8 11:23:{second:02} host1 shop[4711]: "),
    |second| format!("Jan 08 11:23:{second:02}.123456 host1 shop[4711]: "),
    |second| format!("Jan  8 11:23:{second:02} host1 shop: "),
    |second| format!("2026-01-08T11:23:{second:02}+0100 host1 shop[4711]: "),
    |second| format!("2026-01-08T11:23:{second:02}.123456+01:00 host1 shop: "),
    |second| format!("Thu 2026-01-08 11:23:{second:02} CET host1 shop.service/bash[4711]: "),
    |second| format!("17678713{second:02}.123456 host1 shop[4711]: "),
    |second| format!("[ 12{second:02}.567890] host1 shop[4711]: "),
    |second| format!("[12{second:02}.567890 <    0.000012 >] host1 shop[4711]: "),
    |second| format!("<11>1 2026-01-08T11:23:{second:02}.1Z host1 shop 4711 - - "),
    |second| format!("<11>1 2026-01-08T11:23:{second:02}.1Z host1 shop 4711 ID4 [x@32473 a=\"3\"] "),
    |second| format!("11:23:{second:02} web.1   | "),
    |_| "web    | ".into(),
    |_| "0|app  | ".into(),
    |second| format!("0|app  | 2026-01-08 11:23:{second:02} +01:00: "),
    |_| "shop_web.1.q2w3e4@host1    | ".into(),
    |_| "[pod/web-5f6d8c-abcde/app] ".into(),
    |_| "web-5f6d8c-abcde app ".into(),
    |_| "default/web-5f6d8c-abcde[app]: ".into(),
    |second| format!("2026-01-08T11:23:{second:02}.1+00:00 ecs/app/0f9de17a6465404e "),
    |_| "/ecs/shop ecs/app/0f9de17a6465404e ".into(),
    |second| format!("17678713941{second:02}\t"),
    |second| format!("2026-01-08T11:23:{second:02}.1Z\t6f1e2d3c-1111-2222-3333-444455556666\tERROR\t"),
    |second| format!("2026-01-08T11:23:{second:02}.1+00:00 app[web.1]: "),
    |second| format!("2026-01-08_11:23:{second:02}.12345 "),
    |_| "@400000006523af1e2d3c4b5a ".into(),
    |second| format!("2026-01-08T11:23:{second:02}.123456Z 01O "),
    |_| "[0] ".into(),
    |_| "[server] ".into(),
    |_| "[@shop/web]: ".into(),
    |_| "apps/web dev: ".into(),
    |_| "shop[4711]: ".into(),
    |_| "shop-web │ ".into(),
    |_| "  ".into(),
];

/// Records, one a line, with the line in a field.
const RECORDS: [(&str, &str); 4] = [
    ("{\"log\":", ",\"stream\":\"stderr\"}"),
    ("2026-01-08 11:23:00.0 +0000 docker.shop: {\"source\":\"stderr\",\"log\":", "}"),
    ("{\"MESSAGE\":", ",\"_PID\":\"4711\"}"),
    ("{\"textPayload\":", ",\"severity\":\"ERROR\"}"),
];

fn told(tail: &str) -> String {
    let words = read(tail.as_bytes()).unwrap_or_else(|| panic!("nothing in {tail}"));
    format!("{} {} {:?} {:?}", words.runtime, words.exception_type, words.cause, words.frames)
}

fn lines_made<'t>(text: &'t str, made: impl Fn(usize, &'t str) -> String) -> String {
    text.lines().enumerate().map(|(number, line)| made(number % 60, line) + "\n").collect()
}

#[test]
fn a_report_reads_the_same_behind_every_prefix() {
    for name in [
        "node_cause",
        "py_multiline",
        "py_group",
        "go_index",
        "java_npe",
        "rust_index",
        "ruby_cause",
        "cpp_asan",
        "synth_dotnet_aggregate",
    ] {
        let text = sample(name);
        let bare = told(&text);
        for prefix in PREFIXES {
            let prefixed = lines_made(&text, |second, line| format!("{}{line}", prefix(second)));
            assert_eq!(told(&prefixed), bare, "{prefixed}");
        }
        for (before, behind) in RECORDS {
            let inside = |line| serde_json::to_string(&format!("{line}\n")).unwrap();
            let wrapped = lines_made(&text, |_, line| format!("{before}{}{behind}", inside(line)));
            assert_eq!(told(&wrapped), bare, "{wrapped}");
        }
    }
}
