//! The world around Bowline: a repository, CI, a cluster with its backup Jobs, and release notes.
//! It does what it is told, and remembers what was done to it.

mod backups;
mod ci;
mod cluster;
mod notes;
mod repository;

pub(crate) use backups::Dump;
pub(crate) use ci::Run;
use cluster::Outage;
pub(crate) use repository::Commit;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bus::{Clock as _, VirtualClock};
use job::Owner;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::ops::{BackupScript, CiScript, Health, Outside, SERVICES, VERSIONS};

/// What runs in the cluster for one service, since when.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) version: String,
    pub(crate) since_ms: i64,
    pub(crate) generation: i64,
    /// How it does; what is said of the version later speaks of later rollouts.
    pub(crate) health: Health,
}

/// A death that is to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) calls: u32,
    pub(crate) late: u64,
    pub(crate) steps: u32,
    pub(crate) down: u64,
}

/// Everything there is; a lock away from every port.
#[derive(Debug)]
pub(crate) struct Things {
    dice: Dice,
    pub(crate) commits: Vec<Commit>,
    built: HashMap<String, Commit>,
    pub(crate) runs: Vec<Run>,
    queue: VecDeque<usize>,
    /// By service; the last one is what runs now.
    pub(crate) live: Vec<Vec<Live>>,
    pub(crate) health: HashMap<(usize, String), Health>,
    pub(crate) dumps: Vec<Dump>,
    pub(crate) ci_scripts: VecDeque<CiScript>,
    pub(crate) backup_scripts: VecDeque<BackupScript>,
    away: HashMap<Outside, i64>,
    pub(crate) push_answer_lost: bool,
    pub(crate) push_refused: bool,
    trips: HashMap<Owner, Trip>,
    outages: Vec<Outage>,
    pub(crate) pauses: Vec<Paused>,
    pub(crate) told: Vec<(i64, String)>,
    /// What happened, to be counted.
    pub(crate) seen: Vec<&'static str>,
    began_ms: i64,
}

/// A time in which a person has surely paused one service, or all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paused {
    pub(crate) service: Option<usize>,
    pub(crate) since_ms: i64,
    /// Until then at least.
    pub(crate) until_ms: Option<i64>,
}

/// The world, seen by one service through its ports.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    things: Arc<Mutex<Things>>,
    pushed: Arc<Notify>,
    deaths: mpsc::UnboundedSender<(Owner, Trip)>,
    owner: Owner,
}

pub(crate) fn name(service: usize) -> String {
    format!("app{service}")
}

impl World {
    /// Everything runs the first version and is well. Deaths are told through the channel.
    pub(crate) fn new(seed: u64, deaths: mpsc::UnboundedSender<(Owner, Trip)>) -> World {
        let clock = VirtualClock::starting_at(1_700_000_000_000);
        // For long enough to be well.
        let since_ms = clock.now_ms() - 3_600_000;
        let first = Live {
            version: VERSIONS[0].to_owned(),
            since_ms,
            generation: 1,
            health: Health::Good,
        };
        let things = Things {
            dice: Dice::new(seed),
            commits: vec![Commit::first()],
            built: HashMap::new(),
            runs: Vec::new(),
            queue: VecDeque::new(),
            live: vec![vec![first]; SERVICES],
            health: HashMap::new(),
            dumps: Vec::new(),
            ci_scripts: VecDeque::new(),
            backup_scripts: VecDeque::new(),
            away: HashMap::new(),
            push_answer_lost: false,
            push_refused: false,
            trips: HashMap::new(),
            outages: Vec::new(),
            pauses: Vec::new(),
            told: Vec::new(),
            seen: Vec::new(),
            began_ms: clock.now_ms(),
        };
        World {
            clock,
            things: Arc::new(Mutex::new(things)),
            pushed: Arc::new(Notify::new()),
            deaths,
            owner: Owner::None,
        }
    }

    /// The same world, seen by this owner.
    pub(crate) fn seen_by(&self, owner: Owner) -> World {
        World {
            owner,
            ..self.clone()
        }
    }

    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().expect("no port panics")
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn tell(&self, what: impl Into<String>) {
        let entry = (self.now_ms(), what.into());
        self.things().told.push(entry);
    }

    /// Counts something that happened.
    pub(crate) fn saw(&self, what: &'static str) {
        self.things().seen.push(what);
    }

    /// Something outside is not reached for a while.
    pub(crate) fn go_away(&self, outside: Outside, seconds: u64) {
        let until = self.now_ms() + i64::try_from(seconds * 1_000).expect("small");
        self.things().away.insert(outside, until);
    }

    /// The owner dies after so many calls from now.
    pub(crate) fn trip(&self, owner: Owner, trip: Trip) {
        self.things().trips.insert(owner, trip);
    }

    /// Nothing goes wrong any more, and what was scripted is forgotten.
    pub(crate) fn calm(&self) {
        let now_ms = self.now_ms();
        let mut things = self.things();
        things.ci_scripts.clear();
        things.backup_scripts.clear();
        things.away.clear();
        things.trips.clear();
        things.end_outage(now_ms);
        things.push_answer_lost = false;
        things.push_refused = false;
    }

    /// One call of something outside: takes its time, may fail, and may be the last one of a process.
    async fn call(&self, outside: Outside) -> Result<(), String> {
        let now_ms = self.now_ms();
        let until_ms = self.things().away.get(&outside).copied();
        self.pass_by().await;
        if until_ms.is_some_and(|until_ms| now_ms < until_ms) {
            return Err(format!("{outside:?} is away"));
        }
        Ok(())
    }

    /// As [`World::call`], of something that never fails.
    async fn pass_by(&self) {
        let pause = {
            let mut things = self.things();
            if let Some(trip) = things.trips.get_mut(&self.owner) {
                if trip.calls == 0 {
                    let trip = *trip;
                    things.trips.remove(&self.owner);
                    // Nobody listens any more when the run is over.
                    let _over = self.deaths.send((self.owner, trip));
                } else {
                    trip.calls -= 1;
                }
            }
            things.dice.below(300)
        };
        sleep(Duration::from_millis(pause)).await;
    }
}
