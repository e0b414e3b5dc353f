use std::collections::VecDeque;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::webhook::self_signed::stored::pem;

const START: i64 = 1_800_000_000;
const TOLERANCE: Duration = Duration::minutes(5);

fn at(elapsed: Duration) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(START).unwrap() + elapsed
}

fn sql() -> Service {
    "sql.db.svc".parse().unwrap()
}

/// A replica that keeps its bundle and publishes as the real one does.
struct Replica {
    data: Data,
    lifetimes: Lifetimes,
    previous_bundle: Vec<CaCertificate>,
    publishes: bool,
}

impl Replica {
    fn new() -> Self {
        Replica { data: Data::new(), lifetimes: Lifetimes::default(), previous_bundle: Vec::new(), publishes: true }
    }

    fn rotate(&mut self, elapsed: Duration) -> RotationPlan {
        let published = if self.publishes { self.previous_bundle.clone() } else { Vec::new() };
        let input = RotationInput {
            service: &sql(),
            lifetimes: self.lifetimes,
            now: at(elapsed),
            previous_bundle: &self.previous_bundle,
            published: &published,
        };
        let plan = plan(&self.data, &input).unwrap();
        assert!(plan.data != self.data || plan.steps.is_empty(), "{:?}", plan.steps);
        self.data = plan.data.clone();
        self.previous_bundle = plan.bundle.clone();
        plan
    }

    /// Makes it a replica that was just started.
    fn restart(&mut self) {
        self.previous_bundle.clear();
    }

    fn overwrite(&mut self, name: &str, content: &str) {
        self.data.insert(name.to_owned(), content.as_bytes().to_vec());
    }
}

fn check(plan: &RotationPlan, bundle: &[CaCertificate], elapsed: Duration) -> Result<(), String> {
    verify(plan.certificate.as_ref().unwrap().pair.chain(), bundle, &sql(), at(elapsed))
}

