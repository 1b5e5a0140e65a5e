//! One request and its answer: what is decided about it, without a socket.

pub(crate) mod method_name;
