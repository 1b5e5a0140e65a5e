//! What is wrong with an answer that a worker gave: what its client is told, and what the log says, once for each worker.

use crate::accounting::worker::Worker;

/// The most that an answer's head may have: hyper's own limit of headers, and the buffer of a worker's connection.
pub(crate) const HEAD_LIMIT: &str = "128 KiB and 100 headers";

/// A mistake in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// It is no HTTP/1.1 or 1.0, or its length makes no sense.
    NotHttp,
    /// Its head is larger than [`HEAD_LIMIT`].
    TooLarge,
    /// It has a transfer coding besides `chunked`.
    TransferCoding,
    /// It changes to a protocol that the client did not ask for.
    Protocol,
    /// It has a `Content-Length` and is chunked. It is passed on without the first, which might be wrong.
    TwoLengths,
}

impl Fault {
    /// What the client gets.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Self::NotHttp | Self::TwoLengths => {
                "502 Bad Gateway\nThe app sent a response that is not valid HTTP.\n"
            }
            Self::TooLarge => "502 Bad Gateway\nThe app sent a response whose headers are too large.\n",
            Self::TransferCoding => {
                "502 Bad Gateway\nThe app sent a response with an unsupported transfer coding.\n"
            }
            Self::Protocol => {
                "502 Bad Gateway\nThe app switched to a protocol that the request did not ask for.\n"
            }
        }
    }

    /// Logs it the first time that `worker` does it. Nothing of the answer is logged: it may be private.
    pub(crate) fn log(self, worker: &Worker) {
        if !worker.logs_first(1 << self as u8) {
            return;
        }
        let worker = &worker.id;
        match self {
            Self::NotHttp => tracing::warn!(
                %worker,
                "the worker sent a response that is not valid HTTP, answered with 502; make the app speak HTTP/1.1 on $PORT"
            ),
            Self::TooLarge => tracing::warn!(
                %worker,
                "the worker sent response headers that are too large, answered with 502; the limit is {HEAD_LIMIT}"
            ),
            Self::TransferCoding => tracing::warn!(
                %worker,
                "the worker sent a response with an unsupported transfer coding, answered with 502; only chunked is supported"
            ),
            Self::Protocol => tracing::warn!(
                %worker,
                "the worker switched to a protocol that the request did not ask for, answered with 502"
            ),
            Self::TwoLengths => tracing::warn!(
                %worker,
                "the worker sent a response with both Content-Length and Transfer-Encoding; Content-Length was ignored"
            ),
        }
    }
}
