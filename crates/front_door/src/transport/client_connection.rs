//! One client connection, from accept to close.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::app_connections::ClientEntry;
use super::app_thread::AppThread;
use super::client_socket::ClientSocket;
use super::relay;
use super::tunnel::Tunnel;
use crate::accounting::connections::Admission;
use crate::exchange::client::Client;
use crate::exchange::client_timeouts::ClientTimeouts;
use crate::exchange::peer::Peer;
use crate::settings::Limits;

/// How long, and for how many bytes, a client that is still sending is listened to after its last answer, so that it gets to
/// read that answer: closing a socket with bytes unread would throw the answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// How long a client that has just connected may take to send something once the front door closes.
const FIRST_BYTE: Duration = Duration::from_millis(250);

/// hyper's settings for clients. Time limits are [`ClientTimeouts`]'; `pipeline_flush` stays off, since with it whole bodies
/// are buffered for slow readers.
pub(crate) fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    let header_bytes = limits.header_bytes.max(8 * 1024);
    http.header_read_timeout(None).max_header_size(header_bytes).max_buf_size(header_bytes.max(64 * 1024));
    http
}

/// What a client is answered that is turned away.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n\
    content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\ncontent-length: 52\r\n\r\n\
    503 Service Unavailable\nToo many clients right now.\n";

/// Starts the task of an accepted connection, unless all that there may be are busy.
pub(crate) fn accept(
    app: &Rc<AppThread>,
    http: &http1::Builder,
    socket: TcpStream,
    address: SocketAddr,
) -> Admission {
    let admission = app.admit();
    if admission == Admission::Busy {
        turn_away(&socket);
        return admission;
    }
    // without it small answers wait for the client's acknowledgement
    socket.set_nodelay(true).ok();
    let router = Rc::clone(&app.connections.router);
    let timeouts = Arc::new(ClientTimeouts::new(router.idle_order.next_client()));
    let client = Rc::new(Client::new(router, peer(app, address), Arc::clone(&timeouts)));
    let socket = ClientSocket::new(socket, timeouts);
    let http = http.clone();
    let mut clients = app.connections.clients.borrow_mut();
    let entry = clients.vacant_entry();
    let registered = Registered { app: Rc::clone(app), client: Rc::clone(&client), number: entry.key() };
    let task = tokio::task::spawn_local(async move {
        serve(&registered.app, &registered.client, socket, &http).await;
    });
    entry.insert(ClientEntry { client, task: task.abort_handle(), leaving: Cell::new(false) });
    admission
}

/// Says why, as far as that costs no time: what the client has sent is taken first, since a socket that is closed with bytes
/// unread throws the answer away.
fn turn_away(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    let mut request = [MaybeUninit::uninit(); 4 * 1024];
    // a client that is gone, or that sends more, does not get to read it
    let _ = socket.recv(&mut request);
    let _ = socket.send(BUSY);
    let _ = socket.shutdown(Shutdown::Write);
}

/// Takes the connection off the list, however its task ends.
struct Registered {
    app: Rc<AppThread>,
    client: Rc<Client>,
    number: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.app.connections.remove(self.number);
    }
}

fn peer(app: &AppThread, address: SocketAddr) -> Peer {
    let text = address.ip().to_canonical().to_string();
    Peer {
        address: HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown")),
        default_host: app.app().default_host(),
        scheme: app.app().settings.forwarded,
    }
}

/// Serves a connection until it ends. hyper keeps buffers of 16 KiB for each, so it has it only from a request's first byte until
/// no other came for a while.
async fn serve(app: &Rc<AppThread>, client: &Rc<Client>, mut socket: ClientSocket, http: &http1::Builder) {
    // what the connection becomes once its answer 101 is sent; it holds the client, so the client does not hold it
    let tunnel: Cell<Option<Tunnel>> = Cell::default();
    let mut is_new = true;
    while readable(app, client, &socket, is_new).await {
        is_new = false;
        // boxed here and below, so that an idle connection does not keep the room that others need
        let service = service_fn(|request| Box::pin(relay::serve(app, client, &tunnel, request)));
        let mut connection = Box::new(http.serve_connection(socket, service).with_upgrades());
        let mut told_to_close = false;
        let ended = std::future::poll_fn(|cx| {
            client.set_waker(cx.waker());
            let mut polled = Pin::new(&mut *connection).poll(cx);
            // Only once it has read: hyper closes a connection of which it has not seen a byte.
            if polled.is_pending() && app.connections.closing.get() && !told_to_close {
                told_to_close = true;
                Pin::new(&mut *connection).graceful_shutdown();
                polled = Pin::new(&mut *connection).poll(cx);
            }
            match polled {
                Poll::Pending if client.needs_no_buffers() => Poll::Ready(None),
                polled => polled.map(Some),
            }
        })
        .await;
        if let Some(tunnel) = tunnel.take() {
            drop(connection);
            // either side may break off; there is nobody left to tell
            Box::pin(tunnel.run()).await.ok();
            return;
        }
        let Some(parts) = connection.into_parts() else { return };
        match ended {
            None => socket = parts.io.read_again(&parts.read_buf),
            Some(ended) => {
                if client.unread.get() || ended.is_err() {
                    Box::pin(linger(parts.io.into_inner())).await;
                }
                return;
            }
        }
    }
}

/// Waits until the client has sent something; `false` if the connection is to be closed instead. What has come by then is served,
/// and who has just connected is given the time to say why.
async fn readable(app: &AppThread, client: &Client, socket: &ClientSocket, is_new: bool) -> bool {
    let until_closing = std::future::poll_fn(|cx| {
        client.set_waker(cx.waker());
        match socket.poll_readable(cx) {
            Poll::Pending if app.connections.closing.get() => Poll::Ready(false),
            polled => polled.map(|()| true),
        }
    });
    if until_closing.await {
        return true;
    }
    let sent = std::future::poll_fn(|cx| socket.poll_readable(cx));
    if is_new { tokio::time::timeout(FIRST_BYTE, sent).await.is_ok() } else { socket.has_unread() }
}

async fn linger(mut socket: TcpStream) {
    if socket.shutdown().await.is_ok() {
        let mut rest = socket.take(LINGER_BYTES);
        tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await.ok();
    }
}
