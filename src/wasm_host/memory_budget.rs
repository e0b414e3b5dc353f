//! A limit on the answers to look-ups, so that they fit into the module's memory. The module handles a rejected
//! look-up; it cannot handle an allocation failure, which is a trap.

use sqledge_ha_policy::kubernetes::resources::{LookUp, RESOURCES};

/// The number of equal parts of an instance's memory: one for each kind that a check lists, because the lists are kept
/// until its end, and one for the request.
fn parts() -> usize {
    RESOURCES.iter().filter(|resource| resource.look_up == LookUp::List).count() + 1
}

/// The bytes that are left for the answer to a look-up.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryBudget(usize);

impl MemoryBudget {
    /// No limit.
    pub(super) const UNBOUNDED: MemoryBudget = MemoryBudget(usize::MAX);

    /// The budget for one look-up of an instance with `memory` bytes.
    pub(super) fn new(memory: usize) -> Self {
        MemoryBudget(memory / parts())
    }

    /// Takes what JSON text needs from the budget.
    ///
    /// # Errors
    /// The message for the module if the budget is too small.
    pub(super) fn spend(&mut self, json: &str) -> Result<(), String> {
        self.0 = self.0.checked_sub(estimated_size(json)).ok_or("the answer is too much for the module's memory")?;
        Ok(())
    }
}

/// An upper bound of the module's memory, in bytes, for JSON text and the values that are parsed from it.
///
/// On wasm32 an object starts with a B-tree node of 320 bytes for up to eleven members; each further node has at least
/// five. An array slot is 16 bytes; there can be twice as many slots as items, and three times as many while the array
/// grows. A name or string needs its bytes a second time, and up to 24 for the allocator. Characters in strings count
/// as structure, which can only make the estimate larger.
fn estimated_size(json: &str) -> usize {
    let cost = |byte| match byte {
        b'{' => 336,
        b'[' | b',' | b':' => 64,
        _ => 2,
    };
    json.bytes().map(cost).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_can_be_spent_only_once() {
        let mut budget = MemoryBudget::new(parts() * 1000);
        let object = r#"{"a":"bcd"}"#;
        assert_eq!(estimated_size(object), 336 + 64 + 9 * 2);
        assert!(budget.spend(object).is_ok() && budget.spend(object).is_ok());
        assert!(budget.spend(object).unwrap_err().contains("too much for the module"));
        let mut unbounded = MemoryBudget::UNBOUNDED;
        assert!(unbounded.spend(object).is_ok());
    }
}
