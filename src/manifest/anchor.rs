//! Anchors and aliases. JSON has no aliases, so each one becomes a copy, and copies of copies grow without bound: there is a
//! budget.

use std::collections::HashMap;

use serde_json::Value;

use super::fault::{Cause, MAX_DEPTH};
use super::spans::Id;

/// How much a document's anchors and aliases may copy: values, with 16 bytes of text counted as one more. goyaml.v2 stops at about
/// 400,000 values as well (`alias_ratio_range_low` in its `decode.go`).
const BUDGET: usize = 400_000;

/// The anchors of a document that have been seen so far, by the parser's number for them.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// None: the anchored collection is still being read.
    known: HashMap<usize, Option<Anchored>>,
    copied: usize,
}

#[derive(Debug)]
struct Anchored {
    value: Value,
    node: Id,
    size: Size,
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    weight: usize,
    depth: usize,
}

impl Anchors {
    /// An anchored collection begins.
    pub(super) fn open(&mut self, anchor: usize) {
        self.known.insert(anchor, None);
    }

    /// An anchored value is complete.
    pub(super) fn define(&mut self, anchor: usize, value: &Value, node: Id) -> Result<(), Cause> {
        let size = measure(value);
        self.spend(size)?;
        self.known.insert(anchor, Some(Anchored { value: value.clone(), node, size }));
        Ok(())
    }

    /// A copy of what an alias stands for, and where that stands. `depth` is that of the alias.
    pub(super) fn expand(&mut self, anchor: usize, depth: usize) -> Result<(Value, Id), Cause> {
        let size = self.anchored(anchor)?.size;
        if depth + size.depth > MAX_DEPTH {
            return Err(Cause::TooDeep);
        }
        self.spend(size)?;
        self.anchored(anchor).map(|anchored| (anchored.value.clone(), anchored.node))
    }

    fn anchored(&self, anchor: usize) -> Result<&Anchored, Cause> {
        self.known.get(&anchor).and_then(Option::as_ref).ok_or(Cause::RecursiveAlias)
    }

    fn spend(&mut self, size: Size) -> Result<(), Cause> {
        self.copied = self.copied.saturating_add(size.weight);
        if self.copied > BUDGET { Err(Cause::Expansion) } else { Ok(()) }
    }
}

/// Recursion is safe: no value is deeper than [`MAX_DEPTH`].
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

    use super::{Anchors, BUDGET, Cause, MAX_DEPTH, measure};

    #[test]
    fn values_are_weighed() {
        let size = measure(&json!({"a": [1, {"b": null}], "c": "x".repeat(32)}));
        assert_eq!((size.weight, size.depth), (8, 3));
    }

    #[test]
    fn an_open_anchor_cannot_be_copied() {
        let mut anchors = Anchors::default();
        anchors.open(1);
        assert_eq!(anchors.expand(1, 0), Err(Cause::RecursiveAlias));
        anchors.define(1, &json!("x"), 7).unwrap();
        assert_eq!(anchors.expand(1, 0), Ok((json!("x"), 7)));
    }

    #[test]
    fn copies_are_limited_in_size_and_depth() {
        let mut anchors = Anchors::default();
        anchors.define(1, &json!(vec![0; BUDGET / 2 - 1]), 0).unwrap();
        assert_eq!(anchors.expand(1, MAX_DEPTH), Err(Cause::TooDeep));
        assert!(anchors.expand(1, 0).is_ok());
        assert_eq!(anchors.expand(1, 0), Err(Cause::Expansion));
    }
}
