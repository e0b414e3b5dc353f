//! How authorities and leaves follow each other, without a clock, a network or a file.
//!
//! Nothing that is in use is ever taken away before what follows it is known to everybody:
//! 1. when a third of the signing authority's life remains, the next one is made, and published beside it;
//! 2. when it has been published for a while ([`Lifetimes::settle`]), it signs, and the old one stays published until
//!    it expires;
//! 3. leaves are renewed when a third of their life remains, by whoever signs then.
//!
//! Only where nothing valid is left, an authority signs as soon as it is made.

use time::{Duration, OffsetDateTime};

use super::issue::{Authority, AuthorityCertificate};
use super::service::Service;
use super::stored::{BUNDLE, Data, LEAF, LEAF_KEY, Leaf, NEXT_KEY, SIGNER_KEY, Stored, bundle_pem, verify};

/// More authorities than replicas in any disorder leave behind; the oldest go first.
pub(super) const MOST_AUTHORITIES: usize = 8;

/// How long certificates live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authority.
    pub authority: Duration,
    /// A leaf. It should fit into a third of an authority's life, with [`Lifetimes::settle`].
    pub leaf: Duration,
    /// How long an authority is published before it signs: far longer than replicas take to see a change.
    pub settle: Duration,
}

impl Default for Lifetimes {
    /// Ten years, 90 days, one day.
    fn default() -> Self {
        Lifetimes { authority: Duration::days(3650), leaf: Duration::days(90), settle: Duration::days(1) }
    }
}

/// What a decision depends on, beside what is stored.
pub(super) struct Situation<'s> {
    pub(super) service: &'s Service,
    pub(super) lifetimes: Lifetimes,
    pub(super) now: OffsetDateTime,
    /// The authorities that were trusted when this replica last looked.
    pub(super) remembered: &'s [AuthorityCertificate],
    /// The authorities that this replica has seen in all webhook configurations.
    pub(super) published: &'s [AuthorityCertificate],
}

/// What should be stored, and why it is not what was.
pub(super) struct Plan {
    pub(super) data: Data,
    pub(super) leaf: Option<Leaf>,
    pub(super) bundle: Vec<AuthorityCertificate>,
    /// What was wrong.
    pub(super) faults: Vec<String>,
    /// What is done in the ordinary course of things.
    pub(super) steps: Vec<&'static str>,
}

/// Decides what follows on the data of a Secret; empty data are those of one that does not exist.
///
/// # Errors
/// If the machine cannot make keys or sign.
pub(super) fn plan(data: &Data, situation: &Situation<'_>) -> Result<Plan, rcgen::Error> {
    let mut planning = Planning { stored: Stored::read(data), situation, steps: Vec::new() };
    planning.trust();
    planning.check_leaf();
    planning.prepare()?;
    planning.promote();
    planning.renew()?;
    Ok(planning.finish(data))
}

struct Planning<'p> {
    stored: Stored,
    situation: &'p Situation<'p>,
    steps: Vec<&'static str>,
}

impl Planning<'_> {
    /// Whose certificates are accepted: what is stored or was, in order of age, until it expires.
    fn trust(&mut self) {
        let Situation { remembered, now, .. } = self.situation;
        let bundle = &mut self.stored.bundle;
        bundle.extend(remembered.iter().cloned());
        bundle.retain(|authority| authority.not_after > *now);
        in_order(bundle);
        bundle.drain(..bundle.len().saturating_sub(MOST_AUTHORITIES));
        for authority in [&mut self.stored.signer, &mut self.stored.next] {
            authority.take_if(|authority| !self.stored.bundle.contains(&authority.certificate));
        }
        let signs = |authority: &Option<Authority>| authority.as_ref().map(|authority| authority.certificate.clone());
        if signs(&self.stored.next) == signs(&self.stored.signer) {
            self.stored.next = None;
        }
    }

    /// Drops a leaf that no client would accept.
    fn check_leaf(&mut self) {
        let Situation { service, now, .. } = self.situation;
        let Some(leaf) = &self.stored.leaf else { return };
        if let Err(why) = verify(leaf.pair.chain(), &self.stored.bundle, service, *now) {
            self.stored.faults.push(format!("{LEAF} is not valid for {service}: {why}"));
            self.stored.leaf = None;
        }
    }

    /// Makes the authority that follows, in time.
    fn prepare(&mut self) -> Result<(), rcgen::Error> {
        let Situation { lifetimes, now, .. } = self.situation;
        let lasts = |authority: &Authority| authority.certificate.not_after - *now >= lifetimes.authority / 3;
        if self.stored.next.is_none() && !self.stored.signer.as_ref().is_some_and(lasts) {
            let next = Authority::new(*now, lifetimes.authority)?;
            self.stored.bundle.push(next.certificate.clone());
            self.stored.next = Some(next);
            self.steps.push("made an authority");
        }
        Ok(())
    }

    /// Lets the next authority sign, once everybody trusts it, or if there is nothing to lose.
    fn promote(&mut self) {
        let Situation { lifetimes, now, published, .. } = self.situation;
        let Stored { leaf, signer, next, .. } = &mut self.stored;
        let settled = |next: &mut Authority| {
            *now - next.certificate.made >= lifetimes.settle && published.contains(&next.certificate)
        };
        let hopeless = signer.is_none() && leaf.is_none();
        if let Some(next) = next.take_if(|next| hopeless || settled(next)) {
            *signer = Some(next);
            self.steps.push("an authority signs from now on");
        }
    }

    /// Has a leaf signed, if there is none or a third of its life remains.
    fn renew(&mut self) -> Result<(), rcgen::Error> {
        let Situation { service, lifetimes, now, .. } = self.situation;
        let Some(signer) = &self.stored.signer else { return Ok(()) };
        let lasts =
            |leaf: &Leaf| leaf.not_after - *now >= lifetimes.leaf / 3 || leaf.not_after >= signer.certificate.not_after;
        if !self.stored.leaf.as_ref().is_some_and(lasts) {
            self.stored.leaf = Some(signer.sign(service, *now, lifetimes.leaf)?);
            self.steps.push("issued a certificate");
        }
        Ok(())
    }

    /// The data as they should be, with what is stored beside them and is none of this program's business.
    fn finish(self, before: &Data) -> Plan {
        let Planning { stored: Stored { leaf, signer, next, mut bundle, faults }, steps, .. } = self;
        in_order(&mut bundle);
        let mut data = before.clone();
        let mut store = |name: &str, content: Option<&str>| match content {
            Some(content) => data.insert(name.to_owned(), content.as_bytes().to_vec()),
            None => data.remove(name),
        };
        store(BUNDLE, Some(&bundle_pem(&bundle)));
        store(SIGNER_KEY, signer.as_ref().map(|authority| authority.key_pem.as_str()));
        store(NEXT_KEY, next.as_ref().map(|authority| authority.key_pem.as_str()));
        if let Some(leaf) = &leaf {
            store(LEAF, Some(&leaf.chain_pem));
            store(LEAF_KEY, Some(&leaf.key_pem));
        }
        Plan { data, leaf, bundle, faults, steps }
    }
}

/// Sorts authorities by age, each once.
pub(super) fn in_order(bundle: &mut Vec<AuthorityCertificate>) {
    bundle.sort_by(|a, b| (a.made, &*a.der).cmp(&(b.made, &*b.der)));
    bundle.dedup();
}

#[cfg(test)]
mod tests;
