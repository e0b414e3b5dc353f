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
}
#[cfg(feature = "text")]
pub use command::{fixer, linter, manifest};

/// The part of the command line that the linter speaks of.
#[cfg(feature = "text")]
pub mod cli {
    /// How grave a finding is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Level {
        /// Something to know.
        Warning,
        /// Something that must not be.
        Error,
    }
}

/// Files, of which there are none here: texts are at hand.
#[cfg(feature = "text")]
pub mod input {
    use crate::manifest::ReadError;

    /// Files that are patches: a text is none.
    #[derive(Debug, Default)]
    pub struct Patches {}

    impl Patches {
        /// Whether it is one.
        pub fn contains(&self, _: &std::path::Path) -> bool {
            false
        }
    }

    /// A text.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Source(String);

    impl Source {
        /// How reports call it.
        pub fn name(&self) -> String {
            "text".to_owned()
        }

        /// Where it is.
        pub fn path(&self) -> Option<&std::path::Path> {
            None
        }

        /// What says where its text comes from.
        pub fn rendered(&self, _: &str) -> Option<()> {
            None
        }

        /// Its text.
        pub fn read(&self) -> Result<String, ReadError> {
            Ok(self.0.clone())
        }
    }

    /// A file that cannot be read.
    #[derive(Clone, Debug)]
    pub struct MissingInput {
        /// How reports call it.
        pub name: String,
        /// Why not.
        pub error: ReadError,
    }
}
