//! What a request costs the front door in processor time, beside nginx with an access log doing the same: small GETs over
//! kept connections, one thread each, the same backend and clients, in turns.
//!
//! `cargo bench -p front_door`. Each round sends a fixed number of requests; the table gives each round's time per request and
//! the ratios of the medians and of the least, which other work on the machine disturbs least. Both proxies set the same forwarding headers and count or log each request.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use engine::{Clock, Timestamp};
use front_door::{FrontDoor, FrontDoorSettings, Target};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS_PER_CONNECTION: usize = 600;
const REQUEST: &[u8] =
    b"GET /catalogue/shoes?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 08:15:00 GMT\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-cache\r\nContent-Length: 14\r\n\r\nHello, world!\n";
const CHILD: &str = "--as-front-door";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CHILD) {
        return be_front_door(arguments.get(at + 1).context("the backend's port")?.parse()?);
    }
    let folder = tempfile::tempdir()?;
    let backend = backend()?;
    let door = Proxy::front_door(backend)?;
    let nginx = match Proxy::nginx(backend, folder.path()) {
        Ok(nginx) => Some(nginx),
        Err(error) => {
            println!("nginx is left out: {error:#}");
            None
        }
    };
    let proxies: Vec<&Proxy> = std::iter::once(&door).chain(&nginx).collect();
    let requests = CONNECTIONS * REQUESTS_PER_CONNECTION;
    println!(
        "{ROUNDS} rounds of {requests} GETs over {CONNECTIONS} kept connections; µs of processor time per request"
    );
    let mut summary = Vec::new();
    for proxy in &proxies {
        load(proxy.address, REQUESTS_PER_CONNECTION / 4)?;
    }
    let mut figures = vec![Vec::new(); proxies.len()];
    for _ in 0..ROUNDS {
        for (proxy, figures) in proxies.iter().zip(&mut figures) {
            let before = proxy.processor_time_us()?;
            load(proxy.address, REQUESTS_PER_CONNECTION)?;
            figures.push((proxy.processor_time_us()? - before) / f64::from(u32::try_from(requests)?));
        }
    }
    for (proxy, mut figures) in proxies.iter().zip(figures) {
        figures.sort_by(f64::total_cmp);
        let row: Vec<String> = figures.iter().map(|figure| format!("{figure:6.2}")).collect();
        summary.push((figures[ROUNDS / 2], figures[0]));
        println!("{:<12} {}   median {:6.2}", proxy.name, row.join(" "), figures[ROUNDS / 2]);
    }
    if let [door, nginx] = summary[..] {
        println!(
            "front door / nginx: {:.2} by medians, {:.2} by the least",
            door.0 / nginx.0,
            door.1 / nginx.1
        );
    }
    Ok(())
}

/// A proxy in processes of its own, so that their time can be told from the bench's.
struct Proxy {
    name: &'static str,
    address: SocketAddr,
    process: Child,
}

impl Proxy {
    fn front_door(backend: SocketAddr) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([CHILD, &backend.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { name: "front door", address: line.trim().parse()?, process })
    }

    fn nginx(backend: SocketAddr, folder: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.join("nginx.conf");
        fs::write(&config, nginx_config(folder, address, backend))?;
        let process = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .context("it could not be started; `apt install nginx-light` brings it")?;
        let mut proxy = Self { name: "nginx", address, process };
        while TcpStream::connect(address).is_err() {
            ensure!(
                proxy.process.try_wait()?.is_none(),
                "it ended at once; see `nginx -t -c` with its config"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(proxy)
    }

    /// What all threads of the process and its children have run so far, in microseconds.
    fn processor_time_us(&self) -> Result<f64> {
        let mut processes = vec![self.process.id()];
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = fs::read_to_string(children).unwrap_or_default();
        processes.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        let mut ns = 0.0;
        for process in processes {
            for thread in fs::read_dir(format!("/proc/{process}/task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                ns += text.split_whitespace().next().context("the time run")?.parse::<f64>()?;
            }
        }
        Ok(ns / 1_000.0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's master tells its worker; the front door ends with its input
        if self.name == "nginx" {
            Command::new("kill").arg(self.process.id().to_string()).status().ok();
        }
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}

fn nginx_config(folder: &Path, listen: SocketAddr, backend: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
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

fn be_front_door(backend: u16) -> Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = FrontDoorSettings { threads: 1, ..FrontDoorSettings::new("bench".parse()?, listen) };
    let door = FrontDoor::bind(settings, Arc::new(RealClock))?;
    door.route(vec![Target { worker: "bench/0/1".parse()?, port: backend }]);
    println!("{}", door.address());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The same two readings as the server's clock, whose crate is too much to build for a bench.
struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the bench measures what reading the clock costs")]
    fn now(&self) -> Timestamp {
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

/// A backend that answers every request with the same few bytes, a thread per connection.
fn backend() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(connection).ok());
        }
    });
    Ok(address)
}

fn answer_all(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = [0; 8 * 1024];
    let mut length = 0;
    loop {
        match connection.read(&mut buffer[length..])? {
            0 => return Ok(()),
            more => length += more,
        }
        if buffer[..length].ends_with(b"\r\n\r\n") {
            length = 0;
            connection.write_all(ANSWER)?;
        }
    }
}

/// Sends `each` requests over every connection, one after another.
fn load(address: SocketAddr, each: usize) -> Result<()> {
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| std::thread::spawn(move || ask(address, each))).collect();
    clients
        .into_iter()
        .try_for_each(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
}

fn ask(address: SocketAddr, times: usize) -> Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let mut buffer = [0; 8 * 1024];
    for _ in 0..times {
        connection.write_all(REQUEST)?;
        let mut length = 0;
        while !buffer[..length].ends_with(b"Hello, world!\n") {
            let more = connection.read(&mut buffer[length..])?;
            ensure!(more > 0, "the proxy closed the connection");
            length += more;
        }
        ensure!(buffer.starts_with(b"HTTP/1.1 200 "), "not answered 200");
    }
    Ok(())
}
