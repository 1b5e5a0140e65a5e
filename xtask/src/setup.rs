//! What the tests need beyond Rust: installed by apt where that is possible, named where it is not.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::postgres;
use crate::process::{cargo, line, on_path, read, run};
use crate::workspace::root;

/// One thing that some of the tests need.
struct Need {
    /// As a reader knows it.
    name: &'static str,
    is_there: fn() -> bool,
    packages: &'static [&'static str],
    /// What is skipped without it.
    tests: &'static str,
}

const PAGES: &str = "the tests of the pages in Chromium";
const LANGUAGES: &str = "the crashes of that language's programs";
/// Servers that start their own children, pure Python from `PyPI`.
const PYTHON_SERVERS: &[&str] = &["gunicorn==23.0.0", "uvicorn==0.34.0"];
/// Launchers, likewise.
const PYTHON_LAUNCHERS: &[&str] = &["uv==0.13.9", "poetry==2.5.1"];
/// From `PyPI`, which carries a .NET runtime; the compiler is Mono's.
const DOTNET: &str = "dotnetcore2==3.1.23";

/// What takes pictures of the pages and tries them.
const PAGE_NEEDS: &[Need] = &[
    Need {
        name: "Chromium",
        is_there: has_chromium,
        packages: &["chromium", "fonts-dejavu-core"],
        tests: PAGES,
    },
    Need { name: "Node.js", is_there: || on_path("node").is_some(), packages: &["nodejs"], tests: PAGES },
    Need { name: "npm", is_there: || on_path("npm").is_some(), packages: &["npm"], tests: PAGES },
];

const TEST_NEEDS: &[Need] = &[
    Need {
        name: "PostgreSQL",
        is_there: || postgres::programs().is_some(),
        packages: &["postgresql"],
        tests: "the store's tests on PostgreSQL",
    },
    Need {
        name: "Python",
        is_there: || on_path("python3").is_some(),
        packages: &["python3"],
        tests: LANGUAGES,
    },
    Need {
        name: "pip",
        is_there: has_pip,
        packages: &["python3-pip"],
        tests: "the crashes of .NET programs",
    },
    Need {
        name: "Java",
        is_there: || on_path("java").is_some() && on_path("javac").is_some(),
        packages: &["default-jdk-headless"],
        tests: LANGUAGES,
    },
    Need { name: "Go", is_there: || on_path("go").is_some(), packages: &["golang-go"], tests: LANGUAGES },
    Need { name: "Ruby", is_there: || on_path("ruby").is_some(), packages: &["ruby"], tests: LANGUAGES },
    Need { name: "PHP", is_there: || on_path("php").is_some(), packages: &["php-cli"], tests: LANGUAGES },
    Need {
        name: "PHP-FPM",
        is_there: has_php_fpm,
        packages: &["php-fpm"],
        tests: "the tests of PHP behind nginx",
    },
    Need {
        name: "nginx",
        is_there: has_nginx,
        packages: &["nginx-light"],
        tests: "the tests of PHP behind nginx",
    },
    Need {
        name: "puma",
        is_there: || on_path("puma").is_some() && on_path("bundle").is_some(),
        packages: &["puma", "ruby-bundler"],
        tests: "the tests of puma",
    },
    Need {
        name: "a C++ compiler",
        is_there: || on_path("c++").is_some(),
        packages: &["g++"],
        tests: LANGUAGES,
    },
    Need {
        name: "a C# compiler",
        is_there: || on_path("mcs").is_some(),
        packages: &["mono-mcs"],
        tests: "the crashes of .NET programs",
    },
    Need {
        name: "gdb",
        is_there: || on_path("gdb").is_some(),
        packages: &["gdb"],
        tests: "the tests with another debugger attached",
    },
    Need {
        name: "strace",
        is_there: || on_path("strace").is_some(),
        packages: &["strace"],
        tests: "the disk that answers with errors",
    },
    Need {
        name: "libfaketime",
        is_there: || on_path("faketime").is_some(),
        packages: &["faketime"],
        tests: "the clock that jumps by days",
    },
];

const BENCH_NEEDS: &[Need] = &[
    Need { name: "nginx", is_there: has_nginx, packages: &["nginx-light"], tests: "the front door's anchor" },
    Need {
        name: "haproxy",
        is_there: || on_path("haproxy").is_some() || Path::new("/usr/sbin/haproxy").exists(),
        packages: &["haproxy"],
        tests: "the front door's second anchor",
    },
    Need {
        name: "wrk",
        is_there: || on_path("wrk").is_some(),
        packages: &["wrk"],
        tests: "what the debugger costs servers",
    },
    Need {
        name: "gcore",
        is_there: || on_path("gcore").is_some(),
        packages: &["gdb"],
        tests: "the capture's anchor",
    },
    Need {
        name: "PostgreSQL",
        is_there: || postgres::programs().is_some(),
        packages: &["postgresql"],
        tests: "the pages on PostgreSQL",
    },
    Need {
        name: "Node.js",
        is_there: || on_path("node").is_some(),
        packages: &["nodejs"],
        tests: "the restarts",
    },
    Need {
        name: "npm",
        is_there: || on_path("npm").is_some(),
        packages: &["npm"],
        tests: "the restarts beside pm2",
    },
    Need {
        name: "Python's venv",
        is_there: has_venv,
        packages: &["python3", "python3-venv"],
        tests: "the restarts beside gunicorn",
    },
];

