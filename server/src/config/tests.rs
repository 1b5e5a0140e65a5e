use super::*;

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
    let stripped = |config: Config| Config { lines: Vec::new(), ..config };
    assert_eq!(stripped(without_app), stripped(parse("").unwrap()));
    assert_eq!(stripped(with_app.clone()), stripped(parse(APP).unwrap()));
    // Every setting that exists stands in the example.
    let named: Vec<_> = with_app.lines.iter().filter(|line| line.source == "default").collect();
    assert!(named.is_empty(), "not in the example: {named:?}");
}

#[test]
fn every_mistake_is_told_with_key_line_and_remedy() {
    let text = "[server]\nlisen = \"127.0.0.1:3000\"\ndata_dir = 7\n\n[crash_monitoring]\nwindow = \"1 day long\"\ncrashes = -1\n\n\
                [[app]]\nname = \"My Shop\"\ncommand = \"node server.js\"\nlisten = \"8080\"\ninstances = 0\n\n[nonsense]\n";
    assert_eq!(
        problems(text, &[]),
        [
            "medic.toml line 3: `server.data_dir`: it is a number; write a text in quotation marks.",
            "medic.toml line 2: `server.lisen`: there is no such setting; did you mean `listen`?",
            "medic.toml line 7: `crash_monitoring.crashes`: `-1` does not fit; write a whole number from 0 to 1000.",
            "medic.toml line 6: `crash_monitoring.window`: `1 day long` is no duration; write it with its unit, such as \"500ms\", \"30s\", \"24h\" or \"30d\".",
            "medic.toml line 10: `app.name`: `My Shop` is no app name; take 1 to 60 of a-z, 0-9 and `-`, beginning with a letter or digit.",
            "medic.toml line 11: `app.command`: it is no command; write the program and its arguments as a list: [\"node\", \"server.js\"].",
            "medic.toml line 12: `app.listen`: `8080` is no address; write an IP address and a port, such as \"127.0.0.1:8080\".",
            "medic.toml line 13: `app.instances`: `0` does not fit; write a whole number from 1 to 64.",
            "medic.toml line 15: `nonsense`: there is no such setting; known are server, database, crash_monitoring, app.",
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
    assert!(wrong[0].starts_with("MEDIC_SERVER_LISTEN: `server.listen`: `here` is no address;"), "{wrong:?}");
    let misspelt = [("MEDIC_SERVRE_LISTEN".to_owned(), "127.0.0.1:1".to_owned())].into();
    let doubts = Config::parse("", "medic.toml", Path::new("/"), &misspelt).unwrap().doubts;
    assert!(
        doubts[0].to_string().starts_with("environment: `MEDIC_SERVRE_LISTEN`: there is no such setting"),
        "{doubts:?}"
    );
}

#[test]
fn an_address_for_everybody_is_refused_while_no_account_exists() {
    let wrong = problems("[server]\nlisten = \"0.0.0.0:3000\"\n", &[]);
    assert_eq!(wrong.len(), 1);
    assert!(
        wrong[0].starts_with(
            "medic.toml line 2: `server.listen`: 0.0.0.0:3000 can be reached from other machines"
        ),
        "{wrong:?}"
    );
}

#[test]
fn an_app_overrides_one_number_and_keeps_the_others() {
    let text = format!("[crash_monitoring]\npause = \"1h\"\n{APP}crash_monitoring = {{ crashes = 1 }}\n");
    let numbers = parse(&text).unwrap().apps[0].crash_monitoring;
    assert_eq!(numbers, Numbers { crashes: 1, pause: Duration::from_hours(1), ..Numbers::default() });
}

#[test]
fn two_apps_share_neither_name_nor_address_and_a_folder_must_be_there() {
    let wrong = problems(&format!("{APP}directory = \"/no/such/folder\"\n{APP}"), &[]);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].contains("there is no folder /no/such/folder"));
    assert!(wrong[1].starts_with("medic.toml line 7: `app.name`: another app is named `shop`"), "{wrong:?}");
    assert!(wrong[2].contains("another app listens on 127.0.0.1:8080"));
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
    assert!(error.to_string().starts_with("medic.toml line 2: "), "{error}");
}

#[test]
fn paths_are_absolute_though_the_file_was_named_without_a_folder() {
    let here = std::env::current_dir().unwrap();
    let file = tempfile::Builder::new().suffix(".toml").tempfile_in(&here).unwrap();
    let name = Path::new(file.path().file_name().unwrap());
    assert_eq!(Config::load(name, &BTreeMap::new()).unwrap().data_dir, here.join("data"));
}
