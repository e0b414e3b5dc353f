//! The metadata that a module has for Kubewarden: JSON in a custom section of the Wasm binary, as `kwctl annotate`
//! writes it.
//!
//! Two crates compile this file: the build script, which annotates the embedded module, and the library, which reads
//! the metadata.

use serde_json::{Map, Value};

/// The custom section that Kubewarden reads.
pub const SECTION: &str = "io.kubewarden.metadata";

/// The version of the protocol between host and module; `kwctl annotate` asks the module for it.
pub const PROTOCOL_VERSION: &str = "v1";

/// The annotation with the Markdown text that `kwctl inspect` prints.
pub const USAGE: &str = "io.kubewarden.policy.usage";
/// The annotation with the compiler that built the module.
pub const COMPILER: &str = "sqledge-ha/compiler";

/// Why metadata cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes do not start like a binary Wasm module of version 1.
    #[error("not a Wasm module")]
    NotWasm,
    /// A section is longer than the file.
    #[error("the Wasm module is truncated or damaged")]
    Damaged,
    /// There is no metadata section: the module was not annotated.
    #[error("the Wasm module is not annotated: it has no section {SECTION}")]
    Missing,
    /// The section is not JSON.
    #[error("the section {SECTION} is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The description is not YAML.
    #[error("the metadata is not YAML: {0}")]
    NotYaml(String),
    /// Kubewarden could not read the description.
    #[error("Kubewarden cannot read the metadata: {0}")]
    Shape(&'static str),
}

/// Appends metadata to a module. A module that has metadata is returned unchanged.
///
/// `description` is the text of a `metadata.yml`; `more` are further annotations.
///
/// # Errors
/// [`Error::NotWasm`] and [`Error::Damaged`] for the module, [`Error::NotYaml`] and [`Error::Shape`] for the
/// description.
pub fn annotate(wasm: &[u8], description: &str, more: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
    let mut annotated = wasm.to_vec();
    if find(wasm)?.is_none() {
        append(&mut annotated, &describe(description, more)?.to_string());
    }
    Ok(annotated)
}

/// Reads the metadata of a module.
///
/// # Errors
/// [`Error::Missing`] if the module is not annotated, [`Error::NotJson`] if its section is not JSON,
/// [`Error::NotWasm`] and [`Error::Damaged`] if the bytes are not a module.
pub fn read(wasm: &[u8]) -> Result<Value, Error> {
    let section = find(wasm)?.ok_or(Error::Missing)?;
    serde_json::from_slice(section).map_err(Error::NotJson)
}

/// The JSON of the section: the description and what `kwctl annotate` adds.
fn describe(description: &str, more: &[(&str, &str)]) -> Result<Value, Error> {
    let mut members: Map<String, Value> =
        serde_saphyr::from_str(description).map_err(|error| Error::NotYaml(error.to_string()))?;
    let annotations = members.get_mut("annotations").and_then(Value::as_object_mut);
    let annotations = annotations.ok_or(Error::Shape("`annotations` must be a mapping"))?;
    annotations.extend(more.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    if !annotations.values().all(Value::is_string) {
        return Err(Error::Shape("annotations must be strings"));
    }
    members.insert("protocolVersion".to_owned(), Value::from(PROTOCOL_VERSION));
    let mut metadata = Value::Object(members);
    // The order of the keys depends on a feature of serde_json that other crates can turn on.
    metadata.sort_all_objects();
    Ok(metadata)
}

// The part of the Wasm binary format that finding a custom section needs:
// https://webassembly.github.io/spec/core/binary/modules.html

const PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM: u8 = 0;

/// The content of the metadata section.
fn find(wasm: &[u8]) -> Result<Option<&[u8]>, Error> {
    let mut rest = wasm.strip_prefix(PREAMBLE).ok_or(Error::NotWasm)?;
    while let Some((id, after)) = rest.split_first() {
        let (section, after) = sized(after)?;
        rest = after;
        if *id == CUSTOM {
            let (name, content) = sized(section)?;
            if name == SECTION.as_bytes() {
                return Ok(Some(content));
            }
        }
    }
    Ok(None)
}

/// Splits bytes that start with a length into the bytes of that length and the rest.
fn sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let mut length: u64 = 0;
    for (position, byte) in bytes.iter().take(5).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            let (_, rest) = bytes.split_at_checked(position + 1).ok_or(Error::Damaged)?;
            let length = usize::try_from(length).map_err(|_| Error::Damaged)?;
            return rest.split_at_checked(length).ok_or(Error::Damaged);
        }
    }
    Err(Error::Damaged)
}

fn append(wasm: &mut Vec<u8>, content: &str) {
    let mut section = Vec::new();
    push_length(&mut section, SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(content.as_bytes());
    wasm.push(CUSTOM);
    push_length(wasm, section.len());
    wasm.extend_from_slice(&section);
}

/// Writes a length as LEB128: seven bits per byte, the lowest first.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "mutating: true\nannotations: {io.kubewarden.policy.title: sql}\n";

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let wasm = annotate(PREAMBLE, DESCRIPTION, &[(USAGE, &"words ".repeat(100))]).unwrap();
        let metadata = read(&wasm).unwrap();
        assert_eq!(metadata["protocolVersion"], "v1");
        assert_eq!(metadata["mutating"], true);
        assert_eq!(metadata["annotations"]["io.kubewarden.policy.title"], "sql");
        assert_eq!(metadata["annotations"][USAGE].as_str().map(str::len), Some(600));
    }

    #[test]
    fn an_annotated_module_is_not_changed() {
        let wasm = annotate(PREAMBLE, DESCRIPTION, &[(USAGE, "first")]).unwrap();
        assert_eq!(annotate(&wasm, DESCRIPTION, &[(USAGE, "second")]).unwrap(), wasm);
    }

    #[test]
    fn a_truncated_module_is_an_error() {
        let wasm = annotate(PREAMBLE, DESCRIPTION, &[]).unwrap();
        for end in 0..wasm.len() {
            assert!(read(&wasm[..end]).is_err(), "{end}");
        }
        let endless = [PREAMBLE, &[CUSTOM, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        assert!(matches!(read(&endless), Err(Error::Damaged)));
    }

    #[test]
    fn annotations_must_be_strings() {
        let wrong = annotate(PREAMBLE, "annotations: {severity: 1}", &[]);
        assert!(matches!(wrong, Err(Error::Shape("annotations must be strings"))));
        assert!(matches!(annotate(PREAMBLE, "annotations: [", &[]), Err(Error::NotYaml(_))));
    }
}
