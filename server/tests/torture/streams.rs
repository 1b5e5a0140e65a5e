//! Event streams that stay open and nothing else: a quarter of an hour of them restarts nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::Medic;
use crate::times;

/// Reads so many events of a stream.
fn read_events(events: &mut impl BufRead, count: u32) {
    let mut line = String::new();
    for _ in 0..count {
        loop {
            line.clear();
            assert!(events.read_line(&mut line).expect("a line") > 0, "the stream was cut");
            if line.starts_with("data: ") {
                break;
            }
        }
    }
}

fn open(address: SocketAddr, pause_ms: u32) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET /events?ms={pause_ms} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("asked");
    BufReader::new(stream)
}

#[test]
fn six_event_streams_and_nothing_else_restart_nothing() {
    let medic = Medic::with_shop("", "stop_grace = \"1s\"");
    medic.until_running();
    let pid = medic.instances()[0]["pid"].clone();
    let mut silent: Vec<_> = (0..3).map(|_| open(medic.front_door, 3_600_000)).collect();
    let mut talking: Vec<_> = (0..3).map(|_| open(medic.front_door, 1_000)).collect();
    for stream in &mut silent {
        read_events(stream, 1);
    }
    // a second each
    let events = times(5, 900);
    for _ in 0..events {
        for stream in &mut talking {
            read_events(stream, 1);
        }
    }
    let (instance, restarts) = (medic.instances().remove(0), medic.json("/api/v1/apps/shop/restarts"));
    println!("streams: 6 for {events} s, restarts {}, open {}", restarts, instance["open_streams"]);
    assert_eq!(restarts, Value::Array(vec![]));
    assert_eq!((&instance["pid"], &instance["open_streams"]["streams"]["count"]), (&pid, &6.into()));
    let refused = medic.json("/api/v1/apps/shop/heal-events");
    assert_eq!(refused, Value::Array(vec![]));
}
