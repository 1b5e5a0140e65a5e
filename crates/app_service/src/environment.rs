//! The variables of a worker's and an app's environment that App Service names.

/// In a worker's environment: the port on the loopback address that it must listen on.
pub const PORT: &str = "PORT";
/// In a worker's environment: the app's name.
pub const SITE_NAME: &str = "WEBSITE_SITE_NAME";
/// In a worker's environment: 64 hexadecimal digits, the same for the same node, app and instance.
pub const INSTANCE_ID: &str = "WEBSITE_INSTANCE_ID";
/// In an app's environment: the path that a new worker is asked for until it is warm.
pub const WARM_UP_PATH: &str = "WEBSITE_WARMUP_PATH";
/// In an app's environment: the statuses that say that it is.
pub const WARM_UP_STATUSES: &str = "WEBSITE_WARMUP_STATUSES";
/// In an app's environment: the seconds that a new worker may take until then.
pub const START_TIME_LIMIT: &str = "WEBSITES_CONTAINER_START_TIME_LIMIT";
