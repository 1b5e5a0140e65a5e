//! The user's rules of auto-heal over the API: App Service's shape, a web.config, what is refused, and a dry run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::{Value, json};
use support::{Answer, Medic, request};

const RULES: &str = "/api/v1/apps/shop/auto-heal";

fn no_rules() -> Value {
    let actions = json!({"actionType": "Recycle", "minProcessExecutionTime": "00:00:00"});
    json!({"autoHealEnabled": false, "autoHealRules": {"triggers": {}, "actions": actions}})
}

/// Rules with every trigger, as they are answered: with parameters that are set and shown to nobody.
fn all_rules() -> Value {
    json!({
        "autoHealEnabled": true,
        "autoHealRules": {
            "triggers": {
                "requests": {"count": 1000, "timeInterval": "00:05:00"},
                "privateBytesInKB": 200_000,
                "statusCodes": [{"status": 500, "count": 10, "timeInterval": "00:01:00", "path": "/api/*"}],
                "statusCodesRange": [{"statusCodes": "500-530", "count": 10, "timeInterval": "00:01:00"}],
                "slowRequests": {"timeTaken": "00:00:30", "count": 5, "timeInterval": "00:02:00"},
                "slowRequestsWithPath":
                    [{"timeTaken": "00:00:10", "count": 5, "timeInterval": "00:02:00", "path": "/api/*"}]
            },
            "actions": {
                "actionType": "CustomAction",
                "customAction": {"exe": "/bin/true", "parameters": "***"},
                "minProcessExecutionTime": "00:10:00"
            }
        }
    })
}

/// The same as they are sent.
fn given_rules() -> Value {
    with(all_rules(), "/autoHealRules/actions/customAction/parameters", json!("--now"))
}

fn put_rules(medic: &Medic, body: &Value) -> Answer {
    send_rules(medic, "PUT", RULES, "application/json", &body.to_string())
}

fn send_rules(medic: &Medic, method: &str, path: &str, kind: &str, body: &str) -> Answer {
    request(medic.address, method, path, &[("Content-Type", kind)], body)
}

/// `rules` with another value at `pointer`.
fn with(mut rules: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    rules.pointer_mut(parent).unwrap()[name] = value;
    rules
}

fn pids(medic: &Medic) -> Vec<Value> {
    medic.instances().iter().map(|instance| instance["pid"].clone()).collect()
}

#[test]
fn rules_are_saved_as_app_service_writes_them_and_restart_no_worker() {
    let mut medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let pids = pids(&medic);
    assert_eq!(medic.json(RULES), no_rules());
    let kept = put_rules(&medic, &all_rules());
    assert_eq!(kept.status, 400, "there is nothing to keep: {}", kept.body);
    assert_eq!(kept.json()["fields"][0]["field"], "autoHealRules.actions.customAction.parameters");
    let saved = put_rules(&medic, &given_rules());
    assert_eq!((saved.status, saved.json()), (200, all_rules()), "{}", saved.body);
    assert_eq!(medic.json(RULES), all_rules());

    let action = "/autoHealRules/actions/actionType";
    for (given, word) in [
        (json!(0), "Recycle"),
        (json!(1), "LogEvent"),
        (json!(2), "CustomAction"),
        (json!("logevent"), "LogEvent"),
    ] {
        let answer = put_rules(&medic, &with(all_rules(), action, given)).json();
        assert_eq!(answer, with(all_rules(), action, word.into()));
    }
    // What ARM sends: its envelope, other properties, nulls and zeros for what is not set.
    let arm = json!({"id": "/subscriptions/x", "name": "web", "properties": {
        "alwaysOn": true,
        "autoHealEnabled": true,
        "autoHealRules": {
            "triggers": {
                "requests": null, "privateBytesInKB": 200_000, "statusCodes": null, "slowRequests": {"count": 0},
                "slowRequestsWithPath": [], "statusCodesRange": []
            },
            "actions": {"actionType": 0, "customAction": null, "minProcessExecutionTime": "00:10:00"}
        }
    }});
    let lean = json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {"privateBytesInKB": 200_000},
        "actions": {"actionType": "Recycle", "minProcessExecutionTime": "00:10:00"}
    }});
    assert_eq!(put_rules(&medic, &arm).json(), lean);

    // What is not looked at and what is not advised is said once, and kept.
    let code =
        json!([{"status": 500, "subStatus": 19, "win32Status": 64, "count": 1, "timeInterval": "00:01:00"}]);
    let noted = with(
        with(lean.clone(), "/autoHealRules/triggers/statusCodes", code),
        "/autoHealRules/actions/minProcessExecutionTime",
        "00:00:00".into(),
    );
    let answer = put_rules(&medic, &noted).json();
    let said: Vec<_> =
        answer["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    let words = ["statusCodes[0].subStatus", "statusCodes[0].win32Status", "minProcessExecutionTime"];
    assert!(said.len() == 3 && said.iter().zip(words).all(|(note, word)| note.contains(word)), "{said:?}");
    assert_eq!(medic.json(RULES), noted);

    assert_eq!(self::pids(&medic), pids, "saving rules restarted a worker");
    medic.stop();
    medic.start();
    assert_eq!(medic.json(RULES), noted, "another start of Medic reads them");
    let nothing = json!({"autoHealEnabled": false, "autoHealRules": null});
    assert_eq!(put_rules(&medic, &nothing).json(), no_rules());
}

