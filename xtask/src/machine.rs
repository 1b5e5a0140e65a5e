//! `cargo xtask machine`: the Debian package on whole machines, emulated, whose first process is systemd: installation, an app of
//! another user, crashes, restart and upgrade beside visitors, removal, purge. `xtask/machine/guest.py` is what is done there.
//!
//! ```text
//!  mmdebstrap ─▶ target/machine/SUITE (once) ─▶ a disk with it ────────┐
//!  package, the same as the next version, guest.py ─▶ a second disk ───┴─▶ qemu ─▶ what guest.py says, line by line
//! ```
//! It takes minutes, since each instruction is emulated: KVM is not there in most machines that are themselves virtual, nor does it
//! work in all where it is. So it is in no run of the tests.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::deb;
use crate::process::{line, on_path, read, run};
use crate::stopwatch::{Stopwatch, text};
use crate::workspace::{root, target};

/// Debian's releases that are tried: one whose systemd cannot give workers groups of their own (252), and one whose can (257).
const SUITES: [&str; 2] = ["bookworm", "trixie"];
/// What a machine of a small hoster has, and what the app needs.
const PACKAGES: &str = "systemd,systemd-sysv,udev,linux-image-cloud-amd64,initramfs-tools,python3,zstd";
const MIRROR: &str = "http://deb.debian.org/debian";
const DISK_BYTES: u64 = 3 << 30;
/// When a machine that hangs is given up.
const LIMIT: &str = "40m";
/// What the guest says last.
const ALL_SHOWN: &str = "all shown";

/// Runs the guest's script at the machine's start, and answers on the second serial port.
const UNIT: &str = "[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/sh -c 'mount -o ro /dev/vdb /machine && exec python3 /machine/guest.py > /dev/ttyS1 2>&1'
[Install]
WantedBy=default.target
";

/// One machine for each suite; `package` is built where none is named.
pub(crate) fn try_package(package: Option<&Path>) -> Result<()> {
    needs()?;
    let package = package.map_or_else(deb::build, |package| Ok(package.to_owned()))?;
    let folder = target().join("machine");
    fs::create_dir_all(&folder)?;
    let second = second_disk(&folder, &package)?;
    for suite in SUITES {
        let watch = Stopwatch::start();
        println!("\n{suite}:");
        let system = system(&folder, suite)?;
        let first = folder.join(format!("{suite}.ext4"));
        make_disk(&first, &system, DISK_BYTES)?;
        boot(&system, &first, &second, &folder.join(format!("{suite}.log")))?;
        println!("{suite}: {}", text(watch.elapsed()));
    }
    Ok(())
}

fn needs() -> Result<()> {
    for (program, package) in
        [("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap"), ("mke2fs", "e2fsprogs")]
    {
        ensure!(
            on_path(program).is_some(),
            "`{program}` is not installed, which the machines need; on Debian: apt-get install {package}"
        );
    }
    let user = read(Command::new("id").arg("--user"))?;
    ensure!(user.trim() == "0", "the machines' files belong to many users, which only root can give them");
    Ok(())
}

/// The files of a machine's system, made where they are not there yet.
fn system(folder: &Path, suite: &str) -> Result<PathBuf> {
    let system = folder.join(suite);
    if system.is_dir() {
        return Ok(system);
    }
    let partial = folder.join(format!("{suite}.partial"));
    let _not_there = fs::remove_dir_all(&partial);
    run(Command::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=minbase", "--format=directory", "--include", PACKAGES])
        .arg("--aptopt=Apt::Install-Recommends \"false\"")
        .arg(suite)
        .args([partial.as_os_str(), MIRROR.as_ref()]))?;
    fs::create_dir_all(partial.join("machine"))?;
    fs::write(partial.join("etc/systemd/system/machine.service"), UNIT)?;
    let wanted = partial.join("etc/systemd/system/default.target.wants");
    fs::create_dir_all(&wanted)?;
    std::os::unix::fs::symlink("../machine.service", wanted.join("machine.service"))?;
    fs::rename(&partial, &system)?;
    Ok(system)
}

/// The package, the same under a later version, and what is done with them.
fn second_disk(folder: &Path, package: &Path) -> Result<PathBuf> {
    let content = folder.join("content");
    let unpacked = folder.join("unpacked");
    for folder in [&content, &unpacked] {
        let _not_there = fs::remove_dir_all(folder);
    }
    fs::create_dir_all(&content)?;
    fs::copy(package, content.join("1.deb")).with_context(|| format!("cannot read {}", package.display()))?;
    run(Command::new("dpkg-deb").arg("--raw-extract").args([package, &unpacked]))?;
    let control = unpacked.join("DEBIAN/control");
    let fields = fs::read_to_string(&control)?;
    let later = fields.lines().map(|field| match field.strip_prefix("Version: ") {
        Some(version) => format!("Version: {version}+1\n"),
        None => format!("{field}\n"),
    });
    fs::write(&control, later.collect::<String>())?;
    // the fastest, since it is unpacked at once
    run(Command::new("dpkg-deb")
        .args(["-Zgzip", "-z1", "--root-owner-group", "--build"])
        .args([&unpacked, &content.join("2.deb")]))?;
    for script in ["guest.py", "app.py"] {
        fs::copy(root().join("xtask/machine").join(script), content.join(script))?;
    }
    let disk = folder.join("content.ext4");
    make_disk(&disk, &content, 1 << 30)?;
    Ok(disk)
}

fn make_disk(disk: &Path, content: &Path, bytes: u64) -> Result<()> {
    File::create(disk)?.set_len(bytes)?;
    run(Command::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-d"]).args([content, disk]))
}

/// Passes on what the guest says; what its kernel and systemd say goes into `log`.
fn boot(system: &Path, first: &Path, second: &Path, log: &Path) -> Result<()> {
    let file = |name: &str| -> Result<PathBuf> {
        let files = fs::read_dir(system.join("boot"))?.flatten().map(|entry| entry.path());
        let mut files = files
            .filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)));
        files.next().with_context(|| format!("no {name} in {}", system.display()))
    };
    let drive = |disk: &Path, more: &str| format!("file={},if=virtio,format=raw,{more}", disk.display());
    let mut qemu = Command::new("timeout");
    qemu.args([LIMIT, "qemu-system-x86_64"]);
    qemu.args(["-nodefaults", "-no-reboot", "-display", "none", "-accel", "tcg", "-cpu", "max"])
        .args(["-smp", "1", "-m", "1G", "-nic", "none"])
        .arg("-kernel")
        .arg(file("vmlinuz-")?)
        .arg("-initrd")
        .arg(file("initrd.img-")?)
        .args(["-append", "root=/dev/vda rw console=ttyS0 panic=-1"])
        .args(["-drive", &drive(first, "cache=unsafe"), "-drive", &drive(second, "readonly=on")])
        .args(["-serial", &format!("file:{}", log.display()), "-serial", "stdio"]);
    let mut machine = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(log.with_extension("qemu.log"))?)
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(&qemu)))?;
    let mut is_shown = false;
    for said in BufReader::new(machine.stdout.take().context("qemu has no output")?).lines() {
        let said = said?;
        println!("  {}", said.trim_end());
        is_shown |= said.trim_end() == ALL_SHOWN;
    }
    machine.wait()?;
    ensure!(is_shown, "not all of it was shown; what the machine itself said is in {}", log.display());
    Ok(())
}
