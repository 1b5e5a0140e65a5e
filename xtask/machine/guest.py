"""What `cargo xtask machine` does on the machine that it has booted: the life of the package, from its installation to its purge,
with an app that is asked without a pause.

Says a line for each thing that was shown, and `all shown` at the end. Where something is not as it should be, it says what, and
what the service's journal has.
"""

import glob
import json
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = "/etc/medic/medic.toml"
DASHBOARD, APP = "http://127.0.0.1:3000", "http://127.0.0.1:8080"
# A processor that is emulated is slow; whoever waits so long has found a defect.
PATIENCE_S = 180

SHOP = """
[crash_monitoring]
crashes = 0
pause = "0s"

[[app]]
name = "shop"
command = ["/usr/bin/python3", "/srv/shop/app.py"]
directory = "/srv/shop"
user = "www-data"
listen = "127.0.0.1:8080"
back_off = "0s"
"""


def say(text):
    print(text, flush=True)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    check(done.returncode == 0, f"`{' '.join(words)}` failed: {done.stdout}{done.stderr}")
    return done.stdout


def until(what, look):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            found = look()
        except (OSError, KeyError, IndexError):
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}")


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def api(path):
    return json.loads(get(f"{DASHBOARD}/api/v1{path}"))


def unit(name):
    return run("systemctl", "show", "medic.service", "--value", "--property", name).strip()


def medic():
    return int(unit("MainPID"))


def worker():
    """The process of the running worker."""
    instance = api("/apps/shop")["instances"][0]
    return instance["pid"] if instance["state"] == "running" else None


def crashes():
    return api("/apps/shop/crashes")


def processes_of(*names):
    """The processes that run one of these, by their command lines."""
    found = []
    for file in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = open(file).read().replace("\0", " ")
        except OSError:
            continue
        if any(name in line for name in names):
            found.append(line.strip())
    return found


class Load:
    """Visitors who each come with a new connection, one after another, until it is left."""

    def __enter__(self):
        self.stopped, self.answered, self.failed = threading.Event(), 0, []
        self.visitors = [threading.Thread(target=self.visit) for _ in range(4)]
        for visitor in self.visitors:
            visitor.start()
        until("the first visitors", lambda: self.answered > 20)
        return self

    def visit(self):
        while not self.stopped.is_set():
            try:
                get(APP)
                self.answered += 1
            except OSError as error:
                self.failed.append(str(error))

    def __exit__(self, kind, *_):
        if kind is None:
            before = self.answered
            until("visitors afterwards", lambda: self.answered > before + 20)
        self.stopped.set()
        for visitor in self.visitors:
            visitor.join()


def keeps_the_app(what, act):
    """Another Medic serves afterwards, the worker is the same, and no request failed."""
    before, process = medic(), until("the worker", worker)
    with Load() as load:
        act()
        until("another Medic", lambda: medic() not in (0, before) and unit("ActiveState") == "active")
        same = until("the worker", worker)
    check(same == process, f"{what}: worker {process} became {same}")
    check(not load.failed, f"{what}: {len(load.failed)} of {load.answered} requests failed: {load.failed[:3]}")
    say(f"{what}: another Medic, the same worker, {load.answered} requests, none failed")


def installed(package):
    run("dpkg", "--install", package)
    check(unit("ActiveState") == "active" and unit("UnitFileState") == "enabled", "the unit is not active and enabled")
    until("Medic", lambda: get(f"{DASHBOARD}/healthz"))


def app_as_www_data():
    os.makedirs("/srv/shop")
    with open("/srv/shop/app.py", "w") as app, open(f"{HERE}/app.py") as source:
        app.write(source.read())
    with open(CONFIG, "a") as config:
        config.write(SHOP)
    run("medic", "check-config", "--config", CONFIG)
    run("systemctl", "reload", "medic")
    process = until("the worker", worker)
    answered, user = get(APP).split()
    www_data = pwd.getpwnam("www-data").pw_uid
    check(int(answered) == process and int(user) == www_data, f"worker {process} answers as {answered}, user {user}")
    say("an app runs as www-data after a reload")


def recorded(process, what):
    """The crash of this process, once it is recorded and another worker runs."""
    crash = until(f"the crash by {what}", lambda: [crash for crash in crashes() if crash["pid"] == process])[0]
    until("another worker", lambda: worker() not in (None, process))
    return crash


