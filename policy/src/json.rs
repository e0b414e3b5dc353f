//! JSON values: reading text, walking a value, editing it.

pub mod cursor;
pub mod edit;
pub mod field_mask;
pub mod parse;
