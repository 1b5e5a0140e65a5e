//! What goes on for as long as Medic does, in spite of a panic: said, and begun again.

use std::time::Duration;

use tokio::task::JoinSet;

/// A pause before it is begun again: a panic that comes back at once must not fill the log.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs what `begin` makes until it ends by itself. It is stopped by dropping this, too.
pub async fn outlive<Work>(what: &str, begin: impl Fn() -> Work)
where
    Work: Future<Output = ()> + Send + 'static,
{
    outlive_with(what, PAUSE, begin).await;
}

async fn outlive_with<Work>(what: &str, pause: Duration, begin: impl Fn() -> Work)
where
    Work: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    loop {
        running.spawn(begin());
        match running.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(
                    "{what} failed unexpectedly and starts again in {} s: {error}",
                    pause.as_secs()
                );
                tokio::time::sleep(pause).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_panics_is_begun_again_until_it_ends_by_itself() {
        let times = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&times);
        let begin = move || {
            let time = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(time >= 2, "it panics on purpose") }
        };
        outlive_with("the test", Duration::from_millis(1), begin).await;
        assert_eq!(times.load(Ordering::SeqCst), 3);
    }
}
