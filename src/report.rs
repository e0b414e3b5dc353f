//! What a report looks like: one file for each format.

pub mod explanation;
pub mod human;
pub mod json;
pub mod place;
