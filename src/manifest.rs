//! Reads YAML and JSON manifests into JSON values with locations, and edits their text.
//!
//! Values are the ones that `kubectl` would send. `kubectl` uses `sigs.k8s.io/yaml`, which reads YAML 1.1 with
//! goyaml.v2 and converts the result to JSON (`on` is `true`, `0644` is `420`, `1e3` is `1000`). This reader is
//! stricter in one case: a duplicate key in a mapping is an error, because Kubernetes silently drops one of the two
//! values.
//!
//! The rest of the program uses JSON Pointers. [`Document::locate`] converts a pointer to a byte range, and [`Lines`]
//! converts bytes to lines and columns. Nothing here reads files or starts threads.
//!
//! | file | contents |
//! |---|---|
//! | `split` | the byte range of each document |
//! | `classify` | the kind of a document, found without parsing it |
//! | `compose`, `builder` | parser events -> value and spans; `stack` has the open collections, `anchor` and `merge` expand aliases and merge keys, `key` converts keys to strings |
//! | `scalar`, `number`, `tag` | the type and value of a scalar |
//! | `spans` | the byte range of each value; `comments` the byte range of each comment |
//! | `edit` | edits that keep the rest of the text |
//! | `syntax_error`, `read_error`, `template` | errors and their messages |
//! | `position` | bytes -> lines and columns |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::print_stderr,
        reason = "a panic fails the test"
    )
)]

mod anchor;
mod builder;
mod classify;
mod comments;
mod compose;
mod document;
mod edit;
mod key;
mod merge;
mod number;
mod position;
mod read_error;
mod scalar;
mod spans;
mod split;
mod stack;
mod syntax_error;
mod tag;
mod template;

#[cfg(test)]
mod tests;

pub use classify::{DocumentKind, classify};
pub use comments::comments;
pub use document::{Document, read, read_span};
pub use edit::{EditError, edit, yaml};
pub use position::{BYTE_ORDER_MARK, Lines, Position};
pub use read_error::{ReadError, decode};
pub use split::{DocumentSpans, document_spans};
