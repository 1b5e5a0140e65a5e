//! What `check-config` looks up on this machine once the file itself is right: are the programs and folders there, may the app's
//! user get at them, and are the addresses free? An address that the running server of this configuration has is. What that server
//! applies only at its start is compared with what it was started with.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use shim::WorkerTree;
use shim::protocol::Identity;

use crate::config::{App, AtStart, Config, Problem, Waiting, excludes};
use crate::running::{self, Found};

/// What does not work, and what probably does not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub doubts: Vec<Problem>,
}

/// Looks up all of it; `file` is the configuration's, `path` the `PATH` of apps that set none.
pub fn look(file: &Path, config: &Config, path: Option<&str>) -> Findings {
    let (server, addresses) = match running::find(file, Some(&config.data_dir)) {
        Ok(Found::Server(server)) => (server.started_with, Addresses::of(&server.data_dir)),
        Ok(Found::Nobody) => (None, Addresses::None),
        Ok(Found::Hidden(_)) | Err(_) => (None, Addresses::Hidden),
    };
    let mut look = Look { config, addresses, found: Findings::default() };
    look.data_folder();
    look.compare(server.as_ref());
    look.address(None, "server.listen", config.listen);
    for app in &config.apps {
        look.address(Some(app), "listen", app.listen);
        look.program(app, path);
    }
    look.found
}

/// Where the running server of this configuration listens.
enum Addresses {
    /// There is none.
    None,
    At(BTreeSet<SocketAddr>),
    /// This user may not see it.
    Hidden,
}

struct Look<'a> {
    config: &'a Config,
    addresses: Addresses,
    found: Findings,
}

impl Look<'_> {
    fn data_folder(&mut self) {
        let folder = &self.config.data_dir;
        let nearest = folder.ancestors().find(|ancestor| ancestor.exists());
        if nearest.is_some_and(|ancestor| !ancestor.is_dir()) {
            let what = format!("{} is not a folder", nearest.unwrap_or(folder).display());
            self.wrong(None, "server.data_dir", what, "name a folder, which Medic creates");
        }
    }

    /// What a reload does not apply.
    fn compare(&mut self, server: Option<&AtStart>) {
        for Waiting { key, in_force, remedy } in
            server.map(|server| server.waiting(self.config)).into_iter().flatten()
        {
            self.doubtful(None, key, format!("the running Medic uses {in_force}"), &remedy);
        }
    }

    fn address(&mut self, app: Option<&App>, key: &'static str, address: SocketAddr) {
        let Err(error) = TcpListener::bind(address) else { return };
        match (error.kind(), &self.addresses) {
            (io::ErrorKind::AddrInUse, Addresses::At(own))
                if own.iter().any(|own| excludes(*own, address)) => {}
            (io::ErrorKind::AddrInUse, Addresses::Hidden) => {
                let what = format!("address {address} is in use, probably by the running Medic");
                self.doubtful(app, key, what, "run check-config as Medic's user to be sure");
            }
            (io::ErrorKind::AddrInUse, _) => {
                let what = format!("address {address} is in use by another program");
                let remedy =
                    format!("use a free port, or end that program: ss -ltnp 'sport = :{}'", address.port());
                self.wrong(app, key, what, &remedy);
            }
            (io::ErrorKind::AddrNotAvailable, _) => {
                let what = format!("this machine does not have the address {}", address.ip());
                self.wrong(app, key, what, "use an address that `ip address` lists, or 0.0.0.0");
            }
            (io::ErrorKind::PermissionDenied, _) => {
                let what = format!("port {} needs root or CAP_NET_BIND_SERVICE", address.port());
                self.wrong(app, key, what, "run Medic as root, or use a port from 1024 on");
            }
            _ => self.wrong(app, key, format!("cannot listen on {address}: {error}"), ""),
        }
    }

    fn program(&mut self, app: &App, path: Option<&str>) {
        let Some(program) = app.command.first() else { return };
        let path = app.environment.get("PATH").map(String::as_str).or(path);
        match shim::check_program(program, &app.directory, path) {
            Err(error) => self.wrong(Some(app), "command", error.to_string(), ""),
            Ok(file) => {
                let Some(account) = &app.run_as.account else { return };
                let (name, identity) = (account.name.clone(), &account.identity);
                for (key, path) in [("directory", app.directory.as_path()), ("command", &file)] {
                    if let Some(closed) = not_for(identity, path) {
                        let what = format!("user \"{name}\" may not get into or run {}", closed.display());
                        let remedy = format!("try it: sudo -u {name} test -x {}", path.display());
                        self.doubtful(Some(app), key, what, &remedy);
                    }
                }
            }
        }
    }

    fn wrong(&mut self, app: Option<&App>, key: &str, what: String, remedy: &str) {
        let problem = self.problem(app, key, what, remedy);
        self.found.problems.push(problem);
    }

    fn doubtful(&mut self, app: Option<&App>, key: &str, what: String, remedy: &str) {
        let problem = self.problem(app, key, what, remedy);
        self.found.doubts.push(problem);
    }

    fn problem(&self, app: Option<&App>, key: &str, what: String, remedy: &str) -> Problem {
        let name = app.map(|app| app.name.as_str());
        let mut lines = self.config.lines.iter();
        let line = lines.find(|line| line.key == key && line.app.as_deref() == name);
        let place = line.map_or_else(|| "default".to_owned(), |line| line.source.clone());
        let key = app.map_or_else(|| key.to_owned(), |_| format!("app.{key}"));
        Problem { place, key, what, remedy: remedy.to_owned() }
    }
}

