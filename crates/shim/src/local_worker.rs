//! What a worker is called on its own machine.

use std::fmt;
use std::str::FromStr;

use model::{AppName, NameError, NodeName, Place, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// A worker without its node, which for a shim is always the same. Shims outlive upgrades: the text stays what it was before
/// workers were named with their nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalWorker {
    pub app: AppName,
    /// The instance's number.
    pub instance: u16,
    /// When its start was decided.
    pub started_at: Timestamp,
}

impl LocalWorker {
    /// The same worker, on this machine.
    pub fn on(self, node: NodeName) -> WorkerId {
        let Self { app, instance, started_at } = self;
        WorkerId { place: Place { node, app, instance }, started_at }
    }
}

impl From<&WorkerId> for LocalWorker {
    fn from(worker: &WorkerId) -> Self {
        let Place { app, instance, .. } = &worker.place;
        Self { app: app.clone(), instance: *instance, started_at: worker.started_at }
    }
}

/// `app/instance/start in ms`.
impl fmt::Display for LocalWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.app, self.instance, self.started_at.as_ms())
    }
}

impl FromStr for LocalWorker {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Worker(model::text::seen(text).chars().take(80).collect());
        let mut parts = text.splitn(3, '/');
        let app = parts.next().ok_or_else(refused)?.parse()?;
        let instance = parts.next().and_then(|part| part.parse().ok()).ok_or_else(refused)?;
        let ms = parts.next().and_then(|part| part.parse().ok()).ok_or_else(refused)?;
        Ok(Self { app, instance, started_at: Timestamp::from_ms(ms) })
    }
}

impl TryFrom<String> for LocalWorker {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LocalWorker> for String {
    fn from(worker: LocalWorker) -> String {
        worker.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_shims_of_the_first_release_say_and_hear() {
        let local: LocalWorker = serde_json::from_str(r#""shop/1/1769847300000""#).unwrap();
        assert_eq!(local.to_string(), "shop/1/1769847300000");
        let worker = local.clone().on("web-1".parse().unwrap());
        assert_eq!(worker.to_string(), "web-1/shop/1/1769847300000");
        assert_eq!(LocalWorker::from(&worker), local);
        for bad in ["shop/1", "shop/x/1", "web-1/shop/1/1769847300000", ""] {
            assert!(bad.parse::<LocalWorker>().is_err(), "{bad}");
        }
    }
}
