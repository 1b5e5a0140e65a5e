//! The detectors. Each is one file, and one row here.

pub mod application_crashes;
pub mod memory_analysis;
pub mod process_full_list;
pub mod web_app_restarted;

use crate::detector::Detector;

/// Every detector, in the order of the navigation.
pub static DETECTORS: [&Detector; 4] = [
    &memory_analysis::DETECTOR,
    &web_app_restarted::DETECTOR,
    &application_crashes::DETECTOR,
    &process_full_list::DETECTOR,
];

/// The detector of that id.
pub fn detector(id: &str) -> Option<&'static Detector> {
    DETECTORS.into_iter().find(|detector| detector.id == id)
}

#[cfg(test)]
pub(crate) mod tests;
