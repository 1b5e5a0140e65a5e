use model::auto_heal::cpu::{CpuMode, CpuRule};
use shim::protocol::Watched;

use super::*;

mod auto_heal;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "medic.toml", Path::new("/"), &BTreeMap::new())
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match Config::parse(text, "medic.toml", Path::new("/"), &environment) {
        Err(ConfigError::Wrong(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

const APP: &str =
    "[[app]]\nname = \"shop\"\ncommand = [\"node\", \"server.js\"]\nlisten = \"127.0.0.1:8080\"\n";

/// The example as it is, and with its app's comment marks taken off.
fn example() -> (Config, Config) {
    let (head, app) = DEFAULT.split_at(DEFAULT.find("# [[app]]").unwrap());
    let app = app.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    (parse(DEFAULT).unwrap(), parse(&format!("{head}{app}")).unwrap())
}

#[test]
fn the_example_equals_the_defaults() {
    let (without_app, with_app) = example();
    let stripped = |config: Config| Config { lines: Vec::new(), doubts: Vec::new(), ..config };
    assert_eq!(stripped(without_app), stripped(parse("").unwrap()));
    assert_eq!(stripped(with_app.clone()), stripped(parse(APP).unwrap()));
    // Every setting that exists stands in the example.
    let named: Vec<_> = with_app.lines.iter().filter(|line| line.source == "default").collect();
    assert!(named.is_empty(), "not in the example: {named:?}");
}

#[test]
fn what_is_off_unless_set_stands_in_the_example_with_its_defaults() {
    let line = DEFAULT.lines().find_map(|line| line.strip_prefix("# # proactive_cpu")).unwrap();
    let given = parse(&format!("{APP}proactive_cpu{line}\n")).unwrap().apps[0].cpu;
    assert_eq!(given, Some(CpuRule { mode: CpuMode::Kill, ..CpuRule::default() }));
    assert_eq!(given, parse(&format!("{APP}proactive_cpu = {{}}\n")).unwrap().apps[0].cpu);
}

#[test]
fn every_mistake_is_told_with_key_line_and_remedy() {
    let text = "[server]\nlisen = \"127.0.0.1:3000\"\ndata_dir = 7\n\n[crash_monitoring]\nwindow = \"1 day long\"\ncrashes = -1\n\n\
                [[app]]\nname = \"My Shop\"\ncommand = \"node server.js\"\nlisten = \"8080\"\ninstances = 0\n\n[nonsense]\n";
    assert_eq!(
        problems(text, &[]),
        [
            "medic.toml:3 server.data_dir: must be text in quotation marks (got a number)",
            "medic.toml:2 server.lisen: unknown setting. Did you mean listen?",
            "medic.toml:7 crash_monitoring.crashes: must be 0 to 1000 (got -1)",
            "medic.toml:6 crash_monitoring.window: invalid duration \"1 day long\". Use 500ms, 30s, 24h or 30d.",
            "medic.toml:10 app.name: invalid app name \"My Shop\": must be 1 to 60 of a-z, 0-9 and -, beginning with a letter or digit",
            "medic.toml:11 app.command: must be the program and its arguments as a list, such as [\"node\", \"server.js\"]",
            "medic.toml:12 app.listen: must be an IP address and a port, such as \"127.0.0.1:8080\" (got 8080)",
            "medic.toml:13 app.instances: must be 1 to 64 (got 0)",
            "medic.toml:15 nonsense: unknown setting. Valid: server, database, crash_monitoring, auto_heal, app.",
        ]
    );
}

#[test]
fn the_environment_wins_and_is_checked_too() {
    let environment = [
        ("MEDIC_SERVER_LISTEN", "127.0.0.1:4000"),
        ("MEDIC_LOG", "debug"),
        ("MEDIC_CRASH_MONITORING_CRASHES", "0"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::parse(APP, "medic.toml", Path::new("/"), &environment).unwrap();
    assert_eq!((config.listen.port(), config.apps[0].crash_monitoring.crashes), (4000, 0));
    let line = config.lines.iter().find(|line| line.key == "server.listen").unwrap();
    assert_eq!(line.source, "MEDIC_SERVER_LISTEN");

    let wrong = problems("", &[("MEDIC_SERVER_LISTEN", "here")]);
    assert!(wrong[0].starts_with("MEDIC_SERVER_LISTEN server.listen: must be an IP address"), "{wrong:?}");
    let misspelt = [("MEDIC_SERVRE_LISTEN".to_owned(), "127.0.0.1:1".to_owned())].into();
    let doubts = Config::parse("", "medic.toml", Path::new("/"), &misspelt).unwrap().doubts;
    assert!(
        doubts[0].to_string().starts_with("environment MEDIC_SERVRE_LISTEN: unknown setting"),
        "{doubts:?}"
    );
}

#[test]
fn an_address_for_everybody_is_refused() {
    let wrong = problems("[server]\nlisten = \"0.0.0.0:3000\"\n", &[]);
    assert_eq!(wrong.len(), 1);
    assert!(
        wrong[0].starts_with(
            "medic.toml:2 server.listen: must be a loopback address, because Medic has no TLS (got 0.0.0.0:3000)"
        ),
        "{wrong:?}"
    );
}

#[test]
fn a_public_url_and_trusted_proxies_are_read_and_checked() {
    let server = |text: &str| parse(&format!("[server]\n{text}\n{APP}"));
    let config = server(
        "public_url = \"https://Medic.example.com/\"\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
    )
    .unwrap();
    assert_eq!(config.reach.public_url.as_ref().unwrap().origin(), "https://medic.example.com");
    let line = config.lines.iter().find(|line| line.key == "server.trusted_proxies").unwrap();
    assert_eq!((line.value.as_str(), line.source.as_str()), ("127.0.0.1/32, 10.0.0.0/8", "medic.toml:3"));
    let environment = [("MEDIC_SERVER_TRUSTED_PROXIES".to_owned(), "10.0.0.0/8, ::1".to_owned())].into();
    let config = Config::parse(APP, "medic.toml", Path::new("/"), &environment).unwrap();
    assert_eq!(config.reach.trusted_proxies.len(), 2);
    for (text, what) in [
        (
            "public_url = \"medic.example.com\"",
            "server.public_url: must begin with https:// or http:// (got \"medic.example.com\")",
        ),
        ("public_url = \"https://a/b\"", "server.public_url: must have no path"),
        ("public_url = 1", "server.public_url: must be text"),
        ("trusted_proxies = [\"unix\"]", "server.trusted_proxies: must be addresses (got \"unix\")"),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "server.trusted_proxies: must not be everybody's address"),
        ("trusted_proxies = 1", "server.trusted_proxies: must be a list"),
    ] {
        let wrong = problems(&format!("[server]\n{text}\n"), &[]);
        assert!(wrong.len() == 1 && wrong[0].contains(what), "{wrong:?}");
    }
    let alone = server("public_url = \"https://medic\"").unwrap();
    assert!(alone.doubts[0].to_string().contains("no proxy is trusted"), "{:?}", alone.doubts);
    let plain = server("public_url = \"http://medic\"").unwrap();
    assert!(
        plain.doubts[0].to_string().contains("passwords can be read on the network"),
        "{:?}",
        plain.doubts
    );
}

#[test]
fn an_app_overrides_one_number_and_keeps_the_others() {
    let text = format!("[crash_monitoring]\npause = \"1h\"\n{APP}crash_monitoring = {{ crashes = 1 }}\n");
    let numbers = parse(&text).unwrap().apps[0].crash_monitoring;
    assert_eq!(numbers, Numbers { crashes: 1, pause: Duration::from_hours(1), ..Numbers::default() });
}

/// What an app needs stands in the first four lines, so `keys` begin in the fifth.
fn app_with(keys: &str) -> Result<App, Vec<String>> {
    let text = format!("{APP}{keys}");
    match parse(&text) {
        Ok(config) => Ok(config.apps[0].clone()),
        Err(_) => Err(problems(&text, &[])),
    }
}

#[test]
fn cores_are_written_only_where_an_app_asks_for_them() {
    assert_eq!(app_with("").unwrap().watch, Watched::Serving);
    assert_eq!(app_with("watch = \"main\"\n").unwrap().watch, Watched::Main);
    let told = app_with("watch = \"all\"\n").unwrap_err();
    assert!(told[0].contains("app.watch: must be \"serving\" or \"main\" (got \"all\")"), "{told:?}");
    assert!(!app_with("").unwrap().core_dumps);
    assert!(app_with("core_dumps = true\n").unwrap().core_dumps);
    let told = app_with("core_dumps = \"yes\"\n").unwrap_err();
    assert!(told[0].contains("app.core_dumps: must be true or false (got \"yes\")"), "{told:?}");
}

#[test]
fn when_a_worker_is_warm() {
    let check = |keys: &str| {
        let check = app_with(keys).unwrap().warm_up_check;
        (check.path, check.statuses.to_string())
    };
    let both = |path: &str, statuses: &str| (path.to_owned(), statuses.to_owned());
    assert_eq!(check(""), both("/robots933456.txt", "any"));
    assert_eq!(check("health_path = \"/healthz\"\n"), both("/healthz", "200-299"));
    let path = "WEBSITE_WARMUP_PATH = \"/warm\"";
    let statuses = "WEBSITE_WARMUP_STATUSES = \"200, 202-204\"";
    assert_eq!(
        check(&format!("health_path = \"/healthz\"\nenvironment = {{ {path} }}\n")),
        both("/warm", "any")
    );
    assert_eq!(check(&format!("environment = {{ {path}, {statuses} }}\n")), both("/warm", "200,202-204"));
    assert_eq!(
        check(&format!("health_path = \"/healthz\"\nenvironment = {{ {statuses} }}\n")),
        both("/healthz", "200,202-204")
    );
    assert_eq!(app_with("health_path = \"/healthz\"\n").unwrap().health_path.as_deref(), Some("/healthz"));
}

#[test]
fn app_services_start_limit_replaces_warm_up_and_the_settings_page_says_so() {
    let limit = "environment = { WEBSITES_CONTAINER_START_TIME_LIMIT = \"230\" }";
    let config = parse(&format!("{APP}warm_up = \"5s\"\n{limit}\n")).unwrap();
    assert_eq!(config.apps[0].warm_up, Duration::from_secs(230));
    let lines: Vec<_> = config.lines.iter().filter(|line| line.key == "warm_up").collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].value.as_str(), lines[0].source.as_str()),
        ("230s", "WEBSITES_CONTAINER_START_TIME_LIMIT")
    );
}

#[test]
fn two_apps_share_neither_name_nor_address_and_a_folder_must_be_there() {
    let wrong = problems(&format!("{APP}directory = \"/no/such/folder\"\n{APP}"), &[]);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].contains("folder /no/such/folder not found"));
    assert!(wrong[1].starts_with("medic.toml:7 app.name: duplicate app name \"shop\""), "{wrong:?}");
    assert!(wrong[2].contains("listen address 127.0.0.1:8080 conflicts with 127.0.0.1:8080 of app \"shop\""));
}

