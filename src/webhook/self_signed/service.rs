//! The Service in front of the webhook, and its names.

use std::fmt;
use std::str::FromStr;

use sqledge_ha_policy::kubernetes::is_dns_label;

/// A text that names no Service.
#[derive(Debug, thiserror::Error)]
#[error("invalid Service `{0}`; write NAME.NAMESPACE.svc")]
pub struct InvalidService(String);

/// The Service through which the API server calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

impl Service {
    /// The Service with a name in a namespace.
    ///
    /// # Errors
    /// [`InvalidService`] for names that Kubernetes rejects.
    pub fn new(name: &str, namespace: &str) -> Result<Self, InvalidService> {
        let service = Service { name: name.to_owned(), namespace: namespace.to_owned() };
        if is_dns_label(name) && is_dns_label(namespace) {
            Ok(service)
        } else {
            Err(InvalidService(service.to_string()))
        }
    }

    /// Its DNS names in the cluster; the API server uses the first.
    pub(super) fn dns_names(&self) -> [String; 3] {
        let Service { name, namespace } = self;
        [
            format!("{name}.{namespace}.svc"),
            format!("{name}.{namespace}.svc.cluster.local"),
            format!("{name}.{namespace}"),
        ]
    }

    /// The name of the Secret that the replicas share.
    pub fn secret_name(&self) -> String {
        format!("{}-tls", self.name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.svc", self.name, self.namespace)
    }
}

impl FromStr for Service {
    type Err = InvalidService;

    fn from_str(text: &str) -> Result<Self, InvalidService> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            [name, namespace, "svc"] => Service::new(name, namespace),
            _ => Err(InvalidService(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_as_the_api_server_calls_it() {
        let service: Service = "sqledge-ha.kube-system.svc".parse().unwrap();
        assert_eq!((service.name.as_str(), service.namespace.as_str()), ("sqledge-ha", "kube-system"));
        assert_eq!(service.to_string(), "sqledge-ha.kube-system.svc");
        assert_eq!(service.secret_name(), "sqledge-ha-tls");
        let wrong = [
            "",
            "sql",
            "sql.db",
            "sql.db.svc.cluster.local",
            ".db.svc",
            "-a.db.svc",
            "a-.db.svc",
            "A.db.svc",
            "a/b.db.svc",
        ];
        for text in wrong {
            assert!(text.parse::<Service>().is_err(), "{text}");
        }
    }
}
