//! The reverse proxy of one app: choosing, draining, counting.

mod door;
mod settings;

pub use door::FrontDoor;
pub use settings::{BindError, DeathToll, FrontDoorSettings, Limits, Scheme, Target};
