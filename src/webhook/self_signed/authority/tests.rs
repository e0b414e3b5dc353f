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

/// A replica that remembers and publishes as the real one does.
struct Replica {
    data: Data,
    lifetimes: Lifetimes,
    remembered: Vec<AuthorityCertificate>,
    publishes: bool,
}

impl Replica {
    fn new() -> Self {
        Replica { data: Data::new(), lifetimes: Lifetimes::default(), remembered: Vec::new(), publishes: true }
    }

    fn round(&mut self, elapsed: Duration) -> Plan {
        let published = if self.publishes { self.remembered.clone() } else { Vec::new() };
        let situation = Situation {
            service: &sql(),
            lifetimes: self.lifetimes,
            now: at(elapsed),
            remembered: &self.remembered,
            published: &published,
        };
        let plan = plan(&self.data, &situation).unwrap();
        assert!(plan.data != self.data || plan.steps.is_empty(), "{:?}", plan.steps);
        self.data = plan.data.clone();
        self.remembered = plan.bundle.clone();
        plan
    }

    /// A replica that was started just now.
    fn forget(&mut self) {
        self.remembered.clear();
    }

    fn spoil(&mut self, name: &str, content: &str) {
        self.data.insert(name.to_owned(), content.as_bytes().to_vec());
    }
}

fn accepted(plan: &Plan, bundle: &[AuthorityCertificate], elapsed: Duration) -> Result<(), String> {
    verify(plan.leaf.as_ref().unwrap().pair.chain(), bundle, &sql(), at(elapsed))
}

#[test]
fn the_first_round_makes_all_there_is_and_the_second_changes_nothing() {
    let mut replica = Replica::new();
    let first = replica.round(Duration::ZERO);
    assert_eq!(first.steps, ["made an authority", "an authority signs from now on", "issued a certificate"]);
    assert_eq!((first.faults.len(), first.bundle.len()), (0, 1));
    accepted(&first, &first.bundle, Duration::ZERO).unwrap();
    replica.forget();
    assert_eq!(replica.round(Duration::minutes(1)).data, first.data);
    assert_eq!(first.data.keys().collect::<Vec<_>>(), [BUNDLE, SIGNER_KEY, LEAF, LEAF_KEY]);
}

#[test]
fn a_leaf_is_renewed_when_a_third_of_its_life_remains() {
    let mut replica = Replica::new();
    let first = replica.round(Duration::ZERO);
    assert!(replica.round(Duration::days(60)).steps.is_empty());
    let renewed = replica.round(Duration::days(60) + Duration::seconds(1));
    assert_eq!(renewed.steps, ["issued a certificate"]);
    assert_eq!(renewed.bundle, first.bundle);
}

/// Through four authorities: a client that is some minutes behind accepts what is served, and a replica that is some
/// minutes behind is accepted by all clients.
#[test]
fn no_client_is_ever_turned_away_while_authorities_follow_each_other() {
    let lifetimes = Lifetimes { authority: Duration::days(30), leaf: Duration::days(3), settle: Duration::hours(12) };
    let mut replica = Replica { lifetimes, ..Replica::new() };
    let (step, mut elapsed) = (Duration::minutes(2), Duration::ZERO);
    let mut recent: VecDeque<(Duration, Plan)> = VecDeque::new();
    let mut authorities = Vec::new();
    while elapsed < Duration::days(75) {
        let (decided, plan) = (elapsed, replica.round(elapsed));
        // What was true some minutes ago is what was decided last before that.
        while recent.get(1).is_some_and(|(seen, _)| elapsed - *seen >= TOLERANCE) {
            recent.pop_front();
        }
        for (seen, before) in &recent {
            let verdicts = accepted(&plan, &before.bundle, elapsed).and(accepted(before, &plan.bundle, elapsed));
            verdicts.unwrap_or_else(|why| panic!("{seen} {elapsed}: {why}"));
        }
        authorities.extend(plan.bundle.iter().filter(|new| !authorities.contains(*new)).cloned().collect::<Vec<_>>());
        // Long stretches in which nothing happens are leapt over.
        elapsed +=
            if plan.steps.is_empty() && elapsed.whole_minutes() % 30 == 0 { Duration::minutes(30) } else { step };
        recent.push_back((decided, plan));
    }
    assert_eq!(authorities.len(), 4);
}

#[test]
fn an_authority_does_not_sign_before_it_has_settled_and_is_published() {
    let mut replica = Replica::new();
    replica.round(Duration::ZERO);
    let due = Duration::days(3650 * 2 / 3 + 1);
    replica.round(due - Duration::days(10));
    replica.publishes = false;
    assert_eq!(replica.round(due).steps, ["made an authority"]);
    assert!(replica.data.contains_key(NEXT_KEY));
    assert!(replica.round(due + Duration::days(2)).steps.is_empty(), "nobody knows it yet");
    replica.publishes = true;
    assert_eq!(replica.round(due + Duration::days(2)).steps, ["an authority signs from now on"]);
    assert!(!replica.data.contains_key(NEXT_KEY));
    assert_eq!(replica.remembered.len(), 2);
}

#[test]
fn a_deleted_secret_is_made_anew_and_what_was_trusted_stays_so() {
    let mut replica = Replica::new();
    let before = replica.round(Duration::ZERO);
    replica.data.clear();
    let after = replica.round(Duration::minutes(1));
    assert_eq!(after.bundle.len(), 2);
    accepted(&before, &after.bundle, Duration::minutes(1)).unwrap();
    accepted(&after, &after.bundle, Duration::minutes(1)).unwrap();
}