impl Addresses {
    /// Those of the server that holds this data folder, told by its own socket there.
    fn of(data_dir: &Path) -> Self {
        let Ok(socket) = UnixStream::connect(data_dir.join("medic.sock")) else { return Self::Hidden };
        let listening =
            shim::listener_of(&socket).and_then(|server| WorkerTree::of_worker(server, None).listening());
        match listening {
            Ok(listening) if !listening.tcp.is_empty() => Self::At(listening.tcp),
            _ => Self::Hidden,
        }
    }
}

/// The first folder on the way, or the file itself, that the user may not get into or run by its mode. Access lists may say
/// otherwise, so it is only a doubt.
fn not_for<'p>(identity: &Identity, path: &'p Path) -> Option<&'p Path> {
    const ROOT: u32 = 0;
    let is_closed = |path: &&Path| {
        let Ok(file) = path.metadata() else { return false };
        let shift = if file.uid() == identity.user {
            6
        } else if file.gid() == identity.group || identity.groups.contains(&file.gid()) {
            3
        } else {
            0
        };
        file.mode() >> shift & 1 == 0
    };
    let mut ways: Vec<&Path> = path.ancestors().filter(|part| !part.as_os_str().is_empty()).collect();
    ways.reverse();
    if identity.user == ROOT { None } else { ways.into_iter().find(is_closed) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(folder: &Path, text: &str) -> Config {
        Config::parse(text, "medic.toml", folder, &BTreeMap::new()).unwrap()
    }

    fn said(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_there_and_who_has_the_address_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken_at = taken.local_addr().unwrap();
        let script = folder.path().join("run");
        std::fs::write(&script, "#!/no/such/interpreter -u\n").unwrap();
        let text = |mode: u32, listen: &str| {
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(mode)).unwrap();
            format!(
                "[server]\nlisten = \"127.0.0.1:0\"\n[[app]]\nname = \"one\"\ncommand = [\"no-such-program\"]\nlisten = \
                 \"{listen}\"\n[[app]]\nname = \"two\"\ncommand = [\"./run\"]\nlisten = \"192.0.2.7:80\"\n"
            )
        };
        let found = look(
            Path::new("/no/such/medic.toml"),
            &config(folder.path(), &text(0o755, &taken_at.to_string())),
            Some("/bin"),
        );
        let said_of = said(&found.problems);
        for (said, words) in said_of.iter().zip([
            format!("medic.toml:6 app.listen: address {taken_at} is in use by another program"),
            "medic.toml:5 app.command: the program `no-such-program` is in none of the folders of PATH"
                .to_owned(),
            "medic.toml:10 app.listen: this machine does not have the address 192.0.2.7".to_owned(),
            "medic.toml:9 app.command: ".to_owned(),
        ]) {
            assert!(said.starts_with(&words), "{said}");
        }
        assert!(said_of.len() == 4 && said_of[3].contains("/no/such/interpreter"), "{said_of:?}");
        drop(taken);
        let found = look(
            Path::new("/no/such/medic.toml"),
            &config(folder.path(), &text(0o644, &taken_at.to_string())),
            Some("/bin"),
        );
        let said_of = said(&found.problems);
        assert!(said_of.len() == 3 && said_of[2].contains("chmod +x"), "{said_of:?}");
    }

    #[test]
    fn a_folder_that_the_user_may_not_enter_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let program = folder.path().join("run");
        std::fs::write(&program, "").unwrap();
        mode(&program, 0o755);
        let other = Identity { user: 4_711, group: 4_711, groups: vec![4_711] };
        mode(folder.path(), 0o700);
        assert_eq!(not_for(&other, &program), Some(folder.path()));
        mode(folder.path(), 0o711);
        assert_eq!(not_for(&other, &program), None);
        mode(&program, 0o750);
        assert_eq!(not_for(&other, &program), Some(program.as_path()));
        let group = folder.path().metadata().unwrap().gid();
        assert_eq!(not_for(&Identity { groups: vec![group], ..other.clone() }, &program), None);
        assert_eq!(not_for(&Identity { user: 0, ..other }, &program), None);
    }

    #[test]
    fn a_data_folder_that_is_a_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), "").unwrap();
        let found = look(
            Path::new("/no/such/medic.toml"),
            &config(folder.path(), "[server]\nlisten = \"127.0.0.1:0\"\n"),
            None,
        );
        assert!(said(&found.problems)[0].contains("is not a folder"), "{found:?}");
    }
}