#[test]
fn a_rule_that_does_not_fit_is_refused_with_its_field_and_limit_and_nothing_is_saved() {
    let medic = Medic::with_shop("", "");
    assert_eq!(put_rules(&medic, &given_rules()).status, 200);
    let cases = [
        ("triggers/requests/count", json!(-1), "whole number"),
        ("triggers/requests/timeInterval", json!("25:00:00"), "hh:mm:ss"),
        ("triggers/requests/timeInterval", json!("2.00:00:00"), "1.00:00:00"),
        ("triggers/privateBytesInKB", json!(102_400), "102401 to 33554432"),
        ("triggers/privateBytesInKB", json!(33_554_433), "102401 to 33554432"),
        ("triggers/statusCodes/0/status", json!(100), "101 to 529"),
        ("triggers/statusCodes/0/status", json!(530), "101 to 529"),
        ("triggers/statusCodes/0/count", json!(0), "1 to"),
        ("triggers/statusCodes/0/path", json!("/a b"), "wildcard"),
        ("triggers/statusCodesRange/0/statusCodes", json!("530-500"), "100 to 530"),
        ("triggers/slowRequests/timeInterval", json!("00:00:29"), "at least the time taken, 00:00:30"),
        (
            "triggers/slowRequests/path",
            json!("/x"),
            "left out (got /x). Use the rule Slow requests with path",
        ),
        ("triggers/slowRequestsWithPath/0/path", json!(""), "a path. Set one, or use the rule Slow requests"),
        ("triggers/privateBytes", json!(1), "got `privateBytes`"),
        ("triggers", json!([]), "an object (got a list)"),
        ("actions/actionType", json!(3), "Recycle, LogEvent or CustomAction"),
        ("actions/actionType", json!("Reboot"), "Recycle, LogEvent or CustomAction"),
        ("actions/customAction/exe", json!("true"), "absolute path"),
        ("actions/customAction/exe", json!("MemoryDump"), "not supported yet"),
        ("actions/minProcessExecutionTime", json!("02:00:01"), "00:00:00 to 02:00:00 (got 02:00:01)"),
    ];
    for (pointer, value, limit) in cases {
        let body = with(all_rules(), &format!("/autoHealRules/{pointer}"), value);
        let answer = put_rules(&medic, &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        let wrong = &answer.json()["fields"][0];
        let field = format!("autoHealRules/{pointer}").replace("/0", "[0]").replace('/', ".");
        assert_eq!(wrong["field"], field, "{}", answer.body);
        assert!(wrong["message"].as_str().unwrap().contains(limit), "{}", answer.body);
        assert!(wrong["accepted"].is_string() && wrong["remedy"].is_string(), "{}", answer.body);
        assert!(answer.json()["error"].as_str().unwrap().contains(&field), "{}", answer.body);
    }
    let twice = with(all_rules(), "/autoHealRules/triggers/privateBytesInKB", json!(1));
    let twice = with(twice, "/autoHealRules/triggers/statusCodes/0/status", json!(1));
    assert_eq!(put_rules(&medic, &twice).json()["fields"].as_array().unwrap().len(), 2, "all at once");

    for (body, field) in [
        ("[]", "body"),
        ("{}", "autoHealEnabled"),
        (r#"{"autoHealEnabled": false}"#, "autoHealRules"),
        (r#"{"autoHealEnabled": "yes", "autoHealRules": null}"#, "autoHealEnabled"),
        (r#"{"autoHealEnabled": true, "autoHealRules": null}"#, "autoHealRules.triggers"),
    ] {
        let answer = send_rules(&medic, "PUT", RULES, "application/json", body);
        assert_eq!((answer.status, &answer.json()["fields"][0]["field"]), (400, &field.into()), "{body}");
    }
    let long = format!("{{\"x\": \"{}\"}}", "y".repeat(100_000));
    for (kind, body) in [("application/json", "not json"), ("application/json", &long), ("text/plain", "{}")]
    {
        assert_eq!(send_rules(&medic, "PUT", RULES, kind, body).status, 400);
    }
    let elsewhere = send_rules(
        &medic,
        "PUT",
        "/api/v1/apps/nope/auto-heal",
        "application/json",
        &all_rules().to_string(),
    );
    assert_eq!(elsewhere.status, 404);
    assert_eq!(medic.json(RULES), all_rules());
}

#[test]
fn rules_come_from_a_web_config_and_go_to_one() {
    let medic = Medic::with_shop("", "");
    let monitoring = r#"<configuration><system.webServer><monitoring><triggers>
        <requests count="1000" timeInterval="00:05:00" />
        <statusCode><add statusCode="500" subStatusCode="0" win32StatusCode="0" count="10" timeInterval="00:01:00" /></statusCode>
        <memory privateBytesInKB="200000" />
        </triggers><actions value="Recycle" /></monitoring></system.webServer></configuration>"#;
    let expected = json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {
            "requests": {"count": 1000, "timeInterval": "00:05:00"},
            "privateBytesInKB": 200_000,
            "statusCodes": [{"status": 500, "count": 10, "timeInterval": "00:01:00"}]
        },
        "actions": {"actionType": "Recycle", "minProcessExecutionTime": "00:00:00"}
    }});
    assert_eq!(send_rules(&medic, "PUT", RULES, "text/xml; charset=utf-8", monitoring).status, 200);
    assert_eq!(medic.json(RULES), expected);

    let exported = medic.get(&format!("{RULES}?format=web.config"));
    assert!(
        exported.head.to_ascii_lowercase().contains("content-type: application/xml"),
        "{}",
        exported.head
    );
    assert!(exported.body.contains("<memory privateBytesInKB=\"200000\" />"), "{}", exported.body);
    let accepted = request(medic.address, "GET", RULES, &[("Accept", "application/xml")], "");
    assert_eq!(accepted.body, exported.body);
    assert_eq!(put_rules(&medic, &given_rules()).status, 200);
    assert_eq!(send_rules(&medic, "PUT", RULES, "application/xml", &exported.body).status, 200);
    assert_eq!(medic.json(RULES), expected, "what was exported is taken back as it was");

    // What the old form cannot say stands in a comment, and the file can still be read.
    assert_eq!(put_rules(&medic, &given_rules()).status, 200);
    let exported = medic.get(&format!("{RULES}?format=web.config")).body;
    let comment = exported.split("<!--").nth(1).unwrap().split("-->").next().unwrap();
    assert!(
        comment.contains("statusCodesRange[0]") && comment.contains("minProcessExecutionTime"),
        "{exported}"
    );
    assert_eq!(send_rules(&medic, "PUT", RULES, "application/xml", &exported).status, 200);

    let before = medic.json(RULES);
    let entities = format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>{monitoring}");
    let long = monitoring.replace("<triggers>", &format!("<!--{}--><triggers>", "y".repeat(100_000)));
    let cases = [
        ("<configuration/>".to_owned(), "no <monitoring> element"),
        ("<configuration>".to_owned(), "cannot be read as XML"),
        (entities, "cannot be read as XML"),
        (long, "It must be at most 64 KiB"),
        (monitoring.replace("200000", "much"), "<triggers/memory> privateBytesInKB"),
        (monitoring.replace("200000", "1"), "autoHealRules.triggers.privateBytesInKB"),
    ];
    for (body, words) in cases {
        let answer = send_rules(&medic, "PUT", RULES, "application/xml", &body);
        assert_eq!(answer.status, 400, "{words}: {}", answer.body);
        assert!(answer.json()["error"].as_str().unwrap().contains(words), "{words}: {}", answer.body);
    }
    assert_eq!(medic.json(RULES), before);
    assert_eq!(medic.get(&format!("{RULES}?format=yaml")).status, 400);
}

#[test]
fn rules_are_run_dry_without_being_saved() {
    let medic = Medic::with_shop("", "");
    let path = "/api/v1/apps/shop/auto-heal/dry-run";
    let rules = json!({"autoHealRules": all_rules()["autoHealRules"]}).to_string();
    let answer = send_rules(&medic, "POST", path, "application/json", &rules);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let run = answer.json();
    let time = |name: &str| run[name].as_str().unwrap().parse::<model::Timestamp>().unwrap();
    assert_eq!(time("to").since(time("from")), model::range::LONGEST);
    for (body, field) in [
        (json!({"autoHealRules": {}}), "autoHealRules.triggers"),
        (
            json!({"autoHealRules": {"triggers": {"privateBytesInKB": 1}}}),
            "autoHealRules.triggers.privateBytesInKB",
        ),
        (json!({"autoHealEnabled": true}), "autoHealRules"),
    ] {
        let answer = send_rules(&medic, "POST", path, "application/json", &body.to_string());
        assert_eq!((answer.status, &answer.json()["fields"][0]["field"]), (400, &field.into()), "{body}");
    }
    assert_eq!(medic.json(RULES), no_rules());
}
