//! How long things take, and waiting for them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use model::Clock;
use shim::SystemClock;

/// Runs from its start.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Duration);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(SystemClock.monotonic())
    }

    pub(crate) fn elapsed(self) -> Duration {
        SystemClock.monotonic().saturating_sub(self.0)
    }
}

/// Looks until there is something to see, not so often that it would disturb.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_closely(what, Duration::from_millis(10), look)
}

/// The same with a pause of the caller's choice between two looks.
pub(crate) fn wait_closely<T>(
    what: &str,
    pause: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let waiting = Stopwatch::start();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if waiting.elapsed() > PATIENCE {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        sleep(pause);
    }
}
