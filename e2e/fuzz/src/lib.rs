//! What has to hold for whatever is read, edited, mended or judged, as functions that panic where it does not.
//!
//! | target | its input | what has to hold |
//! |---|---|---|
//! | `reader` | any bytes | [`checks::reader`]: text becomes values that know their places |
//! | `editor` | a text, a zero byte, choices | [`checks::editor`]: a text is edited like its value, and nothing else changes |
//! | `fixer` | a text, a zero byte, choices | [`checks::fixer`]: what is mended stays mended |
//! | `module` | a request and answers of the host, zero bytes between | [`checks::module`]: any bytes get an answer |
//!
//! The command's own files are compiled in without the rest of the command: its WebAssembly runtime is not what is
//! fuzzed, and takes minutes to build.

pub mod checks;

#[cfg(feature = "text")]
#[path = "../../../src"]
mod command {
    pub mod fixer;
    pub mod linter;
    pub mod manifest;
    pub(crate) mod parallel;
    pub mod prefilter;
}
#[cfg(feature = "text")]
pub(crate) use command::parallel;
#[cfg(feature = "text")]
pub use command::{fixer, linter, manifest, prefilter};

/// Files, of which there are none here: texts are at hand.
#[cfg(feature = "text")]
pub mod input {
    /// A text.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Source(String);

    impl Source {
        /// What says where its text comes from.
        pub fn rendered(&self, _: &str) -> Option<()> {
            None
        }
    }
}
