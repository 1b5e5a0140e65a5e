//! How long a request looks for a worker that takes it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

use super::affinity::Affinity;
use super::answers::Refusal;
use super::app::App;
use super::router::Router;
use crate::accounting::worker::Worker;

/// Workers that have refused a waiting request are asked again after this long.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// One request's wait for a worker. Costs nothing until it has to wait.
pub(crate) struct WorkerWait<'a> {
    app: &'a App,
    timeout: Option<Pin<Box<Sleep>>>,
    queued: bool,
}

impl<'a> WorkerWait<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        Self { app, timeout: None, queued: false }
    }

    /// `work`, or 503 when the time is over before it.
    pub(crate) async fn bounded<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.timeout() => Err(Refusal::Unavailable),
        }
    }

    /// Waits until another worker takes requests, or those that refused may have changed their mind.
    pub(crate) async fn next_chance(
        &mut self,
        router: &Router,
        wanted: Option<Affinity>,
        refused: &[Arc<Worker>],
    ) -> Result<(), Refusal> {
        self.enter_queue()?;
        let mut changed = std::pin::pin!(self.app.table_changed.notified());
        changed.as_mut().enable();
        if router.choose(wanted, refused).is_some() {
            return Ok(());
        }
        let again = async {
            if refused.is_empty() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        let chance = async {
            tokio::select! {
                () = changed => {}
                () = again => {}
            }
        };
        self.bounded(chance).await
    }

    fn timeout(&mut self) -> Pin<&mut Sleep> {
        self.timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.app.wait()))).as_mut()
    }

    fn enter_queue(&mut self) -> Result<(), Refusal> {
        self.queued = self.queued || self.app.enter_queue();
        if self.queued { Ok(()) } else { Err(Refusal::Unavailable) }
    }
}

impl Drop for WorkerWait<'_> {
    fn drop(&mut self) {
        if self.queued {
            self.app.leave_queue();
        }
    }
}
