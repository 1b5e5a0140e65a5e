//! What the tests of real servers share: whether one is installed, load on it, and its children as the shim knows them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{Medic, request, wait_until};

/// Every crash by a signal is captured.
pub(crate) const ALWAYS: &str = "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n";
/// None is.
pub(crate) const NEVER: &str = "[crash_monitoring]\ncrashes = 1000\n";

/// Where `cargo xtask test` puts servers in pure Python.
pub(crate) fn python_packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/python")
}

/// Where it puts launchers.
pub(crate) fn launcher_programs() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/launchers");
    folder.canonicalize().ok()
}

/// Whether there is such a program.
pub(crate) fn on_path(program: &str) -> bool {
    program_at(program).is_some()
}

/// The file of a program, among those of administrators, too.
pub(crate) fn program_at(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap();
    let folders = path.split(':').chain(["/usr/sbin"]);
    folders.map(|folder| Path::new(folder).join(program)).find(|file| file.is_file())
}

/// Says what is skipped where it is not; with `MEDIC_TEST_ALL` that is a failure.
pub(crate) fn installed(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{what} is not installed");
        eprintln!("skipped: {what} is not installed");
    }
    is_there
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const NGINX: &str = "
daemon off; worker_processes 1; pid FOLDER/nginx.pid; error_log stderr; user root;
events { }
http {
  access_log off; client_body_temp_path FOLDER/body; fastcgi_temp_path FOLDER/fastcgi; proxy_temp_path FOLDER/proxy;
  scgi_temp_path FOLDER/scgi; uwsgi_temp_path FOLDER/uwsgi;
  server {
    listen 127.0.0.1:PORT;
    location / {
      fastcgi_pass unix:FOLDER/fpm-PORT.sock; fastcgi_param SCRIPT_FILENAME FOLDER/index.php;
      fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
    }
  }
}
";

const FPM: &str = "
[global]
error_log = /proc/self/fd/2
[www]
user = root
listen = FOLDER/fpm-PORT.sock
pm = static
pm.max_children = 2
";

/// The newest that is installed.
pub(crate) fn php_fpm() -> Option<PathBuf> {
    let versions = (1..=9).rev().map(|minor| format!("php-fpm8.{minor}"));
    std::iter::once("php-fpm".to_owned()).chain(versions).find_map(|name| program_at(&name))
}

/// A folder and a shell's line with `FPM` and `NGINX` as `start` has them: nginx on the port, which hands requests to the script.
pub(crate) fn php_behind_nginx(script: &str, pool: &str, start: &str) -> (tempfile::TempDir, String) {
    let folder = folder(&[("index.php", script)]);
    let path = folder.path().to_str().unwrap();
    for (name, text) in [("nginx.conf", NGINX), ("fpm.conf", &format!("{FPM}{pool}"))] {
        std::fs::write(folder.path().join(name), text.replace("FOLDER", path)).unwrap();
    }
    let fpm = format!("{} -F -R -y fpm-$PORT.conf", php_fpm().unwrap().display());
    let nginx = format!("{} -p . -c {path}/nginx-$PORT.conf", program_at("nginx").unwrap().display());
    let start = start.replace("FPM", &fpm).replace("NGINX", &nginx);
    let prepare = "for one in nginx fpm; do sed s/PORT/$PORT/ $one.conf > $one-$PORT.conf; done";
    (folder, format!("{prepare}; {start}"))
}

/// Requests from several clients without end; how many, and those that were not answered 200.
pub(crate) struct Load {
    ends: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<(usize, Vec<u16>)>>,
}

impl Load {
    pub(crate) fn on(medic: &Medic, clients: usize) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let address = medic.front_door;
        let client = |_| {
            let ends = Arc::clone(&ends);
            std::thread::spawn(move || {
                let (mut count, mut failed) = (0, Vec::new());
                while !ends.load(Ordering::Relaxed) {
                    let status = request(address, "GET", "/", &[], "").status;
                    count += 1;
                    failed.extend((status != 200).then_some(status));
                }
                (count, failed)
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { ends, clients }
    }

    pub(crate) fn end(self) -> (usize, Vec<u16>) {
        self.ends.store(true, Ordering::Relaxed);
        let clients = self.clients.into_iter().map(|client| client.join().unwrap());
        clients.fold((0, Vec::new()), |(count, mut all), (more, failed)| {
            all.extend(failed);
            (count + more, all)
        })
    }
}

/// Waits until no process works in this folder any more.
pub(crate) fn until_left(folder: &Path) {
    let folder = folder.to_owned();
    wait_until("nobody left", move || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let mut folders = processes.filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok());
        !folders.any(|one| one == folder)
    });
}

/// Waits until the app answers through its front door.
pub(crate) fn until_serving(medic: &Medic) {
    let address = medic.front_door;
    wait_until("the server", move || request(address, "GET", "/", &[], "").status == 200);
}

/// A request that is given to nobody again.
pub(crate) fn post(medic: &Medic, path: &str) -> u16 {
    request(medic.front_door, "POST", path, &[], "").status
}

/// Waits until the worker has this many children and its shim holds each by a descriptor.
pub(crate) fn until_known(worker: u64, children: usize) {
    wait_until("the children known", move || {
        let (held, living) = (held_by_shim(worker), children_of(&worker.to_string()));
        living.len() == children && living.iter().all(|child| held.contains(child))
    });
}

/// Waits until the shim holds by a descriptor each process below the worker that has none below itself. What stands behind a
/// proxy in the same tree may be there after the proxy; until it is known nobody sees how it ends without the debugger.
pub(crate) fn until_all_known(worker: u64) {
    wait_until("all that answers known", move || {
        let (held, mut tree) = (held_by_shim(worker), vec![worker.to_string()]);
        while let Some(pid) = tree.pop() {
            let below = children_of(&pid);
            if below.is_empty() && !held.contains(&pid) {
                return false;
            }
            tree.extend(below);
        }
        true
    });
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn children_of(pid: &str) -> Vec<String> {
    read(format!("/proc/{pid}/task/{pid}/children")).split_whitespace().map(str::to_owned).collect()
}

/// The processes that the worker's shim has a descriptor of.
fn held_by_shim(worker: u64) -> Vec<String> {
    let stat = read(format!("/proc/{worker}/stat"));
    let shim = stat.rsplit(')').next().and_then(|fields| fields.split(' ').nth(2)).unwrap_or_default();
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{shim}/fdinfo")) else { return Vec::new() };
    descriptors
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| Some(info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().to_owned()))
        .collect()
}

/// Those of the shop, newest first.
pub(crate) fn crashes(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/apps/shop/crashes").as_array().unwrap().clone()
}
