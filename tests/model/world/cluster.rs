//! The cluster: one Deployment with one pod for each service.

use std::collections::BTreeMap;

use async_trait::async_trait;
use job::Target;
use verifier::ports::{
    Ailment, Answer, Cluster, Pod, Probe, Rollout, Surroundings, Trouble, Unknown, Workload,
};

use super::{Live, World, name};
use crate::ops::{Health, Outside, SERVICES};

/// A rollout takes so long.
const ROLLOUT_MS: i64 = 20_000;

/// How a version does after it has run for so long.
pub(crate) fn well(health: Health, age_ms: i64) -> bool {
    age_ms >= ROLLOUT_MS
        && match health {
            Health::Good => true,
            Health::CrashLoop | Health::OutOfMemory | Health::NeverReady => false,
            Health::Slow(seconds) => age_ms >= i64::try_from(seconds).expect("small") * 1_000,
            Health::Late(seconds) => {
                age_ms < ROLLOUT_MS + i64::try_from(seconds).expect("small") * 1_000
            }
        }
}

impl World {
    fn workload(&self, service: usize, live: &Live) -> Workload {
        let health = live.health;
        let age_ms = self.now_ms() - live.since_ms;
        let well = well(health, age_ms);
        let crashed = !well
            && age_ms >= ROLLOUT_MS
            && matches!(
                health,
                Health::CrashLoop | Health::OutOfMemory | Health::Late(_)
            );
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
        Workload {
            generation: live.generation,
            replicas: 1,
            images: BTreeMap::from([(name(service), image)]),
            init_images: BTreeMap::new(),
            rollout: if age_ms < ROLLOUT_MS || (!well && !crashed) {
                Rollout::Moving("0 of 1 ready".to_owned())
            } else {
                Rollout::Done
            },
            pods: vec![Pod {
                uid: format!("{service}-{}", live.generation),
                name: format!("{}-{}", name(service), live.generation),
                newest: true,
                ready: well,
                restarts: if crashed { 4 } else { 0 },
                last_end_ms: crashed.then(|| self.now_ms() - 1_000),
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

    /// Nothing else is ill here, and no node goes away.
    async fn surroundings(&self, _cluster: &str) -> Surroundings {
        Surroundings::default()
    }
}

#[async_trait]
impl Probe for World {
    async fn ask(&self, _address: &str, _insecure: bool) -> Answer {
        Answer {
            status: 200,
            why: String::new(),
        }
    }
}
