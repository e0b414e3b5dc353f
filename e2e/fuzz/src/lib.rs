//! Properties of all inputs to the reader, the editor, the fixer and the module, as functions that panic if one fails.
//!
//! | target | input | property |
//! |---|---|---|
//! | `reader` | any bytes | [`checks::reader`]: values have correct spans |
//! | `editor` | a text, a zero byte, choices | [`checks::editor`]: an edit changes the text like the value, and nothing else |
//! | `fixer` | a text, a zero byte, choices | [`checks::fixer`]: a second run changes nothing |
//! | `module` | a request and answers of the host, zero bytes between | [`checks::module`]: every input gets an answer |

pub mod checks;