#[test]
fn the_second_rotation_changes_nothing() {
    let mut replica = Replica::new();
    let first = replica.rotate(Duration::ZERO);
    assert_eq!(first.steps, ["created a CA", "the next CA signs from now on", "issued a serving certificate"]);
    assert_eq!((first.problems.len(), first.bundle.len()), (0, 1));
    check(&first, &first.bundle, Duration::ZERO).unwrap();
    replica.restart();
    assert_eq!(replica.rotate(Duration::minutes(1)).data, first.data);
    assert_eq!(first.data.keys().collect::<Vec<_>>(), [BUNDLE, SIGNER_KEY, CERTIFICATE, CERTIFICATE_KEY]);
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_lifetime_is_left() {
    let mut replica = Replica::new();
    let first = replica.rotate(Duration::ZERO);
    assert!(replica.rotate(Duration::days(60)).steps.is_empty());
    let renewed = replica.rotate(Duration::days(60) + Duration::seconds(1));
    assert_eq!(renewed.steps, ["issued a serving certificate"]);
    assert_eq!(renewed.bundle, first.bundle);
}

/// Four CAs: a client with a bundle that is some minutes old accepts the current certificate, and a client with the
/// current bundle accepts a certificate that is some minutes old.
#[test]
fn clients_accept_all_certificates_during_the_rotation_of_cas() {
    let lifetimes =
        Lifetimes { ca: Duration::days(30), certificate: Duration::days(3), publish_before_use: Duration::hours(12) };
    let mut replica = Replica { lifetimes, ..Replica::new() };
    let (step, mut elapsed) = (Duration::minutes(2), Duration::ZERO);
    let mut recent: VecDeque<(Duration, RotationPlan)> = VecDeque::new();
    let mut cas = Vec::new();
    while elapsed < Duration::days(75) {
        let (decided, plan) = (elapsed, replica.rotate(elapsed));
        while recent.get(1).is_some_and(|(seen, _)| elapsed - *seen >= TOLERANCE) {
            recent.pop_front();
        }
        for (seen, before) in &recent {
            let results = check(&plan, &before.bundle, elapsed).and(check(before, &plan.bundle, elapsed));
            results.unwrap_or_else(|error| panic!("{seen} {elapsed}: {error}"));
        }
        cas.extend(plan.bundle.iter().filter(|new| !cas.contains(*new)).cloned().collect::<Vec<_>>());
        // Larger steps while nothing changes.
        elapsed +=
            if plan.steps.is_empty() && elapsed.whole_minutes() % 30 == 0 { Duration::minutes(30) } else { step };
        recent.push_back((decided, plan));
    }
    assert_eq!(cas.len(), 4);
}

#[test]
fn a_ca_does_not_sign_before_it_was_published_for_long_enough() {
    let mut replica = Replica::new();
    replica.rotate(Duration::ZERO);
    let due = Duration::days(3650 * 2 / 3 + 1);
    replica.rotate(due - Duration::days(10));
    replica.publishes = false;
    assert_eq!(replica.rotate(due).steps, ["created a CA"]);
    assert!(replica.data.contains_key(NEXT_KEY));
    assert!(replica.rotate(due + Duration::days(2)).steps.is_empty(), "it is not published");
    replica.publishes = true;
    assert_eq!(replica.rotate(due + Duration::days(2)).steps, ["the next CA signs from now on"]);
    assert!(!replica.data.contains_key(NEXT_KEY));
    assert_eq!(replica.previous_bundle.len(), 2);
}

#[test]
fn after_the_secret_was_deleted_the_old_ca_stays_in_the_bundle() {
    let mut replica = Replica::new();
    let before = replica.rotate(Duration::ZERO);
    replica.data.clear();
    let after = replica.rotate(Duration::minutes(1));
    assert_eq!(after.bundle.len(), 2);
    check(&before, &after.bundle, Duration::minutes(1)).unwrap();
    check(&after, &after.bundle, Duration::minutes(1)).unwrap();
}

#[test]
fn the_next_ca_does_not_sign_early_while_the_certificate_is_valid() {
    let mut replica = Replica::new();
    let before = replica.rotate(Duration::ZERO);
    replica.overwrite(SIGNER_KEY, "gone");
    let after = replica.rotate(Duration::minutes(1));
    assert_eq!((after.problems, after.steps), (vec!["ca.key: not a private key".to_owned()], vec!["created a CA"]));
    assert_eq!(after.data[CERTIFICATE], before.data[CERTIFICATE]);
    assert!(replica.rotate(Duration::hours(23)).steps.is_empty());
    assert_eq!(replica.rotate(Duration::hours(25)).steps, ["the next CA signs from now on"]);
    let last = replica.rotate(Duration::days(61));
    assert_eq!(last.steps, ["issued a serving certificate"]);
    assert!(last.problems.is_empty());
}

#[test]
fn damaged_data_is_reported_and_replaced() {
    let made = Replica::new().rotate(Duration::ZERO).data;
    let foreign = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["sql.db.svc".to_owned()]).unwrap();
        (pem(params.self_signed(&key).unwrap().der()), key.serialize_pem())
    };
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[(CERTIFICATE, "")], "tls.crt and tls.key: no certificate found"),
        (&[(CERTIFICATE_KEY, "")], "tls.crt and tls.key: no private key in PEM found"),
        (&[(CERTIFICATE_KEY, &foreign.1)], "tls.crt and tls.key: the private key does not match the certificate"),
        (
            &[(CERTIFICATE, &foreign.0), (CERTIFICATE_KEY, &foreign.1)],
            "tls.crt is not valid for sql.db.svc: invalid peer certificate",
        ),
        (&[(BUNDLE, &foreign.0)], "ca.crt has other certificates than CAs of sqledge-ha"),
        (&[(BUNDLE, "")], "ca.key: no CA in the bundle has this key"),
        (&[(SIGNER_KEY, &foreign.1)], "ca.key: no CA in the bundle has this key"),
        (&[(NEXT_KEY, "?")], "next-ca.key: not a private key"),
    ];
    for (overwritten, problem) in cases {
        let mut replica = Replica { data: made.clone(), ..Replica::new() };
        for (name, content) in overwritten {
            replica.overwrite(name, content);
        }
        let plan = replica.rotate(Duration::minutes(1));
        assert!(plan.problems.iter().any(|found| found.starts_with(problem)), "{problem}: {:?}", plan.problems);
        assert!(!plan.problems.iter().any(|found| found.contains("BEGIN")));
        check(&plan, &plan.bundle, Duration::minutes(1)).unwrap();
        assert_eq!(replica.rotate(Duration::minutes(2)).data, plan.data, "{problem}");
    }
}

