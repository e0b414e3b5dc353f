//! Imports and producers of a Wasm binary.

use std::collections::BTreeSet;

use serde::Serialize;
use wasmparser::{BinaryReaderError, KnownCustom, Parser, Payload, ProducersSectionReader};

/// The imports of a module, and the tools that built it.
#[derive(Debug, Default, Serialize)]
pub struct Wasm {
    /// The functions that its host must provide, as `MODULE.NAME`.
    pub imports: BTreeSet<String>,
    /// Languages, compilers and tools, with their versions.
    pub producers: BTreeSet<String>,
}

impl Wasm {
    /// Reads a module without compiling it.
    ///
    /// # Errors
    /// The parser's error if the bytes are not a module.
    pub fn read(module: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut wasm = Wasm::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        wasm.imports.insert(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(producers) = section.as_known() {
                        wasm.producers.extend(names(producers)?);
                    }
                }
                _ => {}
            }
        }
        Ok(wasm)
    }
}

/// <https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md>
fn names(producers: ProducersSectionReader<'_>) -> Result<Vec<String>, BinaryReaderError> {
    let mut names = Vec::new();
    for field in producers {
        for value in field?.values {
            let value = value?;
            names.push(format!("{} {}", value.name, value.version).trim_end().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_and_producers_are_read() {
        let source = r#"(module
            (import "wapc" "__guest_request" (func (param i32 i32)))
            (import "env" "memory" (memory 1))
            (@producers (language "Rust" "") (processed-by "rustc" "1.95.0")))"#;
        let wasm = Wasm::read(&wat::parse_str(source).unwrap()).unwrap();
        assert_eq!(wasm.imports.iter().collect::<Vec<_>>(), ["env.memory", "wapc.__guest_request"]);
        assert_eq!(wasm.producers.iter().collect::<Vec<_>>(), ["Rust", "rustc 1.95.0"]);
        assert!(Wasm::read(b"#!/bin/sh").is_err());
    }
}