#[test]
fn addresses_of_which_only_one_can_be_listened_on_are_found() {
    let excludes = |one: &str, other: &str| {
        let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
        assert_eq!(super::excludes(one, other), super::excludes(other, one));
        super::excludes(one, other)
    };
    for (one, other, expected) in [
        ("127.0.0.1:80", "127.0.0.1:80", true),
        ("127.0.0.1:80", "127.0.0.1:81", false),
        ("127.0.0.1:80", "127.0.0.2:80", false),
        ("0.0.0.0:80", "127.0.0.2:80", true),
        ("[::]:80", "127.0.0.2:80", true),
        ("[::]:80", "0.0.0.0:80", true),
        ("0.0.0.0:80", "[::1]:80", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ] {
        assert_eq!(excludes(one, other), expected, "{one} and {other}");
    }
    let dashboard = "[server]\nlisten = \"127.0.0.1:8080\"\n";
    let wrong = problems(&format!("{dashboard}{APP}"), &[]);
    assert!(wrong.len() == 1 && wrong[0].contains("of the dashboard (server.listen)"), "{wrong:?}");
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let text = format!(
        "[database]\nurl = \"postgres://medic:hunter2@db/medic\"\n{APP}environment = {{ TOKEN = \"hunter2\" }}\n"
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.apps[0].environment["TOKEN"], "hunter2");
    assert!(!format!("{:?}", config.lines).contains("hunter2"));
    assert!(config.lines.iter().any(|line| line.value == "TOKEN=***" && line.app.as_deref() == Some("shop")));
}

#[test]
fn broken_toml_names_its_line() {
    let Err(error) = parse("[server]\nlisten = \n") else { panic!("accepted") };
    assert!(error.to_string().starts_with("medic.toml:2: "), "{error}");
}

#[test]
fn paths_are_absolute_though_the_file_was_named_without_a_folder() {
    let here = std::env::current_dir().unwrap();
    let file = tempfile::Builder::new().suffix(".toml").tempfile_in(&here).unwrap();
    let name = Path::new(file.path().file_name().unwrap());
    assert_eq!(Config::load(name, &BTreeMap::new()).unwrap().data_dir, here.join("data"));
}

#[test]
fn environment_files_are_read_in_order_and_told_without_their_values() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.env"), "A=hunter2\nB=1\n").unwrap();
    std::fs::write(folder.path().join("b.env"), "B=2\nWEBSITE_WARMUP_PATH=/warm\n").unwrap();
    let parse =
        |keys: &str| Config::parse(&format!("{APP}{keys}"), "medic.toml", folder.path(), &BTreeMap::new());
    let config = parse("environment_file = [\"a.env\", \"b.env\"]\nenvironment = { C = \"3\" }\n").unwrap();
    let app = &config.apps[0];
    let variables: Vec<_> = app.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(variables, ["A=hunter2", "B=2", "C=3", "WEBSITE_WARMUP_PATH=/warm"]);
    assert_eq!(app.warm_up_check.path, "/warm");
    let told = |key: &str| -> Vec<(&str, &str)> {
        let lines = config.lines.iter().filter(|line| line.key == key);
        lines.map(|line| (line.value.as_str(), line.source.as_str())).collect()
    };
    assert_eq!(told("environment_file"), [("a.env, b.env", "medic.toml:5")]);
    let [a, b] = ["a.env", "b.env"].map(|name| folder.path().join(name).display().to_string());
    assert_eq!(
        told("environment"),
        [
            ("A=*** B=***", a.as_str()),
            ("B=*** WEBSITE_WARMUP_PATH=***", b.as_str()),
            ("C=***", "medic.toml:6")
        ]
    );
    assert_eq!(parse("environment_file = \"a.env\"\n").unwrap().apps[0].environment.len(), 2);

    std::fs::write(folder.path().join("bad.env"), "A=1\nhunter2\n").unwrap();
    std::fs::write(folder.path().join("port.env"), "PORT=80\n").unwrap();
    for (file, expected) in [
        (
            "none.env",
            format!(
                "medic.toml:5 app.environment_file: cannot read {}",
                folder.path().join("none.env").display()
            ),
        ),
        ("bad.env", "bad.env: line 2: must be NAME=value. Use NAME=value in each line.".to_owned()),
        ("port.env", "port.env: PORT is set by Medic for each worker".to_owned()),
    ] {
        let error = parse(&format!("environment_file = [\"{file}\"]\n")).unwrap_err().to_string();
        assert!(error.contains(&expected) && !error.contains("hunter2"), "{error}");
    }
    let error = parse("environment_file = 7\n").unwrap_err().to_string();
    assert!(error.contains("must be a file or a list of files"), "{error}");
}

#[test]
fn a_variable_of_the_command_that_nobody_expands_is_a_hint() {
    let doubts = |command: &str| -> Vec<String> {
        let text = format!("[[app]]\nname = \"shop\"\ncommand = {command}\nlisten = \"127.0.0.1:8080\"\n");
        let doubts = parse(&text).unwrap().doubts;
        doubts.iter().filter(|doubt| doubt.key == "app.command").map(ToString::to_string).collect()
    };
    let told = doubts(r#"["node", "--port=$PORT", "--db=$DATABASE_URL"]"#);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with(
            "medic.toml:3 app.command: the program gets $DATABASE_URL unexpanded, because no shell runs it"
        ),
        "{told:?}"
    );
    assert_eq!(doubts(r#"["sh", "-c", "exec node --db=$DATABASE_URL"]"#), [] as [&str; 0]);
}
