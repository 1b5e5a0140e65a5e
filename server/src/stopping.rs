//! How Medic is asked to stop, and how long anything may be waited for then.
//!
//! ```text
//!  Serving ── SIGTERM, SIGINT, SIGUSR1 ──▶ Stopping ── a second one ──▶ Hastened
//! ```
//! Every wait at the end goes through [`Stop::wait`] or [`Stop::over`]: it has a bound of its own, and the second signal cuts it
//! short, wherever it is.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// How long anything is still waited for after the second signal. What was killed has its time to end and to be written down.
const HASTENED_LIMIT: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Stopping,
    Hastened,
}

/// Who says that Medic stops.
pub struct Stopper(watch::Sender<Phase>);

/// Who is told.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Phase>);

/// Both, of a Medic that serves.
pub fn channel() -> (Stopper, Stop) {
    let (say, hear) = watch::channel(Phase::Serving);
    (Stopper(say), Stop(hear))
}

impl Stopper {
    /// Stop; said again, faster.
    pub fn stop(&self) {
        self.0.send_modify(|phase| {
            *phase = if *phase == Phase::Serving { Phase::Stopping } else { Phase::Hastened };
        });
    }
}

impl Stop {
    /// Whether Medic was asked to stop.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() >= Phase::Stopping
    }

    /// Ends when Medic is asked to stop faster.
    pub async fn hastened(&self) {
        self.reached(Phase::Hastened).await;
    }

    /// Ends `limit` after Medic was asked to stop, and at once when it is to be faster.
    pub async fn over(&self, limit: Duration) {
        self.reached(Phase::Stopping).await;
        let _either = tokio::time::timeout(limit, self.hastened()).await;
    }

    /// What `waited` comes to. `None`, with a word in the log, when Medic was asked to stop and that takes longer than `limit`,
    /// or longer than three seconds once it is to be faster. While Medic serves there is no limit.
    pub async fn wait<T>(&self, what: &str, limit: Duration, waited: impl Future<Output = T>) -> Option<T> {
        let hastened = async {
            self.hastened().await;
            sleep(HASTENED_LIMIT).await;
        };
        let out_of_time = async {
            self.reached(Phase::Stopping).await;
            tokio::select! { () = sleep(limit) => {}, () = hastened => {} }
        };
        tokio::select! {
            biased;
            done = waited => Some(done),
            () = out_of_time => {
                tracing::warn!("shutting down without waiting longer for {what}");
                None
            }
        }
    }

    /// A [`Stopper`] that is gone says nothing more.
    async fn reached(&self, phase: Phase) {
        if self.0.clone().wait_for(|now| *now >= phase).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_wait_ends_by_itself_at_its_limit_or_when_it_is_hastened() {
        let (stopper, stop) = channel();
        assert_eq!(stop.wait("what is done", LONG, async { 7 }).await, Some(7));
        assert!(!stop.has_begun());
        stopper.stop();
        assert!(stop.has_begun());
        assert_eq!(stop.wait("what never ends", SHORT, pending::<()>()).await, None);
        stop.over(SHORT).await;
        let (waited, ()) = tokio::join!(stop.wait("what never ends", LONG, pending::<()>()), async {
            stopper.stop();
        });
        assert_eq!(waited, None);
        stop.over(LONG).await;
    }
}