#[test]
fn a_lost_authority_is_followed_in_peace_while_its_leaf_lasts() {
    let mut replica = Replica::new();
    let before = replica.round(Duration::ZERO);
    replica.spoil(SIGNER_KEY, "gone");
    let after = replica.round(Duration::minutes(1));
    assert_eq!(
        (after.faults, after.steps),
        (vec!["ca.key: it is no private key".to_owned()], vec!["made an authority"])
    );
    assert_eq!(after.data[LEAF], before.data[LEAF]);
    assert!(replica.round(Duration::hours(23)).steps.is_empty());
    assert_eq!(replica.round(Duration::hours(25)).steps, ["an authority signs from now on"]);
    let last = replica.round(Duration::days(61));
    assert_eq!(last.steps, ["issued a certificate"]);
    assert!(last.faults.is_empty());
}

#[test]
fn what_is_damaged_is_told_and_repaired() {
    let made = Replica::new().round(Duration::ZERO).data;
    let foreign = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["sql.db.svc".to_owned()]).unwrap();
        (pem(params.self_signed(&key).unwrap().der()), key.serialize_pem())
    };
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[(LEAF, "")], "tls.crt and tls.key: there is no certificate"),
        (&[(LEAF_KEY, "")], "tls.crt and tls.key: there is no private key in PEM"),
        (&[(LEAF_KEY, &foreign.1)], "tls.crt and tls.key: the private key does not belong to the certificate"),
        (
            &[(LEAF, &foreign.0), (LEAF_KEY, &foreign.1)],
            "tls.crt is not valid for sql.db.svc: invalid peer certificate",
        ),
        (&[(BUNDLE, &foreign.0)], "ca.crt holds something other than authorities made here"),
        (&[(BUNDLE, "")], "ca.key: it belongs to no authority that is trusted"),
        (&[(SIGNER_KEY, &foreign.1)], "ca.key: it belongs to no authority that is trusted"),
        (&[(NEXT_KEY, "?")], "next-ca.key: it is no private key"),
    ];
    for (spoilt, fault) in cases {
        let mut replica = Replica { data: made.clone(), ..Replica::new() };
        for (name, content) in spoilt {
            replica.spoil(name, content);
        }
        let plan = replica.round(Duration::minutes(1));
        assert!(plan.faults.iter().any(|told| told.starts_with(fault)), "{fault}: {:?}", plan.faults);
        assert!(!plan.faults.iter().any(|told| told.contains("BEGIN")));
        accepted(&plan, &plan.bundle, Duration::minutes(1)).unwrap();
        assert_eq!(replica.round(Duration::minutes(2)).data, plan.data, "{fault}");
    }
}

#[test]
fn a_leaf_that_expired_or_names_another_service_is_replaced() {
    let mut replica = Replica::new();
    replica.round(Duration::ZERO);
    let late = replica.round(Duration::days(91));
    assert!(late.faults[0].contains("certificate expired"), "{:?}", late.faults);
    accepted(&late, &late.bundle, Duration::days(91)).unwrap();

    let other: Service = "other.db.svc".parse().unwrap();
    let situation = Situation {
        service: &other,
        lifetimes: Lifetimes::default(),
        now: at(Duration::days(91)),
        remembered: &[],
        published: &[],
    };
    let plan = plan(&late.data, &situation).unwrap();
    assert!(plan.faults[0].starts_with("tls.crt is not valid for other.db.svc: "), "{:?}", plan.faults);
    verify(plan.leaf.unwrap().pair.chain(), &plan.bundle, &other, situation.now).unwrap();
}

#[test]
fn years_without_any_replica_end_with_a_new_authority() {
    let mut replica = Replica::new();
    replica.round(Duration::ZERO);
    replica.forget();
    let later = replica.round(Duration::days(4000));
    assert_eq!(later.bundle.len(), 1);
    accepted(&later, &later.bundle, Duration::days(4000)).unwrap();
}

#[test]
fn replicas_with_different_memories_come_to_the_same_data() {
    let (mut old, mut new) = (Replica::new(), Replica::new());
    old.round(Duration::ZERO);
    new.round(Duration::ZERO);
    old.data = new.data.clone();
    let merged = old.round(Duration::minutes(1));
    assert_eq!(merged.bundle.len(), 2);
    new.data = merged.data.clone();
    assert_eq!(new.round(Duration::minutes(1)).data, merged.data);
}

#[test]
fn disorder_does_not_make_the_bundle_grow_without_end() {
    let mut replica = Replica::new();
    for hour in 0..20 {
        replica.data.clear();
        let plan = replica.round(Duration::hours(hour));
        accepted(&plan, &plan.bundle, Duration::hours(hour)).unwrap();
    }
    assert!(replica.remembered.len() <= MOST_AUTHORITIES + 1);
}

/// Data of a Secret with any of its parts cut, replaced or mixed up.
fn garbage() -> impl Strategy<Value = Data> {
    let made = Replica::new().round(Duration::ZERO).data;
    let parts: Vec<Vec<u8>> = made.into_values().collect();
    let names = prop::sample::select(vec![LEAF, LEAF_KEY, BUNDLE, SIGNER_KEY, NEXT_KEY, "else"]);
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
    fn no_content_of_the_secret_is_beyond_repair(data in garbage()) {
        let mut replica = Replica { data, ..Replica::new() };
        let plan = replica.round(Duration::minutes(1));
        prop_assert!(accepted(&plan, &plan.bundle, Duration::minutes(1)).is_ok());
        prop_assert_eq!(replica.round(Duration::minutes(1)).data, plan.data);
    }
}