#[test]
fn an_expired_certificate_or_one_of_another_service_is_replaced() {
    let mut replica = Replica::new();
    replica.rotate(Duration::ZERO);
    let late = replica.rotate(Duration::days(91));
    assert!(late.problems[0].contains("certificate expired"), "{:?}", late.problems);
    check(&late, &late.bundle, Duration::days(91)).unwrap();

    let other: Service = "other.db.svc".parse().unwrap();
    let input = RotationInput {
        service: &other,
        lifetimes: Lifetimes::default(),
        now: at(Duration::days(91)),
        previous_bundle: &[],
        published: &[],
    };
    let plan = plan(&late.data, &input).unwrap();
    assert!(plan.problems[0].starts_with("tls.crt is not valid for other.db.svc: "), "{:?}", plan.problems);
    verify(plan.certificate.unwrap().pair.chain(), &plan.bundle, &other, input.now).unwrap();
}

#[test]
fn a_replica_that_starts_after_the_ca_expired_creates_a_new_one() {
    let mut replica = Replica::new();
    replica.rotate(Duration::ZERO);
    replica.restart();
    let later = replica.rotate(Duration::days(4000));
    assert_eq!(later.bundle.len(), 1);
    check(&later, &later.bundle, Duration::days(4000)).unwrap();
}

#[test]
fn replicas_with_different_bundles_end_with_the_same_data() {
    let (mut old, mut new) = (Replica::new(), Replica::new());
    old.rotate(Duration::ZERO);
    new.rotate(Duration::ZERO);
    old.data = new.data.clone();
    let merged = old.rotate(Duration::minutes(1));
    assert_eq!(merged.bundle.len(), 2);
    new.data = merged.data.clone();
    assert_eq!(new.rotate(Duration::minutes(1)).data, merged.data);
}

#[test]
fn the_size_of_the_bundle_is_limited() {
    let mut replica = Replica::new();
    for hour in 0..20 {
        replica.data.clear();
        let plan = replica.rotate(Duration::hours(hour));
        check(&plan, &plan.bundle, Duration::hours(hour)).unwrap();
    }
    assert!(replica.previous_bundle.len() <= MAX_CAS + 1);
}

/// Data of a Secret with any of its values truncated, changed or swapped.
fn garbage() -> impl Strategy<Value = Data> {
    let made = Replica::new().rotate(Duration::ZERO).data;
    let parts: Vec<Vec<u8>> = made.into_values().collect();
    let names = prop::sample::select(vec![CERTIFICATE, CERTIFICATE_KEY, BUNDLE, SIGNER_KEY, NEXT_KEY, "else"]);
    let part = (prop::sample::select(parts), any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    let damaged = part.prop_map(|(mut part, index, byte, cut)| {
        let position = index.index(part.len());
        if cut {
            part.truncate(position);
        } else {
            part[position] = byte;
        }
        part
    });
    let content = prop_oneof![damaged, prop::collection::vec(any::<u8>(), 0..64)];
    prop::collection::btree_map(names.prop_map(str::to_owned), content, 0..6)
}

proptest! {
    #[test]
    fn any_data_of_the_secret_can_be_replaced(data in garbage()) {
        let mut replica = Replica { data, ..Replica::new() };
        let plan = replica.rotate(Duration::minutes(1));
        prop_assert!(check(&plan, &plan.bundle, Duration::minutes(1)).is_ok());
        prop_assert_eq!(replica.rotate(Duration::minutes(1)).data, plan.data);
    }
}
