//! What stands between Medic and a server, as people start them: launchers, shells, a proxy in the same tree. The server's crash is
//! a crash of the instance, from its first request on, whether or not the debugger is there; and what ends because of it is none.
//!
//! A program that is not installed is skipped, and said, unless `MEDIC_TEST_ALL` says that all are there.

mod support;

use std::path::PathBuf;

use support::Medic;
use support::servers::{
    self, ALWAYS, NEVER, crashes, folder, installed, launcher_programs, on_path, php_fpm, post,
    python_packages, until_left, until_serving,
};

const NODE: &str = "
require('http').createServer((request, answer) => {
  if (request.url === '/crash') process.kill(process.pid, 'SIGSEGV');
  answer.end('ok');
}).listen(process.env.PORT, '127.0.0.1');
";

/// For WSGI and ASGI servers, and by itself.
const PYTHON: &str = "
import ctypes, http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/crash': ctypes.string_at(0)
        self.send_response(200); self.end_headers(); self.wfile.write(b'ok')
    do_POST = do_GET
async def app(scope, receive, send):
    if scope['type'] != 'http': return
    if scope['path'] == '/crash': ctypes.string_at(0)
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'ok'})
if __name__ == '__main__':
    http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

const RACK: &str = "
run lambda { |env|
  if env['PATH_INFO'] == '/crash'
    Process.kill(:SEGV, Process.pid)
    sleep
  end
  [200, { 'content-type' => 'text/plain' }, ['ok']]
}
";

const PHP: &str =
    "<?php if ($_SERVER['REQUEST_URI'] === '/crash') posix_kill(posix_getpid(), 11); echo 'ok';";

/// How a server is started, and what its crash is.
struct Case<'a> {
    line: &'a str,
    folder: tempfile::TempDir,
    environment: &'a [(&'a str, PathBuf)],
    role: &'a str,
    signal: &'a str,
    /// The main process goes on.
    lives_on: bool,
}

impl Case<'_> {
    /// The server dies of its first request, and of another one once it is there again.
    fn check(&self) {
        self.check_when(|_| ());
    }

    /// The same of a server that is there when `is_there` returns; it has the worker's pid.
    fn check_when(&self, is_there: impl Fn(u64)) {
        for monitoring in [NEVER, ALWAYS] {
            let folder = self.folder.path().display();
            let variables =
                self.environment.iter().map(|(name, value)| format!("{name} = \"{}\"", value.display()));
            let variables = variables.collect::<Vec<_>>().join(", ");
            let app = format!("directory = \"{folder}\"\nback_off = \"0s\"\nenvironment = {{ {variables} }}");
            let command = ["/bin/sh", "-c", self.line].map(PathBuf::from);
            let mut medic = Medic::with_command(&command, monitoring, &app);
            medic.until_running();
            let worker = medic.instances()[0]["pid"].clone();
            for number in 1..=2 {
                until_serving(&medic);
                is_there(worker.as_u64().expect("a running worker has a pid"));
                assert_ne!(post(&medic, "/crash"), 200);
                medic.until("the crash recorded", || (crashes(&medic).len() >= number).then_some(()));
            }
            until_serving(&medic);
            let crashes = crashes(&medic);
            assert_eq!(crashes.len(), 2, "{}: each once: {crashes:#?}", self.line);
            for crash in &crashes {
                let found = (&crash["role"], &crash["signal"]);
                assert_eq!(found, (&self.role.into(), &self.signal.into()), "{}: {crash:#}", self.line);
                assert_eq!(crash["audit"].is_object(), monitoring == ALWAYS, "{}: {crash:#}", self.line);
            }
            assert_eq!(medic.instances()[0]["pid"] == worker, self.lives_on, "{}", self.line);
            assert!(medic.stop());
            assert!(support::processes_below(&medic.data_dir()).is_empty(), "{}", medic.log());
            until_left(self.folder.path());
        }
    }
}

#[test]
fn npm_start() {
    if !installed("npm", on_path("npm")) {
        return;
    }
    let package = r#"{ "name": "shop", "scripts": { "start": "node server.js" } }"#;
    let folder = folder(&[("server.js", NODE), ("package.json", package)]);
    Case {
        line: "exec npm start",
        folder,
        environment: &[],
        role: "behind_launcher",
        signal: "SIGSEGV",
        lives_on: false,
    }
    .check();
}

#[test]
fn a_shell_with_several_commands() {
    if !installed("node", on_path("node")) {
        return;
    }
    let line = "true; node server.js; exit $?";
    let folder = folder(&[("server.js", NODE)]);
    Case { line, folder, environment: &[], role: "behind_launcher", signal: "SIGSEGV", lives_on: false }
        .check();
}

#[test]
fn uv_run() {
    let Some(uv) = launcher_programs().map(|folder| folder.join("bin/uv")).filter(|uv| uv.is_file()) else {
        installed("uv", false);
        return;
    };
    let line = format!("exec {} run --offline --no-project server.py", uv.display());
    let folder = folder(&[("server.py", PYTHON)]);
    Case {
        line: &line,
        folder,
        environment: &[],
        role: "behind_launcher",
        signal: "SIGSEGV",
        lives_on: false,
    }
    .check();
}

/// It becomes what it runs.
#[test]
fn poetry_run() {
    let Some(packages) = launcher_programs().filter(|folder| folder.join("poetry").is_dir()) else {
        installed("poetry", false);
        return;
    };
    let project = "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.8\"\n[tool.poetry]\npackage-mode = false\n";
    let folder = folder(&[("server.py", PYTHON), ("pyproject.toml", project)]);
    let environment = [("PYTHONPATH", packages), ("POETRY_VIRTUALENVS_CREATE", "false".into())];
    let line = "HOME=$PWD exec python3 -m poetry run python3 server.py";
    Case { line, folder, environment: &environment, role: "main", signal: "SIGSEGV", lives_on: false }
        .check();
}

#[test]
fn bundle_exec_puma() {
    if !installed("puma", on_path("puma")) || !installed("bundler", on_path("bundle")) {
        return;
    }
    let folder = folder(&[("config.ru", RACK), ("Gemfile", "gem 'puma'\n")]);
    // Ruby prints its report and aborts
    let line = "exec bundle exec puma -w 2 -t 1:1 -b tcp://127.0.0.1:$PORT";
    Case { line, folder, environment: &[], role: "child", signal: "SIGABRT", lives_on: true }.check();
}

#[test]
fn uvicorn_with_workers() {
    let packages = python_packages();
    if !installed("uvicorn", packages.join("uvicorn").is_dir()) {
        return;
    }
    let line = "exec python3 -m uvicorn --workers 2 --port $PORT server:app";
    let environment = [("PYTHONPATH", packages)];
    let folder = folder(&[("server.py", PYTHON)]);
    Case { line, folder, environment: &environment, role: "child", signal: "SIGSEGV", lives_on: true }
        .check();
}

fn php_behind_nginx(start: &str) {
    if !installed("php-fpm", php_fpm().is_some()) || !installed("nginx", on_path("nginx")) {
        return;
    }
    let (folder, line) = servers::php_behind_nginx(PHP, "", start);
    Case { line: &line, folder, environment: &[], role: "child", signal: "SIGSEGV", lives_on: true }
        .check_when(servers::until_all_known);
}

#[test]
fn php_fpm_beside_nginx() {
    php_behind_nginx("FPM & NGINX & wait");
}

/// Then nginx is what php-fpm has for a parent.
#[test]
fn php_fpm_and_nginx_in_the_shells_place() {
    php_behind_nginx("FPM & exec NGINX");
}
