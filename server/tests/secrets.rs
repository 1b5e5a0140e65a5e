//! Secrets planted wherever an app or its users may have them, and looked for in every page and answer, in Medic's log, in its
//! command lines and in every file that it writes, but for the worker's own output and the messages of its crashes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use insight::detector::Sharing;
use insight::detectors::DETECTORS;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{Answer, Medic, free_address, processes_below, request};

const RULES: &str = "/api/v1/apps/shop/auto-heal";
const FORM: &str = "/apps/shop/categories/diagnostic-tools/tools/auto-heal";

/// A word for each place, which is nowhere else.
fn secret(place: &str) -> String {
    if place == "name" {
        // somebody's, which could as well be a page's
        return "jane-zqdoe".to_owned();
    }
    format!("zq7x{place}9Kd2")
}

/// Where one is planted.
const PLACES: [&str; 21] = [
    "argument",
    "environment",
    "own",
    "warmup",
    "message",
    "parameters",
    "imported",
    "pasted",
    "dryrun",
    "output",
    "query",
    "authorization",
    "cookie",
    "custom",
    "body",
    "path",
    "name",
    "method",
    "setting",
    "refused",
    "action",
];

/// Secrets that the operator gives to Medic to keep: they stand in its database, and nowhere else.
const KEPT: [&str; 1] = ["parameters"];

struct Planted {
    medic: Medic,
    /// What those were answered who sent a secret.
    answers: Vec<(String, String)>,
}

