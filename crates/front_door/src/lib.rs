//! The reverse proxy of one app: choosing, draining, counting.
//!
//! [`FrontDoor`] listens where the app's clients come, gives each request to a worker, and knows at any time which requests a
//! worker has: so a worker can be drained before it is stopped, and a crash can be told with the requests that it cost. It
//! speaks HTTP/1.1 and 1.0 on both sides by hyper; what is decided here is who gets a request, what happens when that worker
//! goes away, and what is counted.
//!
//! ```text
//!  clients ──▶ SO_REUSEPORT ──▶ thread 0: runtime, connections, pool, counts ──▶ workers, mostly at 127.0.0.1
//!                          └──▶ thread 1: …                      │
//!                                   ▲ routing table (arc-swap) ◀─┴─ route()
//! ```
//! Three layers, each of which knows those below it alone; `settings` is known to all:
//!
//! | layer | what |
//! |---|---|
//! | `transport` | sockets and tasks: clients, connections to workers, the bytes between them, limits of connections |
//! | `exchange` | one request and its answer: choosing a worker, headers, retries, when it is counted |
//! | `accounting` | counts, and what follows from them alone: workers, minutes, tallies, the budget of retries |
//!
//! - All apps share one thread per core ([`ServingThreads`]). On each, an app has a listening socket, connections to workers
//!   and counts of its own: on the way of a request there is no lock and no hand-over to another thread or task.
//! - Connections of all apps together stay below a limit, since they share the process's file descriptors (see the module
//!   `connection_limit`): the clients that have been idle the longest make room, and where none is idle new ones get 503. A client
//!   takes one descriptor, a connection to a worker one more.
//! - A client that has been idle for two seconds costs no buffers until it sends something.
//! - A request goes to the worker with the fewest in flight, or to the instance that its `ARRAffinity` cookie names. While
//!   another answers, a worker that has answered nobody for some requests is only tried every 10 s.
//! - A request that has not reached a worker tries the others, then waits for one. One that may have is not sent again, except
//!   a GET or HEAD whose worker died before it answered, or another that nobody has read (see the module `retries`).
//! - A request's time is how long its worker kept the client waiting in one piece. An answer that lasts is a stream, and no slow
//!   request; whoever replaces a worker is told how many streams and tunnels that ended (see the module `answer_time`).
//! - What auto-heal's rules go by is counted beside: for each worker, the requests that match a list of watches.
//! - A client that closes its sending side before it has its answer counts as gone away, as it does with nginx.
//!
//! # What is not passed on
//! What a worker, or somebody in front, could read in another way than the front door does is refused, not repaired:
//! - 400: no host or two, a `Host` that is more than a name or address and a port (also in an absolute target, whose host
//!   outweighs the header), `*` for another method than `OPTIONS`, lengths that differ, folded lines, `chunked` from HTTP/1.0.
//!   hyper refuses most of this before it is a request, with 400, 414 (a target above 64 KiB) or 431 (above
//!   [`Limits::header_bytes`] or 100 headers).
//! - 501: `CONNECT`, `TRACE`, transfer codings beside `chunked`.
//! - Of `Upgrade`, HTTP/2 (`h2c`) and TLS are left out wherever they stand, and `HTTP2-Settings` with them; a 101 must name a
//!   protocol that was offered.
//! - Fields behind a chunked body pass if `Trailer` announced them, but none that the front door sets or that frame a message.
//! - 502: an answer that is no HTTP, has lengths that differ, a transfer coding beside `chunked`, or a head above 128 KiB or
//!   100 headers. An answer with a length and `chunked` goes on without the length, and its connection is not used again. The
//!   log says each of these once for each worker.
//! - 1xx answers other than 101 (100 Continue, 102 Processing, 103 Early Hints) end here, since hyper's server cannot send
//!   them. `Expect: 100-continue` is answered by the front door when a worker begins to read the body, so a client may send a
//!   body that the worker then refuses.

mod accounting;
mod door;
mod exchange;
mod settings;
mod transport;

pub use accounting::connections::ConnectionCounts;
pub use door::FrontDoor;
pub use settings::{BindError, Death, FrontDoorSettings, Limits, Scheme, StartError, Target};
pub use transport::listen::Listeners;
pub use transport::serving_threads::ServingThreads;