/// rustfmt and clippy, which a minimal Rust does not have.
pub(crate) fn add_components() -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if read(cargo().args([command, "--version"])).is_err() {
            run(Command::new("rustup").current_dir(root()).args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Installs what the tests need. Returns what is still missing, one sentence each.
pub(crate) fn for_tests() -> Result<Vec<String>> {
    let mut missing = install(&PAGE_NEEDS.iter().chain(TEST_NEEDS).collect::<Vec<_>>())?;
    if let Err(error) = install_dotnet() {
        missing.push(format!(".NET is missing ({error:#}): the crashes of .NET programs are skipped"));
    }
    if let Err(error) = install_python_servers() {
        missing
            .push(format!("gunicorn is missing ({error:#}): the tests of servers with children are skipped"));
    }
    if let Err(error) = install_launchers() {
        missing.push(format!("uv or poetry is missing ({error:#}): the tests of that launcher are skipped"));
    }
    Ok(missing)
}

/// The same for the benches.
pub(crate) fn for_benches() -> Result<Vec<String>> {
    install(&BENCH_NEEDS.iter().collect::<Vec<_>>())
}

/// The same for pictures of the pages, without which there are none.
pub(crate) fn for_screenshots() -> Result<()> {
    install(&PAGE_NEEDS.iter().collect::<Vec<_>>())?;
    let missing: Vec<_> = PAGE_NEEDS.iter().filter(|need| !(need.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|need| need.name).collect();
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages).copied().collect();
    bail!(
        "--screenshots needs {}; on Debian: apt-get install {} (or name the program: CHROMIUM=/path/to/chromium)",
        names.join(", "),
        packages.join(" ")
    )
}

/// $CHROMIUM, or the first that is installed.
pub(crate) fn chromium() -> Option<std::path::PathBuf> {
    let own = env::var_os("CHROMIUM").map(Into::into);
    own.or_else(|| ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path))
}

fn has_nginx() -> bool {
    on_path("nginx").is_some() || Path::new("/usr/sbin/nginx").exists()
}

/// Debian calls it by its version.
fn has_php_fpm() -> bool {
    let is_one = |name: &str| name.starts_with("php-fpm");
    let installed = fs::read_dir("/usr/sbin").into_iter().flatten().filter_map(Result::ok);
    on_path("php-fpm").is_some()
        || installed.into_iter().any(|entry| entry.file_name().to_str().is_some_and(is_one))
}

fn has_chromium() -> bool {
    chromium().is_some()
}

/// Debian parts what fills a new one from the module that makes it.
fn has_venv() -> bool {
    read(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok()
}

fn has_pip() -> bool {
    on_path("dotnet").is_some() || read(Command::new("python3").args(["-m", "pip", "--version"])).is_ok()
}

fn install(needs: &[&Need]) -> Result<Vec<String>> {
    let missing =
        |needs: &[&Need]| -> Vec<usize> { (0..needs.len()).filter(|n| !(needs[*n].is_there)()).collect() };
    let packages: Vec<&str> = missing(needs).into_iter().flat_map(|n| needs[n].packages).copied().collect();
    if !packages.is_empty() {
        if on_path("apt-get").is_some() && postgres::is_root()? {
            // Without these some tests are skipped; why they could not be had is said right here by apt.
            if let Err(error) = apt_install(&packages) {
                eprintln!("xtask: {error:#}");
            }
        } else {
            println!("To run every test, install: {}", packages.join(" "));
        }
    }
    Ok(missing(needs)
        .into_iter()
        .map(|n| format!("{} is missing: {} are skipped", needs[n].name, needs[n].tests))
        .collect())
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]);
        apt
    };
    run(apt().arg("update"))?;
    let mut all = apt();
    all.args(["install", "--no-install-recommends"]).args(packages);
    println!("{}", line(&all));
    if run(&mut all).is_ok() {
        return Ok(());
    }
    // One package that this distribution does not have must not keep the others away.
    for package in packages {
        if let Err(error) = run(apt().args(["install", "--no-install-recommends", package])) {
            eprintln!("xtask: {error:#}");
        }
    }
    Ok(())
}

/// Into `target/tools/python`, where the tests look for them.
fn install_python_servers() -> Result<()> {
    let folder = root().join("target/tools/python");
    if folder.join("gunicorn").is_dir() && folder.join("uvicorn").is_dir() {
        return Ok(());
    }
    pip_install(&folder, PYTHON_SERVERS)
}

/// Into `target/tools/launchers`, where the tests look for them.
fn install_launchers() -> Result<()> {
    let folder = root().join("target/tools/launchers");
    if folder.join("bin/uv").is_file() && folder.join("poetry").is_dir() {
        return Ok(());
    }
    pip_install(&folder, PYTHON_LAUNCHERS)
}

fn pip_install(folder: &Path, packages: &[&str]) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-compile", "--target"]).arg(folder).args(packages);
    run(&mut pip)
}

/// Unpacks the runtime into `target/tools/dotnet`, where the lab looks for it.
fn install_dotnet() -> Result<()> {
    let folder = root().join("target/tools/dotnet");
    let program = folder.join("dotnetcore2/bin/dotnet");
    if on_path("dotnet").is_some() || program.is_file() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&folder).arg(DOTNET);
    run(&mut pip)?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "whl") {
            run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&path).arg(&folder))?;
            fs::remove_file(path)?;
        }
    }
    run(Command::new("chmod").arg("+x").arg(program))
}
