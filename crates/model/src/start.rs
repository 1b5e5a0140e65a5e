//! What is seen of a worker that is not ready yet.

use serde::{Deserialize, Serialize};

/// A start that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starting {
    /// How long it may take.
    pub limit_ms: u64,
    /// Absent in the first moments.
    pub seen: Option<StartSeen>,
}

/// What the worker is doing, as far as can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSeen {
    pub readiness: Readiness,
    /// It and what it started use a processor, or do next to nothing.
    pub is_busy: bool,
}

/// Why a program could not start, by the last known phrase of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StartFault {
    AddressInUse,
    PermissionDenied,
    FileNotFound,
    /// A part of the program: a module, a class, a library.
    ModuleNotFound,
    /// A shell did not find what it was to run.
    CommandNotFound,
    /// By something that the program needs.
    ConnectionRefused,
    HostNotFound,
}

/// What the readiness check finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Readiness {
    /// Nobody listens on the port.
    NotListening,
    /// Nobody listens on the port, and the worker listens on others.
    Elsewhere { ports: Vec<u16> },
    /// Nobody listens on the port, nor does the worker on any other; it listens on a Unix socket.
    UnixSocket,
    /// A connection is taken, and no response comes.
    NoResponse,
    /// What comes is no HTTP response.
    NotHttp,
    /// A response with a status that does not count as ready.
    Status { status: u16 },
}
