use super::sent::ROWS_READ;
use super::*;

fn sent(fields: &[(&str, &str)]) -> SentForm {
    SentForm::read(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// A form that can be saved, with `more` over it.
fn with(more: &[(&str, &str)]) -> Draft {
    let good = [
        ("enabled", "False"),
        ("enabled", "True"),
        ("triggers.requests.count", "100"),
        ("triggers.requests.time_interval", "00:01:00"),
        ("actions.action_type", "Recycle"),
        ("actions.min_process_execution_time", "00:10:00"),
    ];
    sent(&[&good, more].concat()).draft
}

fn messages(draft: &Draft) -> Vec<(String, String)> {
    let violations = draft.config().1;
    violations
        .iter()
        .map(|found| (field_name(found).to_owned(), insight::violation::message(found)))
        .collect()
}

#[test]
fn a_form_is_the_rules_it_was_filled_in_with() {
    let draft = with(&[
        ("triggers.status_codes[0].status", "500"),
        ("triggers.status_codes[0].count", "10"),
        ("triggers.status_codes[0].time_interval", "00:01:00"),
        ("triggers.status_codes[0].sub_status", "19"),
        ("triggers.status_codes_range[3].status_codes", "500-530"),
        ("triggers.status_codes_range[3].count", "20"),
        ("triggers.status_codes_range[3].time_interval", "00:02:00"),
        ("triggers.status_codes_range[3].path", "/api/*"),
        ("triggers.slow_requests_with_path[0].time_taken", "00:00:30"),
        ("triggers.slow_requests_with_path[0].count", "5"),
        ("triggers.slow_requests_with_path[0].time_interval", "00:02:00"),
        ("triggers.slow_requests_with_path[0].path", "/search"),
        ("triggers.private_bytes_kib", "204800"),
    ]);
    let (config, wrong) = draft.config();
    assert_eq!(wrong, []);
    let json = r#"{"enabled":true,"rules":{"triggers":{
        "requests":{"count":100,"time_interval":"00:01:00"},"private_bytes_kib":204800,
        "status_codes":[{"status":500,"sub_status":19,"count":10,"time_interval":"00:01:00"}],
        "status_codes_range":[{"status_codes":"500-530","count":20,"time_interval":"00:02:00","path":"/api/*"}],
        "slow_requests_with_path":[{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00","path":"/search"}]},
        "actions":{"action_type":"Recycle","min_process_execution_time":"00:10:00"}}}"#;
    assert_eq!(config, serde_json::from_str(json).unwrap());
    let again = Draft::of(&config);
    assert_eq!(again.config(), (config, Vec::new()), "what is shown is what is there");
}

#[test]
fn empty_rows_are_left_out_and_the_others_move_up() {
    let row = |index: usize, field: &str| format!("triggers.status_codes[{index}].{field}");
    let (blank, status, count) = (row(0, "status"), row(7, "status"), row(7, "count"));
    let draft = with(&[(&blank, "  "), (&row(0, "sub_status"), "4"), (&status, "500"), (&count, "x")]);
    assert_eq!((draft.statuses.filled.len(), draft.statuses.blank), (1, 1));
    let found = messages(&draft);
    assert!(found.contains(&(
        "triggers.status_codes[0].count".to_owned(),
        "Must be a whole number, 0 or more (got `x`)".to_owned()
    )));
    assert!(found.iter().any(|(field, _)| field == "triggers.status_codes[0].time_interval"), "{found:?}");
    assert_eq!(draft.statuses.filled[0].count, "x", "what was typed stays");
}

#[test]
fn rows_are_added_and_removed_where_the_button_stood() {
    let filled = [("triggers.status_codes[0].status", "500"), ("triggers.status_codes[1].status", "502")];
    let added =
        sent(&[&filled[..], &[("triggers.status_codes[2].status", ""), ("do", "add:status_codes")]].concat());
    assert_eq!(added.command, Command::AddRow(List::StatusCodes));
    assert_eq!((added.draft.statuses.filled.len(), added.draft.statuses.blank), (2, 2));
    let removed = sent(&[&filled[..], &[("do", "remove:status_codes[0]")]].concat()).draft;
    assert_eq!(removed.statuses.filled.iter().map(|row| &*row.status).collect::<Vec<_>>(), ["502"]);
    assert_eq!(removed.ranges.blank, 1);
}

#[test]
fn absurd_values_are_refused_each_beside_its_field() {
    let long = "9".repeat(10_000);
    let cases = [
        ("triggers.requests.count", &*long, "Must be 1 to"),
        ("triggers.requests.count", "-1", "Must be a whole number"),
        ("triggers.requests.count", "1e9", "Must be a whole number"),
        ("triggers.requests.count", "٣", "Must be a whole number"),
        ("triggers.requests.count", " ", "Must be a whole number"),
        ("triggers.requests.time_interval", "90", "hh:mm:ss"),
        ("triggers.requests.time_interval", &long, "hh:mm:ss"),
        ("triggers.private_bytes_kib", "102400", "102401 to"),
        ("triggers.private_bytes_kib", "33554433", "to 33554432"),
        ("actions.min_process_execution_time", "02:00:01", "00:00:00 to 02:00:00"),
        ("actions.action_type", "Reboot", "Must be Recycle"),
        ("triggers.slow_requests.path", "/x", "left out"),
    ];
    for (field, value, part) in cases {
        let draft = with(&[(field, value)]);
        let found = messages(&draft);
        assert!(found.iter().any(|(_, message)| message.contains(part)), "{field} {part}: {found:?}");
        assert!(found.iter().all(|(_, message)| message.len() < 300), "a message does not swell: {field}");
    }
}

#[test]
fn one_field_is_blamed_once() {
    let found = messages(&with(&[("triggers.requests.count", "many")]));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_list_without_end_is_bounded_and_refused() {
    let fields: Vec<_> = (0..5_000)
        .map(|index| (format!("triggers.status_codes[{index}].status"), "500".to_owned()))
        .chain((0..5_000).map(|index| (format!("triggers.requests.x{index}"), String::new())))
        .collect();
    let draft = SentForm::read(fields).draft;
    assert_eq!((draft.statuses.filled.len(), draft.statuses.blank), (ROWS_READ, 0));
    let found = messages(&draft);
    assert!(
        found
            .iter()
            .any(|(field, message)| field == "triggers.status_codes" && message.contains("at most 20"))
    );
    assert!(
        found.iter().filter(|(_, message)| message.contains("a field of the form")).count() <= LIST_LIMIT
    );
}

#[test]
fn strange_names_are_refused_and_do_nothing() {
    for name in [
        "triggers.status_codes[-1].status",
        "triggers.status_codes[99999999999999999999999].status",
        "triggers.status_codes[0]",
        "triggers.status_codes[0].status.x",
        "triggers.nothing[0].count",
        "__proto__",
        "",
    ] {
        let found = messages(&with(&[(name, "1")]));
        assert!(
            found.iter().any(|(_, message)| message.contains("a field of the form")),
            "{name}: {found:?}"
        );
    }
    let found = messages(&with(&[("do", "<script>")]));
    assert!(found.iter().any(|(field, _)| field == "do"), "{found:?}");
}

#[test]
fn a_form_of_nothing_switches_nothing_on() {
    let draft = sent(&[("enabled", "True")]).draft;
    let found = messages(&draft);
    assert!(found[0].1.contains("at least one condition"), "{found:?}");
    assert_eq!(sent(&[]).draft.config().1, []);
    assert!(Draft::of(&AutoHealConfig::default()).enabled, "who fills in the first rules means them");
}

#[test]
fn commands_are_words_of_ours() {
    let cases = [
        ("review", Some(Command::Review)),
        ("save", Some(Command::Save)),
        ("import", Some(Command::Import)),
        ("on", Some(Command::Switch(true))),
        ("remove:status_codes_range[19]", Some(Command::RemoveRow(List::StatusCodesRange, 19))),
        ("remove:status_codes_range[]", None),
        ("remove:status_codes_range", None),
        ("add:", None),
        ("", None),
    ];
    for (word, command) in cases {
        assert_eq!(Command::of_word(word), command, "{word}");
    }
}
