//! The `medic` program.

fn main() {}
