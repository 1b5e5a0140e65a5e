//! The front door, its anchors and the backend, each in processes of its own so that their time and memory can be told from the
//! bench's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use front_door::{FrontDoor, FrontDoorSettings, ServingThreads, Target};
use model::{Clock, Timestamp};

pub(crate) const AS_FRONT_DOOR: &str = "--as-front-door";
pub(crate) const AS_BACKEND: &str = "--as-backend";

/// Something that answers.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Proxy {
    pub(crate) fn front_door(backend: SocketAddr) -> Result<Self> {
        Self::of_this_program("front door", &[AS_FRONT_DOOR, &backend.port().to_string()])
    }

    pub(crate) fn backend() -> Result<Self> {
        Self::of_this_program("backend alone", &[AS_BACKEND])
    }

    /// One that says its address and ends with its input.
    fn of_this_program(name: &'static str, arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { name, address: line.trim().parse()?, process })
    }

    pub(crate) fn nginx(backend: SocketAddr, folder: &Path) -> Result<Self> {
        let (address, config) = (free_address()?, folder.join("nginx.conf"));
        fs::write(&config, nginx_config(folder, address, backend))?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&config).arg("-p").arg(folder);
        Self::anchor("nginx", address, command.stderr(Stdio::null()))
    }

    pub(crate) fn haproxy(backend: SocketAddr, folder: &Path) -> Result<Self> {
        let (address, config) = (free_address()?, folder.join("haproxy.cfg"));
        fs::write(&config, haproxy_config(address, backend))?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&config);
        let log = File::create(folder.join("haproxy.log"))?;
        Self::anchor("haproxy", address, command.stdout(log).stderr(Stdio::null()))
    }

    fn anchor(name: &'static str, address: SocketAddr, command: &mut Command) -> Result<Self> {
        let process = command
            .spawn()
            .with_context(|| format!("{name} could not be started; `apt install {name}` brings it"))?;
        let mut anchor = Self { name, address, process };
        while TcpStream::connect(address).is_err() {
            ensure!(anchor.process.try_wait()?.is_none(), "{name} ended at once");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(anchor)
    }

    /// What all threads of the process and its children have run so far, in microseconds.
    pub(crate) fn processor_time_us(&self) -> Result<f64> {
        let mut ns = 0.0;
        for process in self.processes() {
            for thread in fs::read_dir(format!("/proc/{process}/task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                ns += text.split_whitespace().next().context("the time run")?.parse::<f64>()?;
            }
        }
        Ok(ns / 1_000.0)
    }

    /// Resident memory of the process and its children.
    pub(crate) fn resident_kib(&self) -> Result<f64> {
        let mut kib = 0.0;
        for process in self.processes() {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
            kib += line.trim().trim_end_matches(" kB").parse::<f64>()?;
        }
        Ok(kib)
    }

    fn processes(&self) -> Vec<u32> {
        let own = self.process.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // this program ends with its input, and nginx's master tells its worker
        if self.process.stdin.take().is_none() {
            Command::new("kill").arg(self.process.id().to_string()).status().ok();
        }
        self.process.wait().ok();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn nginx_config(folder: &Path, listen: SocketAddr, backend: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 10000000;
  upstream app {{ server {backend}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://app; proxy_http_version 1.1;
      proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Real-IP $remote_addr;
    }}
  }}
}}
"
    )
}

fn haproxy_config(listen: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "global
  nbthread 1
  maxconn 4000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 75s
  timeout server 75s
frontend clients
  bind {listen}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  default_backend app
backend app
  server worker {backend}
"
    )
}

/// Is the front door until the input ends.
pub(crate) fn be_front_door(backend: u16) -> Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = FrontDoorSettings::new("localhost".parse()?, "bench".parse()?, listen);
    let door = FrontDoor::bind(settings, Arc::new(RealClock), &ServingThreads::start(1)?)?;
    door.route(vec![Target {
        worker: "localhost/bench/0/1".parse()?,
        address: ([127, 0, 0, 1], backend).into(),
    }]);
    println!("{}", door.address());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The same two readings as the server's clock, whose crate is too much to build for a bench.
struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the bench measures what reading the clock costs")]
    fn wall(&self) -> Timestamp {
        let since_1970 =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "the bench measures what reading the clock costs")]
    fn monotonic(&self) -> Duration {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}
