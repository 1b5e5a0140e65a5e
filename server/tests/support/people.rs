//! People: accounts on the command line, and browsers that are signed in.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{Answer, Medic, request};

/// Everybody's, where it does not matter.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// `medic user …`, with a password on standard input where one is asked for; whether that went well, and what it said.
pub(crate) fn user(medic: &Medic, words: &[&str], password: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medic"));
    command.arg("user").args(words).arg("--config").arg(medic.folder().join("medic.toml"));
    if password.is_some() {
        command.args(["--password-file", "-"]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // one that was refused before reads none of it
    let _refused = child.stdin.take().unwrap().write_all(password.unwrap_or_default().as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// An account with [`PASSWORD`].
pub(crate) fn add(medic: &Medic, name: &str, rights: &[&str]) {
    let words = [&["add", name], rights].concat();
    let (is_added, said) = user(medic, &words, Some(PASSWORD));
    assert!(is_added, "{said}");
}

pub(crate) fn sign_in(medic: &Medic, name: &str, password: &str) -> Answer {
    let body = serde_json::json!({"name": name, "password": password}).to_string();
    request(medic.address, "POST", "/api/v1/session", &[("Content-Type", "application/json")], &body)
}

/// The cookie that an answer sets, as it is sent back.
pub(crate) fn cookie_of(answer: &Answer) -> Option<String> {
    let line = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then_some(value)
    })?;
    line.split(';').next().map(str::to_owned)
}

/// A browser that is signed in.
pub(crate) struct Browser<'m> {
    medic: &'m Medic,
    pub(crate) cookie: String,
}

impl<'m> Browser<'m> {
    pub(crate) fn of(medic: &'m Medic, name: &str) -> Self {
        let answer = sign_in(medic, name, PASSWORD);
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self { medic, cookie: cookie_of(&answer).unwrap() }
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[], "")
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = [&[("Cookie", self.cookie.as_str())], headers].concat();
        request(self.medic.address, method, path, &headers, body)
    }

    pub(crate) fn status(&self, method: &str, path: &str) -> u16 {
        self.ask(method, path).status
    }
}
