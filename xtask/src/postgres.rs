//! A throw-away PostgreSQL for the store's tests: on a free loopback port, in a folder that is deleted at the end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{on_path, read};

/// Runs until it goes out of scope.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// The folder of initdb and `pg_ctl`: on the `PATH`, or the newest of Debian's.
pub(crate) fn programs() -> Option<PathBuf> {
    if let Some(initdb) = on_path("initdb") {
        return initdb.parent().map(Path::to_owned);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .max()
        .map(|(_, folder)| folder)
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let programs = programs().context("PostgreSQL is not installed")?;
        let folder =
            PathBuf::from(read(Command::new("mktemp").args(["-d", "/tmp/medic-postgres.XXXXXX"]))?.trim());
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        // From here on the folder is deleted whatever happens.
        let postgres = Self { programs, folder, port };
        if is_root()? {
            read(Command::new("chown").arg("postgres:").arg(&postgres.folder))?;
        }
        let password = postgres.folder.join("password");
        fs::write(&password, "medic")?;
        let mut initdb = postgres.program("initdb")?;
        initdb.arg("-D").arg(postgres.data()).args(["-U", "medic", "--auth=scram-sha-256"]);
        initdb.arg("--pwfile").arg(password).args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
        read(&mut initdb)?;
        // Nothing in it outlives the tests, so nothing need reach a disk.
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c max_connections=200",
            postgres.folder.display()
        );
        let mut start = postgres.program("pg_ctl")?;
        start.arg("-D").arg(postgres.data()).args(["-w", "-t", "60", "-o", &options, "-l"]);
        // Not `read`: the server inherits the pipe and would keep it open.
        crate::process::run(
            start.arg(postgres.data().join("log")).arg("start").stdout(std::process::Stdio::null()),
        )?;
        Ok(postgres)
    }

    /// What `MEDIC_TEST_POSTGRES` says.
    pub(crate) fn url(&self) -> String {
        format!("postgres://medic:medic@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs. They refuse to run as root: then they run as the user that the package made for them.
    fn program(&self, name: &str) -> Result<Command> {
        let program = self.programs.join(name);
        let mut command = if is_root()? {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            setpriv
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        Ok(command)
    }

    fn stop(&self) -> Result<()> {
        if self.data().join("postmaster.pid").exists() {
            let mut stop = self.program("pg_ctl")?;
            read(stop.arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]))?;
        }
        fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("xtask: the temporary PostgreSQL in {}: {error:#}", self.folder.display());
        }
    }
}

/// Does this run as root?
pub(crate) fn is_root() -> Result<bool> {
    Ok(read(Command::new("id").arg("-u"))?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn it_answers_while_it_lives_and_leaves_nothing() {
        if programs().is_none() {
            eprintln!("skipped: PostgreSQL is not installed");
            return;
        }
        let postgres = Postgres::start().unwrap();
        let (folder, port) = (postgres.folder.clone(), postgres.port);
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(postgres.url().starts_with("postgres://medic:medic@127.0.0.1:"));
        drop(postgres);
        assert!(!folder.exists());
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
}
