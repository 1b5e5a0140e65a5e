use super::*;

/// As it stands in databases of older releases, and as the API told it then.
const TOLD: &str = r#"{"rule":{"name":"percent_memory"},"condition":"when they stay above 1.57 GB, for more than 30 s",
 "observed":"private bytes were above 1.57 GB for 31 s","threshold":1691143372,"unit":"bytes","window_ms":30000,
 "samples":[{"at":"2026-01-31T08:15:00.000Z","value":1800000000}],
 "not_fired":[{"rule":{"name":"percent_request"},"standing":"waiting","why":"The worker is warming up.",
  "text":"0 of 0 requests","value":null,"threshold":80,"unit":"percent"},
  {"rule":{"name":"status_code","index":1},"standing":"watching","text":"2 requests","value":2,"threshold":3,
   "unit":"requests"}]}"#;

#[test]
fn evidence_of_older_releases_is_told_as_it_was() {
    let evidence: Evidence = serde_json::from_str(TOLD).unwrap();
    let told = serde_json::to_value(EvidenceRecord::from(&evidence)).unwrap();
    assert_eq!(told, serde_json::from_str::<serde_json::Value>(TOLD).unwrap());
}

#[test]
fn evidence_is_told_in_the_same_fields_whatever_release_recorded_it() {
    let measured = r#"{"rule":{"name":"status_code","index":1},"measured":{"kind":"requests",
     "counted":{"statuses":{"start":502,"end":502},"at_least":{"secs":0,"nanos":0},"path":null},"at_least":3,
     "interval":{"secs":60,"nanos":0},"count":4,"running":0},"threshold":3,"unit":"requests","window_ms":60000,
     "samples":[],"not_fired":[{"rule":{"name":"percent_request"},"standing":"warming_up",
      "measured":{"kind":"percent_request","all":0,"slow":0,"slow_running":0},"fired_too":false,"value":null,
      "threshold":80,"unit":"percent"}]}"#;
    let evidence: Evidence = serde_json::from_str(measured).unwrap();
    let told = serde_json::to_value(EvidenceRecord::from(&evidence)).unwrap();
    assert_eq!(told["observed"], "answers with status 502 were 4 requests");
    assert_eq!(told["condition"], "when answers with status 502 are at least 3 requests within 1 min");
    let other = &told["not_fired"][0];
    assert_eq!((&other["standing"], &other["why"]), (&"waiting".into(), &"The worker is warming up.".into()));
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let before: serde_json::Value = serde_json::from_str(TOLD).unwrap();
    assert_eq!(fields(&told), fields(&before));
    assert_eq!(fields(other), fields(&before["not_fired"][0]));
}
