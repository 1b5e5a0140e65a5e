//! Azure's shapes: a pure translation between them and what Medic means. No other crate knows Azure's formats.

pub mod arm;
pub mod environment;
pub mod settings;
pub mod web_config;
