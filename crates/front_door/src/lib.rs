//! The reverse proxy of one app: choosing, draining, counting.
//!
//! [`FrontDoor`] listens where the app's clients come, gives each request to a worker, and knows at any time which requests a
//! worker has: so a worker can be drained before it is stopped, and a crash can be told with the requests that it cost. It
//! speaks HTTP/1.1 and 1.0 on both sides by hyper; what is decided here is who gets a request, what happens when that worker
//! goes away, and what is counted.
//!
//! ```text
//!  clients ──▶ SO_REUSEPORT ──▶ thread 0: runtime, connections, pool, counts ──▶ workers at 127.0.0.1:port
//!                          └──▶ thread 1: …                      │
//!                                   ▲ routing table (arc-swap) ◀─┴─ route()
//! ```
//! - All apps share one thread per core ([`ServingThreads`]). On each, an app has a listening socket, connections to workers
//!   and counts of its own: on the way of a request there is no lock and no hand-over to another thread or task.
//! - A request goes to the worker with the fewest in flight, or to the instance that its `ARRAffinity` cookie names.
//! - A request that has not reached a worker tries the others, then waits for one. One that may have is not sent again, except
//!   a GET or HEAD whose worker died before it answered (see the module `retries`).
//! - What auto-heal's rules go by is counted beside: for each worker, the requests that match a list of watches.
//! - 1xx answers other than 100 and 101 (such as 103 Early Hints) are not passed on, since hyper's server cannot send them;
//!   `Expect: 100-continue` is answered here, when a worker begins to read the body.
//! - A client that closes its sending side before it has its answer counts as gone away, as it does with nginx.
//! - `CONNECT`, `TRACE`, HTTP/2 by `Upgrade`, and transfer codings other than `chunked` are refused or, for the upgrade, left
//!   out.

mod affinity;
mod answers;
mod body;
mod client;
mod connection;
mod door;
mod flight;
mod headers;
mod listen;
mod minutes;
mod pulse;
mod retries;
mod serve;
mod serving;
mod settings;
mod table;
mod tallies;
mod thread;
mod toll;
mod tunnel;
mod worker;
mod worker_connection;
mod worker_socket;

pub use door::FrontDoor;
pub use serving::ServingThreads;
pub use settings::{BindError, Death, DeathToll, FrontDoorSettings, Limits, Scheme, StartError, Target};
