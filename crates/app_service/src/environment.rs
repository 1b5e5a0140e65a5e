//! The variables of a worker's and an app's environment that App Service names.

/// In a worker's environment: the port on the loopback address that it must listen on.
pub const PORT: &str = "PORT";
/// In a worker's environment: the app's name.
pub const SITE_NAME: &str = "WEBSITE_SITE_NAME";
/// In a worker's environment: 64 hexadecimal digits, the same for the same node, app and instance.
pub const INSTANCE_ID: &str = "WEBSITE_INSTANCE_ID";
/// In an app's environment: which commit, version or image it is, as platforms and people call that, the most telling first. App
/// Service's own is among them.
pub const REVISIONS: &[&str] = &[
    "GIT_COMMIT",
    "GIT_SHA",
    "GIT_REVISION",
    "COMMIT_SHA",
    "SOURCE_VERSION",
    "SOURCE_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "SCM_COMMIT_ID",
    "KAMAL_VERSION",
    "SENTRY_RELEASE",
    "DD_VERSION",
    "APP_VERSION",
    "IMAGE",
    "DOCKER_IMAGE",
    "IMAGE_TAG",
];

/// In an app's environment: the path that a new worker is asked for until it is warm.
pub const WARM_UP_PATH: &str = "WEBSITE_WARMUP_PATH";
/// In an app's environment: the statuses that say that it is.
pub const WARM_UP_STATUSES: &str = "WEBSITE_WARMUP_STATUSES";
/// In an app's environment: the seconds that a new worker may take until then.
pub const START_TIME_LIMIT: &str = "WEBSITES_CONTAINER_START_TIME_LIMIT";
