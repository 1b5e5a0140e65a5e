//! Which address does what.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::checkout;
use crate::http::{Connection, Request};
use crate::{in_flight, misbehave};

const PAGE: &str = include_str!("page.html");
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Longer than anybody waits: a worker that sends nothing.
const LONGEST_PAUSE_MS: u64 = 3_600_000;

/// Answers one request, or dies of it.
pub(crate) fn answer(request: &Request, connection: &mut Connection) -> io::Result<()> {
    misbehave::wait_while_hung();
    let path = request.path.trim_matches('/');
    match path.split_once('/').unwrap_or((path, "")) {
        ("", "") => connection.respond(200, "text/html; charset=utf-8", PAGE),
        ("orders", id) => order(id, connection),
        ("cart", "checkout") => {
            sleep(Duration::from_millis(request.number("ms", 0, 60_000)));
            let total = checkout::handle_request(request.number("order", 7, u64::MAX));
            connection.respond(200, JSON, &format!("{{\"total_cents\":{total}}}\n"))
        }
        ("slow", "") => {
            sleep(Duration::from_millis(request.number("ms", 1_000, 60_000)));
            connection.respond(200, TEXT, "slow\n")
        }
        ("stream", "") => stream(request, connection),
        ("events", "") => events(request, connection),
        ("post-count", "") => {
            let bytes = connection.drain_body()?;
            connection.respond(200, TEXT, &format!("{bytes}\n"))
        }
        ("headers", "") => connection.respond(200, TEXT, &head(request)),
        ("in-flight", "") => connection.respond(200, TEXT, &format!("{}\n", in_flight::count())),
        ("env", "") => connection.respond(200, JSON, &environment()),
        ("echo", "") if request.header("upgrade").is_some() => {
            connection.echo(request.header("upgrade").unwrap_or_default())
        }
        ("status", code) => connection.respond(code.parse().unwrap_or(400), TEXT, "status\n"),
        ("crash", how) => {
            misbehave::crash(how);
            connection.respond(200, TEXT, &format!("{how}: still alive\n"))
        }
        _ => connection.respond(404, TEXT, "There is no such page in this shop.\n"),
    }
}

fn order(id: &str, connection: &mut Connection) -> io::Result<()> {
    let Ok(id) = id.parse::<u64>() else {
        return connection.respond(400, TEXT, "An order has a number.\n");
    };
    let total = checkout::handle_request(id);
    connection.respond(200, JSON, &format!("{{\"id\":{id},\"total_cents\":{total}}}\n"))
}

fn stream(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let chunks = request.number("chunks", 10, 100_000);
    let pause = Duration::from_millis(request.number("ms", 50, LONGEST_PAUSE_MS));
    let mut sent = 0;
    connection.respond_in_chunks("text/plain", || {
        if sent == chunks {
            return None;
        }
        if sent > 0 {
            sleep(pause);
        }
        sent += 1;
        Some(format!("line {sent} of {chunks}\n"))
    })
}

fn events(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let pause = Duration::from_millis(request.number("ms", 1_000, LONGEST_PAUSE_MS));
    let mut sent = 0_u64;
    connection.respond_in_chunks("text/event-stream", || {
        if sent > 0 {
            sleep(pause);
        }
        sent += 1;
        Some(format!("data: event {sent}\n\n"))
    })
}

fn head(request: &Request) -> String {
    let mut text = format!("{} {}?{}\n", request.method, request.path, request.query);
    for (name, value) in &request.headers {
        text.extend([name, ": ", value, "\n"]);
    }
    text
}

fn environment() -> String {
    let [port, instance] = ["PORT", "WEBSITE_INSTANCE_ID"].map(|name| {
        std::env::var(name)
            .map_or_else(|_| "null".to_owned(), |value| format!("\"{}\"", value.replace(['"', '\\'], "?")))
    });
    format!("{{\"PORT\":{port},\"WEBSITE_INSTANCE_ID\":{instance},\"pid\":{}}}\n", std::process::id())
}
