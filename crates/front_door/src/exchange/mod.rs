//! One request and its answer, without a socket: which worker gets it, what is changed on its way, whether it may be tried again,
//! and when it is counted.

pub(crate) mod affinity;
pub(crate) mod answers;
pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod client_timeouts;
pub(crate) mod event_stream;
pub(crate) mod fault;
pub(crate) mod flight;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod idle_order;
pub(crate) mod method_name;
pub(crate) mod peer;
pub(crate) mod retries;
pub(crate) mod router;
pub(crate) mod session_cookie;
pub(crate) mod table;
pub(crate) mod upstream;
pub(crate) mod wait;
