//! One file for each target, and what they share.

#[cfg(feature = "text")]
pub mod editor;
#[cfg(feature = "text")]
pub mod fixer;
#[cfg(feature = "module")]
mod host;
#[cfg(feature = "module")]
pub mod module;
#[cfg(feature = "module")]
pub mod mutation;
#[cfg(feature = "text")]
pub mod reader;
#[cfg(feature = "text")]
mod text;
