use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use job::{Owner, UpgradeId};
use tokio::time::Instant;

use super::consumer::Consumer;
use super::faults::Faults;
use super::tail::Tail;
use crate::store::{Fate, Kept, Outgoing, Value};
use crate::{ANNOUNCER, Bucket, Entry, Settings, Unavailable};

/// A read of many messages answers at most so many.
const MANY: usize = 1_024;
/// So many versions of a record are kept, for copies that are behind.
const VERSIONS: usize = 4;

/// What a server knows.
pub(super) struct Server {
    facts: BTreeMap<u64, (UpgradeId, Entry)>,
    upgrades: HashMap<UpgradeId, Vec<u64>>,
    tail: Tail,
    /// When a message with this id was stored.
    ids: HashMap<String, Instant>,
    consumers: HashMap<String, Consumer>,
    generation: u64,
    buckets: HashMap<Bucket, Records>,
    cache_age: Duration,
    intake: VecDeque<(Instant, Vec<u8>)>,
    intake_age: Duration,
    archive: HashMap<UpgradeId, Vec<u8>>,
}

#[derive(Default)]
struct Records {
    tail: Tail,
    keys: BTreeMap<String, VecDeque<Version>>,
}

struct Version {
    kept: Kept,
    expires: Option<Instant>,
}

/// What a consumer has to deliver.
pub(super) enum Next {
    /// This, delivered so often before.
    Fact(u64, u64),
    /// Nothing before then, unless something is stored.
    Later(Option<Instant>),
}

impl Server {
    /// An empty server, set up.
    pub(super) fn new(settings: &Settings) -> Server {
        let mut server = Server {
            facts: BTreeMap::new(),
            upgrades: HashMap::new(),
            tail: Tail::default(),
            ids: HashMap::new(),
            consumers: HashMap::new(),
            generation: 0,
            buckets: HashMap::new(),
            cache_age: settings.cache_age,
            intake: VecDeque::new(),
            intake_age: settings.intake_age,
            archive: HashMap::new(),
        };
        server.consumer(ANNOUNCER, None, 1);
        for owner in Owner::WITH_INBOX {
            server.consumer(owner.as_str(), Some(owner), 1);
        }
        server
    }

    pub(super) fn publish(
        &mut self,
        fact: &Outgoing<'_>,
        now: Instant,
        duplicate_window: Duration,
    ) -> Fate {
        let id = &fact.fact.id;
        if let Some(stored) = self.ids.get(id)
            && now.duration_since(*stored) < duplicate_window
        {
            return Fate::Duplicate;
        }
        let sequences = self.upgrades.entry(fact.id.clone()).or_default();
        if sequences.last().copied().unwrap_or(0) != fact.expected {
            return Fate::Conflict;
        }
        let stored = match wire::decode(&fact.payload) {
            Ok(stored) => stored,
            Err(error) => return Fate::Refused(error.to_string()),
        };
        let sequence = self.tail.store(now);
        sequences.push(sequence);
        self.ids.insert(id.clone(), now);
        let entry = Entry {
            sequence,
            n: fact.n,
            next: fact.next,
            fact: stored,
            traceparent: fact.traceparent.clone(),
        };
        self.facts.insert(sequence, (fact.id.clone(), entry));
        Fate::Stored(sequence)
    }

    /// The facts of an upgrade, on a copy that lacks the newest messages of the stream.
    pub(super) fn entries(&self, id: &UpgradeId, behind: u64, now: Instant) -> Vec<Entry> {
        let horizon = self.tail.horizon(behind, now);
        self.upgrades
            .get(id)
            .into_iter()
            .flatten()
            .filter(|sequence| **sequence <= horizon)
            .filter_map(|sequence| self.facts.get(sequence))
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    pub(super) fn upgrades(&self) -> Vec<UpgradeId> {
        let with_facts = self.upgrades.iter().filter(|(_, facts)| !facts.is_empty());
        let mut upgrades: Vec<UpgradeId> = with_facts.map(|(id, _)| id.clone()).collect();
        upgrades.sort();
        upgrades
    }

    pub(super) fn fact(&self, sequence: u64) -> Option<&(UpgradeId, Entry)> {
        self.facts.get(&sequence)
    }

    /// The first fact from `sequence` on, and how many come after it.
    pub(super) fn from(&self, sequence: u64) -> Option<(UpgradeId, Entry, u64)> {
        let mut rest = self.facts.range(sequence..);
        let (_, (id, entry)) = rest.next()?;
        let behind = u64::try_from(rest.count()).unwrap_or(u64::MAX);
        Some((id.clone(), entry.clone(), behind))
    }

    /// How many facts there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.facts.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn last(&self) -> u64 {
        self.tail.last()
    }

    /// Makes sure of a consumer, which starts at `start` if it is new, and names its generation.
    pub(super) fn consumer(&mut self, name: &str, filter: Option<Owner>, start: u64) -> u64 {
        if let Some(consumer) = self.consumers.get(name) {
            return consumer.generation;
        }
        self.generation += 1;
        let consumer = Consumer::new(self.generation, filter, start);
        self.consumers.insert(name.to_owned(), consumer);
        self.generation
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.consumers.remove(name);
    }

    /// How much a consumer has still to deliver for the first time.
    pub(super) fn undelivered(&self, name: &str) -> usize {
        self.consumers.get(name).map_or(0, |consumer| {
            self.facts
                .range(consumer.next..)
                .filter(|(_, (_, entry))| consumer.takes(entry.next))
                .count()
        })
    }

