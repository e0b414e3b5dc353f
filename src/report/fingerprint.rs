//! The identity of a finding from one run to the next.

use sha2::{Digest, Sha256};

use crate::linter::LocatedFinding;

/// A hash of a finding in the file `path` that does not depend on lines, nor on the object's position in a List.
pub(crate) fn fingerprint(located: &LocatedFinding, path: &str) -> String {
    let (finding, object) = (&located.finding, &located.object);
    let names = [&object.api_version, &object.kind, &object.namespace, &object.name, &finding.missing];
    let names = names.into_iter().map(|part| part.as_deref().unwrap_or_default());
    let mut hash = Sha256::new();
    for part in [finding.rule, path, pointer_in_object(&finding.pointer)].into_iter().chain(names) {
        hash.update(part.len().to_string());
        hash.update(":");
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The part of a pointer inside the object, which can be an item of a List.
fn pointer_in_object(pointer: &str) -> &str {
    let item =
        pointer.strip_prefix("/items/").map(|rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    item.map_or(pointer, pointer_in_object)
}
