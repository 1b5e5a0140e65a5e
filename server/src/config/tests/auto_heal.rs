//! What auto-heal goes by.

use model::auto_heal::limit::WorkerSize;

use super::*;

#[test]
fn an_app_has_a_fuse_of_its_own_and_the_general_one_for_the_rest() {
    let text = format!(
        "[auto_heal]\nfuse_window = \"10m\"\n{APP}auto_heal = {{ fuse_restarts = 5, fuse_off = \"1h\" }}\n"
    );
    let (minutes, hour) = (Duration::from_mins(10), Duration::from_hours(1));
    assert_eq!(parse(&text).unwrap().apps[0].fuse, FuseNumbers { restarts: 5, window: minutes, off: hour });
    let environment = [("MEDIC_AUTO_HEAL_FUSE_RESTARTS".to_owned(), "7".to_owned())].into();
    let config = Config::parse(APP, "medic.toml", Path::new("/"), &environment).unwrap();
    assert_eq!(config.apps[0].fuse, FuseNumbers { restarts: 7, ..FuseNumbers::default() });
}

#[test]
fn an_app_opts_out_of_not_responding_alone_and_has_numbers_of_its_own() {
    let default = NotRespondingNumbers::default();
    assert_eq!(app_with("").unwrap().not_responding, default);
    let off = app_with("auto_heal = { not_responding = false }\n").unwrap().not_responding;
    assert_eq!(off, NotRespondingNumbers { enabled: false, ..default });
    let text = format!(
        "[auto_heal]\nnot_responding_after = \"2m\"\n{APP}auto_heal = {{ not_responding_probe = \"5s\" }}\n"
    );
    let (after, answer_within) = (Duration::from_mins(2), Duration::from_secs(5));
    let own = NotRespondingNumbers { enabled: true, after, answer_within };
    assert_eq!(parse(&text).unwrap().apps[0].not_responding, own);
}

