//! Manifests as text: YAML and JSON in, JSON values and places in the text out.
//!
//! Values are what `kubectl` would send: it hands YAML to `sigs.k8s.io/yaml`, which reads YAML 1.1 with goyaml.v2 and turns the
//! outcome into JSON (`on` is `true`, `0644` is `420`, `1e3` is `1000`). One thing is stricter: a key that stands twice in a mapping
//! is a problem, because one of the two would be lost without a word.
//!
//! Everything else in the program speaks of JSON Pointers; [`Document::locate`] turns them into bytes, [`Lines`] bytes into lines
//! and columns.
//!
//! | file | holds |
//! |---|---|
//! | `split` | where documents begin and end |
//! | `glance` | what a document is, as far as its text shows |
//! | `compose`, `builder` | parser events -> value and places; `frame` its open collections, `anchor` and `merge` what YAML repeats, `key` what a key becomes |
//! | `scalar`, `number`, `tag` | what a scalar means |
//! | `spans` | where a pointer's target stands; `comments` where comments stand |
//! | `edit` | changes of the text that change nothing else |
//! | `fault`, `problem`, `template` | what is wrong, and how to say it |
//! | `position` | bytes -> lines and columns |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::print_stderr,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

mod anchor;
mod builder;
mod comments;
mod compose;
mod document;
mod edit;
mod fault;
mod frame;
mod glance;
mod key;
mod merge;
mod number;
mod position;
mod problem;
mod scalar;
mod spans;
mod split;
mod tag;
mod template;

#[cfg(test)]
mod tests;

pub use comments::comments;
pub use document::{Document, read, read_chunk};
pub use edit::{Refusal, edit, yaml};
pub use glance::{Glance, glance};
pub use position::{BYTE_ORDER_MARK, Lines, Position};
pub use problem::{Problem, decode};
pub use split::{Chunks, chunks};