    pub(super) fn unanswered(&self, name: &str) -> usize {
        let pending = self.consumers.get(name).map_or(0, Consumer::pending);
        pending + self.undelivered(name)
    }

    /// Takes the next delivery; none if the consumer was forgotten.
    pub(super) fn deliver(
        &mut self,
        name: &str,
        generation: u64,
        ack_wait: Duration,
        faults: &Faults,
    ) -> Option<Next> {
        let consumer = self
            .consumers
            .get_mut(name)
            .filter(|consumer| consumer.generation == generation)?;
        let now = Instant::now();
        let again = || now + faults.again().unwrap_or(ack_wait);
        while let Some((_, sequence)) = consumer.first_due().filter(|(due, _)| *due <= now) {
            if self.facts.contains_key(&sequence) {
                let before = consumer.deliver(sequence, again());
                return Some(Next::Fact(sequence, before));
            }
            consumer.forget(sequence);
        }
        while let Some((sequence, (_, entry))) = self.facts.range(consumer.next..).next() {
            consumer.next = sequence + 1;
            if !consumer.takes(entry.next) {
                continue;
            }
            if let Some(delay) = faults.delay() {
                consumer.postpone(*sequence, now + delay);
                continue;
            }
            let before = consumer.deliver(*sequence, again());
            return Some(Next::Fact(*sequence, before));
        }
        Some(Next::Later(consumer.first_due().map(|(due, _)| due)))
    }

    /// Answers a delivery: delivered again then, or never.
    pub(super) fn answer(&mut self, name: &str, sequence: u64, again: Option<Instant>) {
        if let Some(consumer) = self.consumers.get_mut(name) {
            match again {
                Some(due) => consumer.move_to(sequence, due),
                None => consumer.forget(sequence),
            }
        }
    }

    pub(super) fn write(
        &mut self,
        bucket: Bucket,
        key: &str,
        expected: u64,
        value: Value<'_>,
        now: Instant,
    ) -> Fate {
        let age = (bucket == Bucket::Cache).then_some(self.cache_age);
        let records = self.buckets.entry(bucket).or_default();
        let versions = records.keys.entry(key.to_owned()).or_default();
        if newest(versions, now, u64::MAX).map_or(0, |kept| kept.revision) != expected {
            return Fate::Conflict;
        }
        let revision = records.tail.store(now);
        // Whole seconds, from one, as a server counts them.
        let ttl = value.ttl.map(|ttl| {
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            Duration::from_secs(seconds.max(1))
        });
        versions.push_back(Version {
            kept: Kept {
                revision,
                bytes: bytes::Bytes::copy_from_slice(value.bytes),
                marker: value.marker,
            },
            expires: ttl.into_iter().chain(age).min().map(|time| now + time),
        });
        while versions.len() > VERSIONS {
            versions.pop_front();
        }
        Fate::Stored(revision)
    }

    pub(super) fn record(
        &self,
        bucket: Bucket,
        key: &str,
        behind: u64,
        now: Instant,
    ) -> Option<Kept> {
        let records = self.buckets.get(&bucket)?;
        let horizon = records.tail.horizon(behind, now);
        newest(records.keys.get(key)?, now, horizon)
    }

    pub(super) fn list(
        &self,
        bucket: Bucket,
        now: Instant,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        let Some(records) = self.buckets.get(&bucket) else {
            return Ok(Vec::new());
        };
        let there: Vec<(&String, Kept)> = records
            .keys
            .iter()
            .filter_map(|(key, versions)| Some((key, newest(versions, now, u64::MAX)?)))
            .collect();
        if there.len() > MANY {
            return Err(Unavailable::new(format!(
                "{} refused a read: too many results",
                bucket.as_str()
            )));
        }
        Ok(there
            .into_iter()
            .filter(|(_, kept)| !kept.marker)
            .map(|(key, kept)| (key.clone(), kept.bytes.to_vec()))
            .collect())
    }

    pub(super) fn intake(&mut self, record: &[u8], now: Instant) {
        self.intake.push_back((now, record.to_vec()));
    }

    pub(super) fn intakes(&mut self, limit: usize, now: Instant) -> Vec<Vec<u8>> {
        while let Some((at, _)) = self.intake.front()
            && now.duration_since(*at) >= self.intake_age
        {
            self.intake.pop_front();
        }
        let newest = self.intake.iter().rev().take(limit.min(1_000));
        newest.map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn archive(&mut self, id: &UpgradeId, summary: &[u8]) {
        self.archive.insert(id.clone(), summary.to_vec());
    }

    pub(super) fn archived(&self, id: &UpgradeId) -> Option<Vec<u8>> {
        self.archive.get(id).cloned()
    }

    pub(super) fn purge(&mut self, id: &UpgradeId) {
        for sequence in self.upgrades.remove(id).unwrap_or_default() {
            self.facts.remove(&sequence);
            for consumer in self.consumers.values_mut() {
                consumer.forget(sequence);
            }
        }
    }
}

/// The newest version that a copy has. What has expired is gone, and what it replaced as well.
fn newest(versions: &VecDeque<Version>, now: Instant, horizon: u64) -> Option<Kept> {
    let version = versions
        .iter()
        .rev()
        .find(|version| version.kept.revision <= horizon)?;
    let gone = version.expires.is_some_and(|expires| expires <= now);
    (!gone).then(|| version.kept.clone())
}