def crash_is_explained():
    process = until("the worker", worker)
    os.kill(process, signal.SIGKILL)
    crash = recorded(process, "SIGKILL")
    check(crash["cause"] == "signal" and "SIGKILL" in json.dumps(crash), crash)
    process = worker()
    until("the armed debugger", lambda: api("/apps/shop")["instances"][0]["monitoring"]["state"] == "armed")
    try:
        get(f"{APP}/crash")
    except OSError:
        pass
    crash = recorded(process, "SIGSEGV")
    incident = api(f"/incidents/{crash['incident']}")
    frames = incident["crashing_thread"]["frames"]
    check("SIGSEGV" in incident["signature"] and len(frames) > 5, incident)
    # within its time limit, which an emulated processor may miss
    python = next((f"{frame['function']} in app.py" for frame in frames if "app.py" in (frame["file"] or "")), None)
    check(python or any("No Python frames" in note for note in incident["notes"]), incident)
    say(f"SIGKILL and SIGSEGV are recorded; the latter with {len(frames)} frames; Python's: {python or 'a note why not'}")


def control_groups():
    path = open(f"/proc/{worker()}/cgroup").read().strip()
    version = int(run("systemctl", "--version").split()[1])
    if version >= 254:
        check("/medic.service/worker.shop.0." in path, path)
    else:
        check(path.endswith("/medic.service"), path)
        check("systemd 254" in run("journalctl", "--unit", "medic"), "nothing says that workers get no groups")
    say(f"systemd {version}: the worker's control group is {path}")


def out_of_memory():
    before, process = medic(), worker()
    # a machine without swap that has no memory left pages its programs in and out for minutes before it kills one
    run("systemctl", "set-property", "--runtime", "medic.service", "MemoryMax=500M")
    try:
        get(f"{APP}/leak")
    except OSError:
        pass
    crash = recorded(process, "the kernel")
    check(crash["cause"] == "out_of_memory", crash)
    check(medic() == before, "Medic did not survive")
    run("systemctl", "set-property", "--runtime", "medic.service", "MemoryMax=infinity")
    say("a worker that takes all of the service's memory: out of memory, and Medic goes on")


def killed_and_hung():
    for what, name in (("killed", "KILL"), ("hung", "STOP")):
        before, process = medic(), until("the worker", worker)
        os.kill(before, getattr(signal, f"SIG{name}"))
        until("another Medic", lambda: medic() not in (0, before) and unit("ActiveState") == "active")
        check(until("the worker", worker) == process, f"{what}: the worker was replaced")
        say(f"a Medic that is {what}: systemd starts another, the same worker")


def nothing_runs():
    left = processes_of("medic", "/srv/shop/app.py")
    left = [line for line in left if HERE not in line]
    check(not left, f"left behind: {left}")
    try:
        get(APP)
    except OSError:
        return
    raise AssertionError("somebody still answers for the app")


def removed():
    known = len(crashes())
    run("dpkg", "--remove", "medic")
    nothing_runs()
    check(os.path.exists(CONFIG) and os.path.exists("/var/lib/medic/medic.db"), "configuration or data are gone")
    say("removed: nothing runs; configuration and data stay")
    return known


def purged():
    run("dpkg", "--purge", "medic")
    nothing_runs()
    left = [path for path in ("/etc/medic", "/var/lib/medic") if os.path.exists(path)]
    left += [file for folder in ("/etc", "/var/lib") for file in glob.glob(f"{folder}/systemd/**/medic*", recursive=True)]
    check(not left, f"left behind: {left}")
    check(os.path.exists("/srv/shop/app.py"), "the app's own files are gone")
    say("purged: configuration and data are gone, the app's own files stay")


def main():
    release, upgrade = sorted(glob.glob(f"{HERE}/*.deb"))
    installed(release)
    run("systemd-analyze", "verify", "medic.service")
    say("installed: the service is active and enabled")
    app_as_www_data()
    crash_is_explained()
    control_groups()
    keeps_the_app("systemctl restart medic", lambda: run("systemctl", "restart", "medic"))
    keeps_the_app("an upgrade of the package", lambda: run("dpkg", "--install", upgrade))
    killed_and_hung()
    out_of_memory()
    known = removed()
    installed(upgrade)
    until("the worker", worker)
    check(len(crashes()) == known, "installed again: crashes are missing")
    say("installed again: the app runs, its history is there")
    purged()
    say("all shown")


try:
    main()
except Exception as error:
    say(f"not shown: {str(error)[:2_000]}")
    journal = ["journalctl", "--unit", "medic", "--no-pager", "--lines", "60"]
    say(subprocess.run(journal, capture_output=True, text=True).stdout)
subprocess.run(["systemctl", "poweroff", "--force"], stdout=sys.stderr)
