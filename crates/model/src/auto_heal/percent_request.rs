//! The rule Percent request as data: its numbers, which are App Service's.

use std::time::Duration;

/// Slow is this long or longer.
pub const SLOW: Duration = Duration::from_secs(200);

/// This share or more must be slow.
pub const SHARE_PERCENT: u64 = 80;

/// This many or more must be slow.
pub const LEAST: u64 = 5;

/// Within this long.
pub const WINDOW: Duration = Duration::from_mins(2);
