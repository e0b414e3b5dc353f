//! Why a host cannot answer a look-up, read from the text of its error.

use crate::kubernetes::resources::Resource;
use crate::view::unavailable::Unavailable;

/// Reads the error of a host, which can contain names from the request, and a stack trace.
pub(super) fn read_error(error: &str, resource: &Resource) -> Unavailable {
    let says = |words| error.contains(words);
    if says("is forbidden") {
        Unavailable::Forbidden
    } else if says("has not been granted access") {
        Unavailable::NotGranted
    } else if is_optional(resource) && (says("ApiError: 404") || says("code: 404")) {
        Unavailable::NotInstalled
    } else if says("too much for the module") {
        Unavailable::TooManyObjects
    } else {
        Unavailable::Failed
    }
}

/// Whether a cluster can lack the kind. Of those that the module looks up, only groups of others have a dot.
fn is_optional(resource: &Resource) -> bool {
    resource.group.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::kind::Kind;
    use crate::testing::test;

    #[test]
    fn only_a_kind_of_others_can_be_missing() {
        let missing = "Host error: Callback evaluation failure: error finding resource g/v1 / K: \
                       ApiError: 404 page not found\n: Failed to parse error data (Status { code: 404 })";
        let cases = [
            (Kind::TcpRoute, missing, Unavailable::NotInstalled),
            (Kind::Service, missing, Unavailable::Failed),
            (Kind::TcpRoute, "timed out in namespace 'team-404'", Unavailable::Failed),
            (Kind::Service, "timed out in namespace 'team-404'", Unavailable::Failed),
            (Kind::Claim, "ApiError: persistentvolumeclaims is forbidden: User \"u\"", Unavailable::Forbidden),
            (
                Kind::Service,
                "Policy has not been granted access to Kubernetes v1/Service resources.",
                Unavailable::NotGranted,
            ),
        ];
        for (kind, error, expected) in cases {
            assert_eq!(read_error(error, kind.resource().unwrap()), expected, "{kind:?}: {error}");
        }
    }
}
