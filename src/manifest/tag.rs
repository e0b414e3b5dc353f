//! Explicit tags: `!!str 5` is text.

use std::borrow::Cow;

use granit_parser::Tag;

use super::scalar::{Scalar, resolve};
use super::syntax_error::SyntaxErrorKind;

const CORE: &str = "tag:yaml.org,2002:";

/// Resolves a tagged scalar, quoted or not, like goyaml.v2's `resolve`. A scalar with a tag that YAML does not define
/// is text, including the single `!`. (goyaml.v2 rejects an invalid `!!timestamp`; here it is text.)
pub(super) fn resolve_tagged<'t>(tag: &Tag, text: Cow<'t, str>) -> Result<(Scalar, Cow<'t, str>), SyntaxErrorKind> {
    let name = tag.suffix_in_namespace(CORE);
    let scalar = match name.as_deref() {
        Some("null") => Some(resolve(&text)).filter(|scalar| matches!(scalar, Scalar::Null)),
        Some("bool") => Some(resolve(&text)).filter(|scalar| matches!(scalar, Scalar::Boolean(_))),
        Some("int") => Some(resolve(&text)).filter(|scalar| matches!(scalar, Scalar::Integer(_) | Scalar::Unsigned(_))),
        Some("float") => match resolve(&text) {
            #[allow(clippy::cast_precision_loss, reason = "the tag requests a float")]
            Scalar::Integer(integer) => Some(Scalar::Float(integer as f64)),
            scalar => Some(scalar).filter(|scalar| matches!(scalar, Scalar::Float(_))),
        },
        Some("binary") => {
            let bytes = decode_base64(&text).ok_or(SyntaxErrorKind::InvalidBase64)?;
            return Ok((Scalar::Text, text_of(&bytes).into()));
        }
        _ => Some(Scalar::Text),
    };
    let scalar = scalar.ok_or_else(|| SyntaxErrorKind::TagMismatch(name.unwrap_or_default().into_owned()))?;
    Ok((scalar, text))
}

/// Whether a tag makes `<<` a merge key; the single `!` does. Without a tag, only a plain `<<` is one.
pub(super) fn is_merge_tag(tag: &Tag) -> bool {
    tag.suffix_in_namespace(CORE).as_deref() == Some("merge") || [tag.handle(), tag.suffix()].concat() == "!"
}

/// Converts bytes to text; each invalid byte becomes U+FFFD, as in Go's JSON.
fn text_of(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |text, chunk| {
        text + chunk.valid() + &"\u{fffd}".repeat(chunk.invalid().len())
    })
}

/// Decodes standard base64 with padding; ignores line breaks, as Go does.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let body = digits.strip_suffix(b"==").or_else(|| digits.strip_suffix(b"=")).unwrap_or(&digits);
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for group in body.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits << 6
                | u32::from(match digit {
                    b'A'..=b'Z' => digit - b'A',
                    b'a'..=b'z' => digit - b'a' + 26,
                    b'0'..=b'9' => digit - b'0' + 52,
                    b'+' => 62,
                    b'/' => 63,
                    _ => return None,
                });
        }
        let [_, first, second, third] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend([first, second, third].into_iter().take(group.len() - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use granit_parser::Tag;

    use super::{decode_base64, resolve_tagged};
    use crate::manifest::{scalar::Scalar, syntax_error::SyntaxErrorKind};

    fn core(name: &str, text: &'static str) -> Result<(Scalar, String), SyntaxErrorKind> {
        resolve_tagged(&Tag::new(super::CORE, name), text.into()).map(|(scalar, text)| (scalar, text.into_owned()))
    }

    #[test]
    fn core_tags_set_the_type() {
        assert_eq!(core("str", "5").unwrap().0, Scalar::Text);
        assert_eq!(core("int", "0x10").unwrap().0, Scalar::Integer(16));
        assert_eq!(core("float", "1").unwrap().0, Scalar::Float(1.0));
        assert_eq!(core("bool", "yes").unwrap().0, Scalar::Boolean(true));
        assert_eq!(core("null", "").unwrap().0, Scalar::Null);
        assert_eq!(core("binary", "aGVs\nbG8=").unwrap(), (Scalar::Text, "hello".into()));
        assert_eq!(core("timestamp", "2019-11-04").unwrap().0, Scalar::Text);
    }

    #[test]
    fn a_scalar_with_another_tag_is_text() {
        assert_eq!(resolve_tagged(&Tag::new("!", "Ref"), "5".into()).unwrap().0, Scalar::Text);
        assert_eq!(resolve_tagged(&Tag::new("", "!"), "5".into()).unwrap().0, Scalar::Text);
    }

    #[test]
    fn a_value_that_does_not_match_its_tag_is_an_error() {
        for (name, text) in [("int", "x"), ("int", ""), ("int", "1.5"), ("bool", "1"), ("null", "x"), ("float", "x")] {
            assert_eq!(core(name, text), Err(SyntaxErrorKind::TagMismatch(name.into())), "!!{name} {text}");
        }
        assert_eq!(core("binary", "%"), Err(SyntaxErrorKind::InvalidBase64));
    }

    #[test]
    fn base64() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm\r\n9v", "foo")]
        {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        for text in ["Z", "Zg", "Zg=", "Z===", "====", "=", "Zg==Zg==", "Z g=", "Zm9*"] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }
}