#[test]
fn an_app_says_which_paths_percent_request_leaves_out() {
    let excluded = |keys: &str| {
        app_with(keys).map(|app| app.percent_request_exclude.iter().map(ToString::to_string).collect())
    };
    assert_eq!(excluded(""), Ok(Vec::<String>::new()));
    let keys = r#"auto_heal = { percent_request_exclude = ["/poll/*", "wait"] }"#;
    assert_eq!(excluded(keys), Ok(vec!["/poll/*".to_owned(), "wait".to_owned()]));
    let keys = r#"auto_heal = { percent_request_exclude = "/poll/*, /wait" }"#;
    assert_eq!(excluded(keys), Ok(vec!["/poll/*".to_owned(), "/wait".to_owned()]));
    let refused = excluded(r#"auto_heal = { percent_request_exclude = ["/poll?x"] }"#).unwrap_err();
    assert!(refused[0].contains("app.auto_heal.percent_request_exclude: must be paths"), "{refused:?}");
}

#[test]
fn the_memory_of_a_worker() {
    let app = app_with("worker_size = \"Large\"\nretry_requests = false\n").unwrap();
    assert_eq!(
        (app.worker_size, app.memory_limit_bytes, app.retry_requests),
        (WorkerSize::Large, None, false)
    );
    let sizes = [
        ("\"512MiB\"", 512 << 20),
        ("\"200MB\"", 200 << 20),
        ("\"200 mb\"", 200 << 20),
        ("\"1.5GB\"", 3 << 29),
        ("\"1.75g\"", 7 << 28),
        ("\"1073741824\"", 1 << 30),
        ("1073741824", 1 << 30),
        ("\"16TiB\"", 16 << 40),
        ("\"1024K\"", 1 << 20),
    ];
    for (text, bytes) in sizes {
        let app = app_with(&format!("memory_limit = {text}\n")).unwrap();
        assert_eq!(app.memory_limit_bytes, Some(bytes), "{text}");
    }
    for none in ["\"\"", "0", "\"0MB\""] {
        assert_eq!(app_with(&format!("memory_limit = {none}\n")).unwrap().memory_limit_bytes, None, "{none}");
    }
}

#[test]
fn wrong_values_of_auto_heal_are_told_with_their_range() {
    let size = "Use \"512MiB\", \"1.5GiB\" or a number of bytes.";
    let cases = [
        ("memory_limit = \"much\"", format!("app.memory_limit: invalid size \"much\". {size}")),
        ("memory_limit = \"1.5.5GB\"", format!("app.memory_limit: invalid size \"1.5.5GB\". {size}")),
        ("memory_limit = \"GB\"", format!("app.memory_limit: invalid size \"GB\". {size}")),
        ("memory_limit = \"-1GB\"", format!("app.memory_limit: invalid size \"-1GB\". {size}")),
        (
            "memory_limit = \"99999999999TB\"",
            format!("app.memory_limit: invalid size \"99999999999TB\". {size}"),
        ),
        ("memory_limit = 1048575", "app.memory_limit: must be 1MiB to 16TiB (got 1048575)".to_owned()),
        (
            "memory_limit = true",
            "app.memory_limit: must be \"512MiB\", \"1.5GiB\" or a number of bytes (got true)".to_owned(),
        ),
        (
            "worker_size = \"tiny\"",
            "app.worker_size: must be \"small\", \"medium\" or \"large\" (got \"tiny\")".to_owned(),
        ),
        ("retry_requests = 1", "app.retry_requests: must be true or false (got 1)".to_owned()),
        (
            "health_path = \"healthz\"",
            "app.health_path: invalid path \"healthz\". Begin it with /".to_owned(),
        ),
        (
            "proactive_cpu = { threshold_percent = 52 }",
            "app.proactive_cpu.threshold_percent: must be 50 to 95 in steps of 5 (got 52)".to_owned(),
        ),
        (
            "proactive_cpu = { mode = \"CollectAndKill\" }",
            "app.proactive_cpu.mode: must be Kill (got CollectAndKill). Modes that take a dump are not supported yet"
                .to_owned(),
        ),
        (
            "proactive_cpu = { mode = \"nap\" }",
            "app.proactive_cpu.mode: must be \"kill\" (got \"nap\")".to_owned(),
        ),
        (
            "auto_heal = { fuse_restarts = 0 }",
            "app.auto_heal.fuse_restarts: must be 1 to 100 (got 0)".to_owned(),
        ),
        (
            "auto_heal = { not_responding_after = \"2h\" }",
            "app.auto_heal.not_responding_after: must be 1 s to 1 h (got 2 h)".to_owned(),
        ),
        (
            "auto_heal = { not_responding_probe = \"0s\" }",
            "app.auto_heal.not_responding_probe: must be 1 s to 1 min (got 0 ms)".to_owned(),
        ),
        (
            "auto_heal = { fuse_window = \"2h\", fuse_off = \"1h\" }",
            "app.auto_heal.fuse_off: must be 2 h to 24 h (got 1 h)"
                .to_owned(),
        ),
        (
            "environment = { WEBSITE_WARMUP_STATUSES = \"200,2xx\" }",
            "app.environment: WEBSITE_WARMUP_STATUSES: invalid status \"2xx\". Use 100 to 599".to_owned(),
        ),
        (
            "environment = { WEBSITE_WARMUP_PATH = \"ready\" }",
            "app.environment: WEBSITE_WARMUP_PATH: invalid path \"ready\"".to_owned(),
        ),
        (
            "environment = { WEBSITES_CONTAINER_START_TIME_LIMIT = \"9\" }",
            "app.environment: WEBSITES_CONTAINER_START_TIME_LIMIT: must be 10 to 1800 seconds (got 9)"
                .to_owned(),
        ),
    ];
    for (line, message) in cases {
        let told = app_with(&format!("{line}\n")).unwrap_err();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("medic.toml:5 {message}")), "{line}: {told:?}");
    }
}
