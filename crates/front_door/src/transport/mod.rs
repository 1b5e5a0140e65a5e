//! Sockets and tasks: clients, connections to workers, the bytes between them, and how many connections there may be.
//!
//! ```text
//!  serving_threads ──▶ app_task (accepts, executes its handle's commands) ──▶ client_connection ──▶ relay ──▶ answer_body, tunnel
//!        │                                                                              │
//!        ▼                                                                              ▼
//!  serving_thread (makes room) ◀─────────────────────────── app_thread ──▶ pool ──▶ worker_connection
//! ```

pub(crate) mod answer_body;
pub(crate) mod app_connections;
pub(crate) mod app_task;
pub(crate) mod app_thread;
pub(crate) mod client_connection;
pub(crate) mod client_socket;
pub(crate) mod connection_limit;
pub(crate) mod idle_clients;
pub(crate) mod listen;
pub(crate) mod pool;
pub(crate) mod relay;
pub(crate) mod request_body;
pub(crate) mod serving_thread;
pub(crate) mod serving_threads;
pub(crate) mod tunnel;
pub(crate) mod worker_connection;
pub(crate) mod worker_socket;