fn plant() -> Planted {
    let folder = tempfile::tempdir().unwrap();
    let program = lab::compile_c("hostile.c", &["-g", "-O1"]);
    let config = format!(
        "[server]\nlisten = \"{}\"\n[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n[[app]]\nname = \"shop\"\n\
         command = [\"{}\", \"--password={}\", \"{}\"]\nback_off = \"0s\"\nlisten = \"{}\"\n\
         environment = {{ LAB_SECRET = \"{}\", API_KEY = \"{}\", WEBSITE_WARMUP_PATH = \"/?key={}\" }}\n",
        free_address(),
        program.display(),
        secret("argument"),
        secret("argument"),
        free_address(),
        secret("message"),
        secret("environment"),
        secret("warmup"),
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    let own = secret("own");
    let medic = Medic::at_with(
        folder,
        &[("AWS_SECRET_ACCESS_KEY", &own), ("MEDIC_LOG", "debug"), ("PGPASSWORD", &own)],
    );
    Planted { medic, answers: Vec::new() }
}

impl Planted {
    fn send(&mut self, method: &str, path: &str, kind: &str, body: &str) -> u16 {
        let answer = request(self.medic.address, method, path, &[("Content-Type", kind)], body);
        self.answers.push((format!("{method} {path}"), answer.body));
        answer.status
    }

    /// A request that is under way while its worker crashes.
    fn under_way(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.medic.front_door).unwrap();
        let (method, path) = (secret("method"), secret("path"));
        write!(
            stream,
            "{method} /slow?ms=60000&token={} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\nCookie: session={}\r\n\
             X-Api-Key: {}\r\nReferer: http://shop/{path}\r\nContent-Length: {}\r\n\r\n{}",
            secret("query"),
            secret("authorization"),
            secret("cookie"),
            secret("custom"),
            secret("body").len(),
            secret("body"),
        )
        .unwrap();
        stream
    }

    fn crash(&self, how: &str) {
        self.medic.until("the debugger attached", || {
            (self.medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
        });
        let _under_way = self.under_way();
        let _order = request(self.medic.front_door, "GET", &format!("/orders/{}", secret("path")), &[], "");
        self.medic.crash(how);
    }
}

/// Sends the form of the rules.
fn form(medic: &Medic, fields: &[(&str, &str)]) -> Answer {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let body: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    request(medic.address, "POST", FORM, &[kind], &body.join("&"))
}

/// Rules that run a program at the first request.
fn rules(exe: &Path, parameters: &str) -> Value {
    json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {"requests": {"count": 1, "timeInterval": "00:01:00"}},
        "actions": {"actionType": "CustomAction", "customAction": {"exe": exe, "parameters": parameters}}
    }})
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() == "logfiles" => {}
            Ok(kind) if kind.is_dir() => files_below(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn holds(bytes: &[u8], place: &str) -> bool {
    let secret = secret(place);
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Every place whose secret stands in this.
fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    PLACES.into_iter().filter(|place| holds(bytes, place)).collect()
}

fn pages(medic: &Medic) -> Vec<String> {
    let category = "/apps/shop/categories/availability-and-performance";
    let mut paths =
        ["/", "/apps/shop", "/apps/shop/incidents", "/apps/shop/settings", "/healthz", "/api/v1/incidents"]
            .map(str::to_owned)
            .to_vec();
    paths.extend(DETECTORS.map(|detector| {
        format!("/apps/shop/categories/{}/detectors/{}", detector.category.id(), detector.id)
    }));
    paths.extend(DETECTORS.map(|detector| format!("/api/v1/apps/shop/detectors/{}", detector.id)));
    paths.push(format!("{category}/overview"));
    paths.extend(["custom", "proactive", "history"].map(|tab| format!("{FORM}?tab={tab}")));
    paths.extend(
        [
            "",
            "/crashes",
            "/detectors",
            "/settings",
            "/restarts",
            "/heal-events",
            "/changes",
            "/auto-heal",
            "/auto-heal?format=web.config",
            "/auto-heal/status",
        ]
        .map(|name| format!("/api/v1/apps/shop{name}")),
    );
    for incident in medic.json("/api/v1/incidents").as_array().unwrap() {
        let id = incident["id"].as_str().unwrap();
        paths.extend([
            format!("/incidents/{id}"),
            format!("/incidents/{id}/markdown"),
            format!("/api/v1/incidents/{id}"),
        ]);
    }
    paths
}

/// What share links show of all that can be shared, opened as people and programs open them that are not signed in, and what whoever
/// made them was answered.
fn shared(medic: &Medic) -> Vec<(String, String)> {
    let ids = |path: &str| -> Vec<String> {
        let listed = medic.json(path);
        listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let detectors = DETECTORS.iter().filter(|detector| detector.sharing != Sharing::Private);
    let mut paths: Vec<String> =
        detectors.map(|detector| format!("/api/v1/apps/shop/detectors/{}", detector.id)).collect();
    paths.extend(ids("/api/v1/incidents").into_iter().map(|id| format!("/api/v1/incidents/{id}")));
    let restarts = ids("/api/v1/apps/shop/restarts");
    assert!(!restarts.is_empty());
    paths.extend(restarts.into_iter().map(|id| format!("/api/v1/apps/shop/restarts/{id}")));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let is_in =
        |text: &str, word: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word);
    let mut shown = Vec::new();
    for path in paths {
        for include in [json!([]), json!(["app", "hosts", "paths"])] {
            let body = json!({"include": include}).to_string();
            let kind = ("Content-Type", "application/json");
            let made = request(medic.address, "POST", &format!("{path}/shares"), &[kind], &body);
            assert_eq!(made.status, 201, "{path}: {}", made.body);
            let link = made.json()["url"].as_str().unwrap().split_once("/s/").unwrap().1.to_owned();
            let private = include == json!([]);
            for (agent, more) in [
                ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", ""),
                ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", ""),
                ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", ""),
                ("facebookexternalhit/1.1", ""),
                ("Twitterbot/1.0", ""),
                ("curl/8.5.0", "/markdown"),
            ] {
                let answer =
                    request(medic.address, "GET", &format!("/s/{link}{more}"), &[("User-Agent", agent)], "");
                assert_eq!(answer.status, 200, "{path}");
                let text = answer.head + &answer.body;
                for word in [host.trim(), "uid", "tmp", "home", "work", "target"] {
                    assert!(!private || !is_in(&text, word), "{word} of {path}: {text}");
                }
                shown.push((format!("a link to {path} opened by {agent}"), text));
            }
            shown.push((path.clone(), made.body));
        }
    }
    shown.push(("the list".to_owned(), medic.get("/shares").body + &medic.get("/api/v1/shares").body));
    shown
}

#[test]
fn no_secret_leaves_the_log_folders() {
    let mut planted = plant();
    planted.medic.until_running();
    // An action that prints its parameters and one more secret.
    let action = planted.medic.data_dir().with_file_name("action.sh");
    std::fs::write(&action, format!("#!/bin/sh\necho \"$@\" {}\nexit 3\n", secret("output"))).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&action).status().unwrap().success());
    let with_parameters = rules(&action, &secret("parameters"));
    assert_eq!(planted.send("PUT", RULES, "application/json", &with_parameters.to_string()), 200);
    assert_eq!(planted.medic.json(RULES)["autoHealRules"]["actions"]["customAction"]["parameters"], "***");
    let imported = format!(
        "<monitoring><triggers><requests count=\"5\" timeInterval=\"00:01:00\"/></triggers><actions value=\"CustomAction\">\
         <customAction exe=\"/bin/true\" parameters=\"{}\"/></actions></monitoring>",
        secret("imported")
    );
    planted.send("POST", &format!("{RULES}/dry-run"), "application/xml", &imported);
    let dry = rules(&action, &secret("dryrun"));
    assert_eq!(planted.send("POST", &format!("{RULES}/dry-run"), "application/json", &dry.to_string()), 200);
    let refused = rules(Path::new(&secret("refused")), &secret("refused"));
    assert_eq!(planted.send("PUT", RULES, "application/json", &refused.to_string()), 400);
    let setting = json!({"WEBSITE_PROACTIVE_AUTOHEAL_ENABLED": secret("setting")}).to_string();
    assert_eq!(planted.send("PUT", "/api/v1/apps/shop/settings", "application/json", &setting), 400);
    // who sent it is told what was wrong
    planted.answers.pop();
    // Who pastes something gets it back, to go on with.
    let pasted = imported.replace(&secret("imported"), &secret("pasted"));
    let answer = form(&planted.medic, &[("do", "import"), ("import", &pasted)]);
    assert!(answer.body.contains(&secret("pasted")), "{}", answer.body);
    let reviewed = form(
        &planted.medic,
        &[
            ("do", "review"),
            ("triggers.requests.count", "7"),
            ("triggers.requests.timeInterval", "00:01:00"),
            ("actions.actionType", "CustomAction"),
            ("actions.customAction.exe", action.to_str().unwrap()),
            ("actions.customAction.parameters", "***"),
        ],
    );
    assert_eq!(reviewed.status, 200, "{}", reviewed.body);
    planted.answers.push(("a review".to_owned(), reviewed.body));

    let _one_request = planted.medic.shop("/");
    planted.medic.until("the action's record", || {
        let events = planted.medic.json("/api/v1/apps/shop/heal-events");
        events.as_array().unwrap().iter().any(|event| event["event"] == "ran").then_some(())
    });
    planted.crash("native");
    for runtime in ["cpp", "dotnet", "java", "node", "python", "go"] {
        planted.crash(&format!("{runtime}/secret/{}", secret("name")));
    }
    planted.medic.until_running();

    let replaced = request(planted.medic.address, "POST", "/api/v1/apps/shop/instances/0/restart", &[], "");
    assert_eq!(replaced.status, 202, "{}", replaced.body);
    planted.medic.until("the restart recorded", || {
        (!planted.medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().is_empty()).then_some(())
    });
    let links = shared(&planted.medic);
    let shown = pages(&planted.medic).into_iter().map(|path| (path.clone(), planted.medic.get(&path)));
    let mut looked_at: Vec<(String, Vec<u8>)> =
        shown.map(|(path, answer)| (path, (answer.head + &answer.body).into_bytes())).collect();
    looked_at.extend(links.into_iter().map(|(path, text)| (path, text.into_bytes())));
    looked_at.extend(planted.answers.drain(..).map(|(path, body)| (path, body.into_bytes())));
    looked_at.push(("Medic's log".to_owned(), planted.medic.log().into_bytes()));
    for pid in processes_below(&planted.medic.data_dir()) {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        looked_at.push((format!("the command line of {pid}"), command));
    }
    let mut files = Vec::new();
    files_below(&planted.medic.data_dir(), &mut files);
    assert!(files.iter().any(|file| file.ends_with("medic.db")), "{files:?}");
    // how a worker is started, for its shim alone
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_default();
        looked_at.push((file.display().to_string(), bytes));
    }
    let mut leaks = Vec::new();
    for (place, bytes) in &looked_at {
        let is_database = place.contains("medic.db");
        let found = found_in(bytes).into_iter().filter(|secret| !(is_database && KEPT.contains(secret)));
        leaks.extend(found.map(|secret| format!("{secret} in {place}")));
    }
    assert_eq!(leaks, Vec::<String>::new());

    // They were planted: what the worker printed has the message, the action's output its parameters.
    let logs = planted.medic.data_dir().join("apps/shop/logfiles");
    let said = Command::new("grep")
        .args(["-rlE", &["message", "parameters", "output"].map(secret).join("|")])
        .arg(&logs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.lines().count() > 3, "{said}");
    let page = planted.medic.get("/apps/shop/settings").body;
    assert!(page.contains("(2 arguments)") && page.contains("API_KEY=***"), "{page}");
}

#[test]
fn parameters_that_are_not_typed_again_stay_as_they_are() {
    let medic = Medic::with_shop("", "");
    let output = medic.data_dir().with_file_name("given");
    let parameters = format!("-c 'echo {} > {}'", secret("action"), output.display());
    let mut rules = rules(Path::new("/bin/sh"), &parameters);
    rules["autoHealRules"]["actions"]["minProcessExecutionTime"] = "00:00:00".into();
    let put = |rules: &Value| {
        request(medic.address, "PUT", RULES, &[("Content-Type", "application/json")], &rules.to_string())
    };
    assert_eq!(put(&rules).status, 200);
    let shown = medic.json(RULES);
    let again = put(&shown).json();
    assert_eq!(again["autoHealRules"], shown["autoHealRules"], "saved as it was shown");
    for switched in ["off", "on"] {
        let answer = form(&medic, &[("do", switched)]);
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
    medic.until_running();
    let _one_request = medic.shop("/");
    medic.until("the action's record", || {
        let events = medic.json("/api/v1/apps/shop/heal-events");
        events.as_array().unwrap().iter().any(|event| event["event"] == "ran").then_some(())
    });
    assert_eq!(std::fs::read_to_string(output).unwrap().trim(), secret("action"));
}
