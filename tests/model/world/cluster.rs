//! The cluster: one Deployment with one pod for each service, on two nodes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use job::Target;
use verifier::ports::{
    Ailment, Answer, Cluster, Node, Pod, Probe, Rollout, Surroundings, Trouble, Unknown, Workload,
};

use super::{Live, Things, World, name};
use crate::ops::{Health, Outside, SERVICES};

/// A rollout takes so long.
const ROLLOUT_MS: i64 = 20_000;
/// The services whose pods are on the node that goes away at times.
const ON_THE_FIRST_NODE: [usize; 2] = [0, 1];

/// How a version does after it has run for so long.
fn well(health: Health, age_ms: i64) -> bool {
    let millis = |seconds: u64| i64::try_from(seconds).expect("small") * 1_000;
    age_ms >= ROLLOUT_MS
        && match health {
            Health::Good => true,
            Health::CrashLoop | Health::OutOfMemory | Health::NeverReady | Health::Broken => false,
            Health::Slow(seconds) => age_ms >= millis(seconds),
            Health::Late(seconds) => age_ms < ROLLOUT_MS + millis(seconds),
        }
}

impl Live {
    /// Whether it does well by itself.
    pub(crate) fn is_well(&self, at_ms: i64) -> bool {
        well(self.health, at_ms - self.since_ms)
    }
}

/// A time in which the first node was not there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    since_ms: i64,
    until_ms: i64,
}

impl Outage {
    fn covers(self, at_ms: i64) -> bool {
        (self.since_ms..self.until_ms).contains(&at_ms)
    }
}

impl Things {
    /// What a service ran then.
    pub(crate) fn live_at(&self, service: usize, at_ms: i64) -> Option<&Live> {
        let lives = self.live[service].iter();
        lives.rev().find(|live| live.since_ms <= at_ms)
    }

    /// Whether a service did well then, and its node was there.
    pub(crate) fn is_well(&self, service: usize, at_ms: i64) -> bool {
        let live = self.live_at(service, at_ms);
        live.is_some_and(|live| live.is_well(at_ms)) && !self.is_cut_off(service, at_ms)
    }

    fn is_cut_off(&self, service: usize, at_ms: i64) -> bool {
        let away = self.outages.iter().any(|outage| outage.covers(at_ms));
        ON_THE_FIRST_NODE.contains(&service) && away
    }

    /// When the service's pod came back with its node, each time since then.
    fn returns(&self, service: usize, since_ms: i64, now_ms: i64) -> Vec<i64> {
        let outages = self.outages.iter();
        outages
            .filter(|outage| ON_THE_FIRST_NODE.contains(&service) && outage.until_ms > since_ms)
            .map(|outage| outage.until_ms)
            .filter(|until_ms| *until_ms <= now_ms)
            .collect()
    }

    /// The node is there again.
    pub(super) fn end_outage(&mut self, now_ms: i64) {
        for outage in &mut self.outages {
            outage.until_ms = outage.until_ms.min(now_ms);
        }
    }
}

impl World {
    /// The first node goes away for so long.
    pub(crate) fn lose_node(&self, seconds: u64) {
        let since_ms = self.now_ms();
        let mut things = self.things();
        let there = !things.outages.iter().any(|outage| outage.covers(since_ms));
        if there {
            let until_ms = since_ms + i64::try_from(seconds * 1_000).expect("small");
            things.outages.push(Outage { since_ms, until_ms });
        }
    }

