//! What pages are made of. Every name that comes from a process is hostile: it reaches a page as a text node only.

pub(crate) mod alerts;
pub(crate) mod amount;
pub(crate) mod chart;
pub(crate) mod columns;
pub(crate) mod evidence;
pub(crate) mod figure;
pub(crate) mod frame;
pub(crate) mod icon;
pub(crate) mod in_flight;
pub(crate) mod insight;
pub(crate) mod instances;
pub(crate) mod line_chart;
pub(crate) mod line_plot;
pub(crate) mod link;
pub(crate) mod markup;
pub(crate) mod outcome;
pub(crate) mod plot;
pub(crate) mod problems;
pub(crate) mod range;
pub(crate) mod readings;
pub(crate) mod search;
pub(crate) mod stack;
pub(crate) mod table;
pub(crate) mod verdict;
pub(crate) mod when;
