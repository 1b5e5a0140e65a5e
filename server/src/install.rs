//! `medic install`: shows the systemd unit, then writes it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Where an administrator's units are.
const UNIT: &str = "/etc/systemd/system/medic.service";

/// It exists where systemd runs the machine, as `sd_booted(3)` says.
const SYSTEMD: &str = "/run/systemd/system";

/// The unit of the package, and what in it is the package's own.
const PACKAGED: &str = include_str!("../../packaging/medic.service");
const PACKAGED_PROGRAM: &str = "/usr/bin/medic";
const PACKAGED_CONFIG: &str = "/etc/medic/medic.toml";

/// What was asked for.
pub struct Install {
    /// The configuration that the service reads.
    pub config: PathBuf,
    /// Where to write the unit; systemd's own folder where not given.
    pub unit: Option<PathBuf>,
    /// Without a question.
    pub yes: bool,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("cannot find Medic's own program: {0}")]
    Program(#[source] io::Error),
    #[error("the path {} is not allowed in a systemd unit. Use printable characters without spaces, quotes and %", .0.display())]
    Path(PathBuf),
    #[error("{} not found. To create it: medic default-config > {}", .0.display(), .0.display())]
    NoConfig(PathBuf),
    #[error(
        "systemd does not run this machine ({SYSTEMD} does not exist); start `medic serve` by what does, or name a file with --unit"
    )]
    NoSystemd,
    #[error("cannot write {}: {source}; run medic install as root, or name another file with --unit", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
}

/// Shows the unit, and writes it where that is wanted.
pub fn install(install: &Install) -> Result<(), InstallError> {
    let program = std::env::current_exe().map_err(InstallError::Program)?;
    let config = std::path::absolute(&install.config).map_err(InstallError::Program)?;
    if !config.is_file() {
        return Err(InstallError::NoConfig(config));
    }
    let unit = unit(&program, &config)?;
    let path = install.unit.clone().unwrap_or_else(|| PathBuf::from(UNIT));
    let mut out = io::stdout();
    let mut say = |text: &str| writeln!(out, "{text}").map_err(InstallError::Output);
    say(&format!("# {}\n{unit}", path.display()))?;
    if install.unit.is_none() && !Path::new(SYSTEMD).is_dir() {
        return Err(InstallError::NoSystemd);
    }
    if !install.yes && !is_wanted(&path).map_err(InstallError::Output)? {
        return say("Nothing was written. To write the unit without a question: medic install --yes");
    }
    std::fs::write(&path, unit).map_err(|source| InstallError::Write { path: path.clone(), source })?;
    say(&format!(
        "Wrote {}. To start Medic now and with the machine:\n\n  systemctl daemon-reload\n  systemctl enable --now medic",
        path.display()
    ))
}

/// Asks whoever sits at the terminal; nobody else agrees.
fn is_wanted(path: &Path) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stdout(), "Write this to {}? [y/N] ", path.display())?;
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn unit(program: &Path, config: &Path) -> Result<String, InstallError> {
    let text = |path: &Path| {
        let is_plain = |letter: char| {
            letter.is_ascii_graphic() && !matches!(letter, '"' | '\'' | '\\' | '%' | '$' | ';')
        };
        let text = path.to_str().filter(|text| text.chars().all(is_plain));
        text.map(str::to_owned).ok_or_else(|| InstallError::Path(path.to_owned()))
    };
    Ok(PACKAGED.replace(PACKAGED_CONFIG, &text(config)?).replace(PACKAGED_PROGRAM, &text(program)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_means_something_to_systemd_is_refused() {
        let good = Path::new("/srv/shop/medic.toml");
        assert!(
            unit(Path::new("/opt/medic"), good)
                .unwrap()
                .contains("ExecStart=/opt/medic serve --config /srv/shop/medic.toml\n")
        );
        for bad in ["/srv/my apps/medic.toml", "/srv/%h/medic.toml", "/srv/\n/medic.toml", "/srv/$HOME/a"] {
            assert!(
                matches!(unit(Path::new("/usr/bin/medic"), Path::new(bad)), Err(InstallError::Path(_))),
                "{bad}"
            );
        }
    }
}