    fn workload(&self, service: usize, live: &Live) -> Workload {
        let health = live.health;
        let now_ms = self.now_ms();
        let age_ms = now_ms - live.since_ms;
        let things = self.things();
        let cut_off = things.is_cut_off(service, now_ms);
        let returns = things.returns(service, live.since_ms, now_ms);
        let well = live.is_well(now_ms);
        let crashed = !well
            && age_ms >= ROLLOUT_MS
            && matches!(
                health,
                Health::CrashLoop | Health::OutOfMemory | Health::Late(_)
            );
        // Its pod is ready, whatever it answers.
        let ready = !cut_off && (well || (health == Health::Broken && age_ms >= ROLLOUT_MS));
        let trouble = |ailment, text: &str| Trouble {
            ailment,
            text: text.to_owned(),
        };
        let troubles = match health {
            Health::OutOfMemory if crashed => vec![trouble(Ailment::OutOfMemory, "OOMKilled")],
            _ if crashed => vec![trouble(Ailment::CrashLoop, "CrashLoopBackOff")],
            _ => Vec::new(),
        };
        let image = format!("docker.io/acme/{}:{}", name(service), live.version);
        let restarts = u32::try_from(returns.len()).expect("few");
        Workload {
            generation: live.generation,
            replicas: 1,
            images: BTreeMap::from([(name(service), image)]),
            init_images: BTreeMap::new(),
            rollout: if age_ms < ROLLOUT_MS || (!ready && !crashed) {
                Rollout::Moving("0 of 1 ready".to_owned())
            } else {
                Rollout::Done
            },
            pods: vec![Pod {
                uid: format!("{service}-{}", live.generation),
                name: format!("{}-{}", name(service), live.generation),
                newest: true,
                ready,
                restarts: restarts + if crashed { 4 } else { 0 },
                last_end_ms: if crashed {
                    Some(now_ms - 1_000)
                } else {
                    returns.last().copied()
                },
                troubles,
            }],
        }
    }
}

#[async_trait]
impl Cluster for World {
    async fn workload(&self, _cluster: &str, target: &Target) -> Result<Option<Workload>, Unknown> {
        self.call(Outside::Cluster).await.map_err(Unknown)?;
        let Some(service) = (0..SERVICES).find(|service| name(*service) == target.name) else {
            return Ok(None);
        };
        let live = self.things().live[service].last().cloned();
        Ok(live.map(|live| World::workload(self, service, &live)))
    }

    /// Nothing else runs here; the second node never goes away.
    async fn surroundings(&self, _cluster: &str) -> Surroundings {
        if let Err(why) = self.call(Outside::Cluster).await {
            return Surroundings {
                unknown: Some(Unknown(why)),
                ..Surroundings::default()
            };
        }
        let now_ms = self.now_ms();
        let things = self.things();
        let long_ago_ms = things.began_ms - 3_600_000;
        let moved = things.outages.last().map_or((true, long_ago_ms), |outage| {
            if outage.covers(now_ms) {
                (false, outage.since_ms)
            } else {
                (true, outage.until_ms)
            }
        });
        let node = |name: &str, (ready, since_ms)| Node {
            name: name.to_owned(),
            ready,
            since_ms,
        };
        Surroundings {
            nodes: vec![node("n1", moved), node("n2", (true, long_ago_ms))],
            ..Surroundings::default()
        }
    }
}

#[async_trait]
impl Probe for World {
    /// While a version is rolled out, the one before answers.
    async fn ask(&self, address: &str, _insecure: bool) -> Answer {
        self.pass_by().await;
        let now_ms = self.now_ms();
        let things = self.things();
        let service = (0..SERVICES).find(|service| address.contains(&name(*service)));
        let service = service.expect("the address of a service");
        let live = things.live_at(service, now_ms).expect("something runs");
        let moving = now_ms - live.since_ms < ROLLOUT_MS;
        let broken = match live.health {
            Health::Broken => true,
            Health::Late(_) => !live.is_well(now_ms),
            // It is not ready, so that nothing is sent to it.
            _ => false,
        };
        if things.is_cut_off(service, now_ms) {
            return Answer {
                status: 0,
                why: "connection refused".to_owned(),
            };
        }
        Answer {
            status: if broken && !moving { 502 } else { 200 },
            why: String::new(),
        }
    }
}
