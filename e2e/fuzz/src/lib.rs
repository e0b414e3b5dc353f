//! Properties of all inputs to the reader, the editor, the fixer and the module, as functions that panic if one fails.
//!
//! | target | input | property |
//! |---|---|---|
//! | `reader` | any bytes | [`checks::reader`]: values have correct spans |
//! | `editor` | a text, a zero byte, choices | [`checks::editor`]: an edit changes the text like the value, and nothing else |
//! | `fixer` | a text, a zero byte, choices | [`checks::fixer`]: a second run changes nothing |
//! | `module` | a request and answers of the host, zero bytes between | [`checks::module`]: every input gets an answer |
//!
//! The crate compiles the command's files that it tests, without the WebAssembly runtime, which takes minutes to build.

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
