//! Anchors and aliases. JSON has no aliases, so each alias becomes a copy of the anchored value. A budget limits the
//! copies, because copies of copies grow exponentially.

use std::collections::HashMap;

use serde_json::Value;

use super::spans::NodeId;
use super::syntax_error::{MAX_DEPTH, SyntaxErrorKind};

/// The number of values that a document's anchors and aliases can copy; each 16 bytes of text count as one value.
/// goyaml.v2 also stops at about 400,000 values (`alias_ratio_range_low` in its `decode.go`).
const BUDGET: usize = 400_000;

/// The anchors of a document read so far, by the parser's anchor number.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// `None` while the anchored collection is still being read.
    known: HashMap<usize, Option<Anchored>>,
    copied: usize,
}

#[derive(Debug)]
struct Anchored {
    value: Value,
    node: NodeId,
    size: Size,
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    weight: usize,
    depth: usize,
}

impl Anchors {
    /// Registers an anchored collection that begins here.
    pub(super) fn open(&mut self, anchor: usize) {
        self.known.insert(anchor, None);
    }

    /// Registers a complete anchored value.
    pub(super) fn define(&mut self, anchor: usize, value: &Value, node: NodeId) -> Result<(), SyntaxErrorKind> {
        let size = measure(value);
        self.spend(size)?;
        self.known.insert(anchor, Some(Anchored { value: value.clone(), node, size }));
        Ok(())
    }

    /// Returns a copy of the anchored value and its node. `depth` is the depth of the alias.
    pub(super) fn expand(&mut self, anchor: usize, depth: usize) -> Result<(Value, NodeId), SyntaxErrorKind> {
        let size = self.anchored(anchor)?.size;
        if depth + size.depth > MAX_DEPTH {
            return Err(SyntaxErrorKind::TooDeep);
        }
        self.spend(size)?;
        self.anchored(anchor).map(|anchored| (anchored.value.clone(), anchored.node))
    }

    fn anchored(&self, anchor: usize) -> Result<&Anchored, SyntaxErrorKind> {
        self.known.get(&anchor).and_then(Option::as_ref).ok_or(SyntaxErrorKind::RecursiveAlias)
    }

    fn spend(&mut self, size: Size) -> Result<(), SyntaxErrorKind> {
        self.copied = self.copied.saturating_add(size.weight);
        if self.copied > BUDGET { Err(SyntaxErrorKind::AliasExpansion) } else { Ok(()) }
    }
}

/// Recursion is safe, because no value is deeper than [`MAX_DEPTH`].
fn measure(value: &Value) -> Size {
    let text = |text: &str| text.len() / 16;
    let children = match value {
        Value::String(string) => return Size { weight: 1 + text(string), depth: 0 },
        Value::Array(items) => items.iter().map(measure).fold(Size::default(), Size::beside),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| Size { weight: text(key), depth: 0 }.beside(measure(value)))
            .fold(Size::default(), Size::beside),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Size { weight: 1, depth: 0 },
    };
    Size { weight: children.weight + 1, depth: children.depth + 1 }
}

impl Size {
    fn beside(self, other: Self) -> Self {
        Self { weight: self.weight + other.weight, depth: self.depth.max(other.depth) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Anchors, BUDGET, MAX_DEPTH, SyntaxErrorKind, measure};

    #[test]
    fn size_counts_values_text_and_depth() {
        let size = measure(&json!({"a": [1, {"b": null}], "c": "x".repeat(32)}));
        assert_eq!((size.weight, size.depth), (8, 3));
    }

    #[test]
    fn an_alias_inside_its_own_anchor_is_an_error() {
        let mut anchors = Anchors::default();
        anchors.open(1);
        assert_eq!(anchors.expand(1, 0), Err(SyntaxErrorKind::RecursiveAlias));
        anchors.define(1, &json!("x"), 7).unwrap();
        assert_eq!(anchors.expand(1, 0), Ok((json!("x"), 7)));
    }

    #[test]
    fn copies_are_limited_in_size_and_depth() {
        let mut anchors = Anchors::default();
        anchors.define(1, &json!(vec![0; BUDGET / 2 - 1]), 0).unwrap();
        assert_eq!(anchors.expand(1, MAX_DEPTH), Err(SyntaxErrorKind::TooDeep));
        assert!(anchors.expand(1, 0).is_ok());
        assert_eq!(anchors.expand(1, 0), Err(SyntaxErrorKind::AliasExpansion));
    }
}
