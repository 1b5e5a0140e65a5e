//! One connection, from accept to close.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;

use super::io::{AnswerBody, ClientIo, RequestBody};
use super::limits::{HEAD_BYTES, LINGER, LINGER_BYTES, Limits};
use super::progress::Progress;
use crate::access::Caller;

/// What every connection of a listening socket is served with.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) shut_down: watch::Receiver<bool>,
}

/// Answers what comes over `socket` until either side has had enough.
pub(super) async fn converse<S>(socket: S, caller: Caller, progress: Arc<Progress>, mut serving: Serving)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (caller, router) = (Arc::new(caller), TowerToHyperService::new(serving.router));
    let noted = Arc::clone(&progress);
    let service = service_fn(move |request: Request<Incoming>| {
        Box::pin(answer(router.clone(), Arc::clone(&caller), Arc::clone(&noted), request))
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_header_size(HEAD_BYTES).max_buf_size(HEAD_BYTES);
    let mut connection = http.serve_connection(ClientIo::new(socket, Arc::clone(&progress)), service);
    let overdue = overdue(&progress, &serving.limits);
    tokio::pin!(overdue);
    let stopping = super::stopping(&mut serving.shut_down);
    tokio::pin!(stopping);
    let mut is_told = false;
    loop {
        tokio::select! {
            // an error is the client's, and it has gone or was told
            _ended = &mut connection => break,
            () = &mut overdue => return,
            () = &mut stopping, if !is_told => {
                is_told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    let mut rest = connection.into_parts().io.into_socket().take(LINGER_BYTES);
    let _still_sending =
        tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

async fn answer(
    router: TowerToHyperService<Router>,
    caller: Arc<Caller>,
    progress: Arc<Progress>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let mut request = request.map(|body| Body::new(RequestBody::new(body, Arc::clone(&progress))));
    request.extensions_mut().insert(caller);
    let response = router.call(request).await?;
    Ok(response.map(|body| AnswerBody::new(body, progress)))
}

/// Ends when the client has used up its time.
async fn overdue(progress: &Progress, limits: &Limits) {
    loop {
        let left = progress.left(limits);
        if left.is_some_and(|left| left.is_zero()) {
            return;
        }
        tokio::time::sleep(left.unwrap_or(limits.look).min(limits.look)).await;
    }
}
