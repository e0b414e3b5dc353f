//! Who reaches the load balancer that a Service becomes.

use crate::json::edit::Edit;
use crate::kubernetes::service::{ANNOTATIONS, Annotation, Service};
use crate::settings::Exposure;

/// The clients of an internal load balancer: private addresses (RFC 1918) and those of providers (RFC 6598).
const PRIVATE_RANGES: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

/// Private addresses of IPv6 (RFC 4193).
const PRIVATE_RANGE_IPV6: &str = "fc00::/7";

/// The field with the clients of a load balancer.
pub(super) const SOURCE_RANGES: &str = "loadBalancerSourceRanges";

/// Whether somebody has decided who reaches the load balancer: by an annotation, whatever its value, or by a limit.
pub(super) fn is_decided(service: &Service<'_>) -> bool {
    let decides = |meaning| matches!(meaning, Annotation::Internal(_) | Annotation::OnlyReadInternal(_));
    ANNOTATIONS.iter().any(|(name, meaning)| decides(*meaning) && service.annotations().at(name).exists())
        || !service.client_limits().is_empty()
}

/// The edits that make a Service a LoadBalancer Service.
pub(super) fn edits(service: &Service<'_>, exposure: Exposure) -> Vec<Edit> {
    let mut edits = vec![Edit::set(&service.object, &["spec", "type"], "LoadBalancer")];
    if exposure == Exposure::Internal && !is_decided(service) {
        for (name, meaning) in ANNOTATIONS {
            if let Annotation::Internal([value, ..]) = meaning {
                edits.push(Edit::set(&service.object, &["metadata", "annotations", name], *value));
            }
        }
        let has_ipv6 = service.spec.at("ipFamilies").items().any(|family| family.str() == Some("IPv6"));
        let ranges = PRIVATE_RANGES.into_iter().chain(has_ipv6.then_some(PRIVATE_RANGE_IPV6));
        edits.push(Edit::set(&service.object, &["spec", SOURCE_RANGES], ranges.collect::<Vec<_>>()));
    }
    edits
}
