//! The whole of Bowline in one process: the services' own work on the log in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{
    AppendError, History, Limits, Log, Memory, Pause, Rates, Scope, WindowSettings, Work, run_owner,
};
use ingest::filter::Filter;
use ingest::gate::{Answer, Gate};
use job::{Body, Cause, End, Owner, Phase, UpgradeId};
use runtime::Settings;
use runtime::config::Sources;
use terraform::Options;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use verifier::{Eyes, Times, Verifier};

use crate::ops::{Act, Op, VERSIONS, What};
use crate::world::{Paused, Trip, World, name};

/// What differs from the defaults, so that every rule has its turn within a day.
const SETTINGS: [(&str, &str); 21] = [
    ("instance", "model"),
    ("repository.url", "https://git.example.org/acme/infra"),
    ("repository.name", "acme/infra"),
    ("ci.url", "https://ci.example.org"),
    ("ci.workflow", "deploy"),
    ("ci.patience", "40m"),
    ("ci.undo_patience", "10m"),
    ("rate.max_upgrades_per_window", "3"),
    ("rate.window", "30m"),
    ("backup.max_age", "20m"),
    ("services.app0.backup.engine", "postgresql"),
    ("services.app0.backup.namespace", "db"),
    ("services.app1.backup.engine", "postgresql"),
    ("services.app1.backup.namespace", "db"),
    ("services.app2.approval", "true"),
    ("services.app0.url", "https://app0.example.org"),
    ("services.app1.url", "https://app1.example.org"),
    ("services.app2.url", "https://app2.example.org"),
    ("verify.caution", "5m"),
    ("executor.circuit_undos", "3"),
    ("mode", "auto"),
];

/// A running Bowline.
pub(crate) struct System {
    pub(crate) memory: Memory,
    pub(crate) world: World,
    pub(crate) settings: Settings,
    replicas: usize,
    gate: Arc<Gate>,
    processes: Mutex<HashMap<Owner, Vec<JoinHandle<()>>>>,
    answers: Mutex<Vec<Answered>>,
    asking: Mutex<Vec<JoinHandle<()>>>,
    pausing: Mutex<Vec<JoinHandle<()>>>,
}

/// An image and a tag that were asked for, and the answer.
type Answered = (String, String, Answer);

/// A person looks so often what waits for one.
const ATTENDED: Duration = Duration::from_secs(1_800);

impl System {
    /// Starts everything; the seed drives the faults, the world and the number of replicas.
    pub(crate) fn start(seed: u64) -> Arc<System> {
        let settings = settings();
        let (deaths, dying) = mpsc::unbounded_channel();
        let world = World::new(seed, deaths);
        let bus_settings = bus::Settings {
            clock: Arc::new(world.clock),
            // Nobody reads it.
            backlog_every: Duration::from_secs(24 * 3_600),
            ..bus::Settings::new(settings.instance.clone())
        };
        let memory = Memory::new(bus_settings, seed.rotate_left(32));
        memory.faults().set(rates(0));
        let filter = Filter {
            statuses: vec!["new".to_owned(), "update".to_owned()],
            skip_images: Vec::new(),
        };
        let gate = Gate::new(
            Arc::new(memory.clone()),
            settings.instance.clone(),
            settings.repository.name.clone(),
            filter,
            settings.ingest.nats_wait,
        );
        let system = Arc::new(System {
            memory,
            settings,
            replicas: 1 + usize::from(seed.is_multiple_of(3)),
            gate: Arc::new(gate),
            processes: Mutex::default(),
            answers: Mutex::default(),
            asking: Mutex::default(),
            pausing: Mutex::default(),
            world,
        });
        for owner in Owner::WITH_INBOX {
            for _ in 0..system.replicas {
                system.spawn(owner);
            }
        }
        let world = system.world.clone();
        tokio::spawn(async move { world.agent().await });
        tokio::spawn(Arc::clone(&system).reap(dying));
        tokio::spawn(Arc::clone(&system).attend());
        system
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.memory.clone())
    }

    /// One more process of this owner.
    fn spawn(&self, owner: Owner) {
        let work = self.work(owner);
        let running = run_owner(self.log(), owner, 4, work, CancellationToken::new());
        let process = if owner == Owner::Ingest {
            let sweeping = ingest::sweeping(
                self.log(),
                Arc::clone(&self.gate),
                self.settings.repository.name.clone(),
                self.window(),
                self.settings.bus.sweep,
                CancellationToken::new(),
            );
            tokio::spawn(async {
                tokio::join!(running, sweeping);
            })
        } else {
            tokio::spawn(running)
        };
        let mut processes = self.processes.lock().expect("whole");
        processes.entry(owner).or_default().push(process);
    }

    /// A person who reads that undos stopped the cluster and lets it go on, and approves what waits
    /// for that.
    async fn attend(self: Arc<System>) {
        // A run is over long before.
        for _ in 0..100_000 {
            sleep(ATTENDED).await;
            // Away now, there the next time.
            let _closed = bus::circuit::close_all(self.log().as_ref()).await;
            for history in self.histories().await {
                if history.state.phase == Phase::AwaitingApproval {
                    self.judged(&history.id, Act::Approve).await;
                }
            }
        }
    }

    fn window(&self) -> WindowSettings {
        WindowSettings {
            max: usize::try_from(self.settings.rate.max_upgrades_per_window).expect("small"),
            length: self.settings.rate.window,
        }
    }

    /// An owner's work, as its service puts it together.
    fn work(&self, owner: Owner) -> Arc<dyn Work> {
        let world = || Arc::new(self.world.seen_by(owner));
        match owner {
            Owner::Ingest => Arc::new(ingest::Admission::new(self.log(), self.window())),
            Owner::Analyzer => {
                let analyzer = analyzer::Analyzer::new(
                    analyzer::rules(&self.settings),
                    Options {
                        stacks: self.settings.repository.stacks.clone(),
                    },
                    self.log(),
                    world(),
                    world(),
                );
                Arc::new(analyzer.with_images(world()))
            }
            Owner::Executor | Owner::Undo => Arc::new(executor::Executor::new(
                executor::Config::from_settings(&self.settings),
                self.log(),
                world(),
                world(),
            )),
            Owner::Verifier | Owner::None => {
                let clock = self.log();
                let eyes = Eyes {
                    ci: world(),
                    cluster: world(),
                    probe: world(),
                    monitoring: None,
                    turns: None,
                    now_ms: Arc::new(move || clock.now_ms()),
                };
                Arc::new(Verifier::new(eyes, Times::default()))
            }
        }
    }

    /// Ends processes whose time has come, and starts them again.
    async fn reap(self: Arc<System>, mut dying: mpsc::UnboundedReceiver<(Owner, Trip)>) {
        while let Some((owner, trip)) = dying.recv().await {
            let system = Arc::clone(&self);
            tokio::spawn(async move { system.kill(owner, trip).await });
        }
    }

    async fn kill(&self, owner: Owner, trip: Trip) {
        sleep(Duration::from_millis(trip.late)).await;
        for _ in 0..trip.steps {
            yield_now().await;
        }
        let process = self
            .processes
            .lock()
            .expect("whole")
            .get_mut(&owner)
            .and_then(Vec::pop);
        let Some(process) = process else { return };
        self.world.tell(format!("{} dies", owner.as_str()));
        process.abort();
        self.world.saw("death");
        sleep(Duration::from_secs(trip.down)).await;
        self.world.tell(format!("{} is back", owner.as_str()));
        self.spawn(owner);
    }

    /// Lets all of it happen.
    pub(crate) async fn play(self: &Arc<System>, ops: &[Op]) {
        for op in ops {
            self.world.tell(format!("{:?}", op.what));
            self.act(&op.what).await;
            sleep(Duration::from_secs(op.then)).await;
        }
    }

    async fn act(self: &Arc<System>, what: &What) {
        let world = &self.world;
        match *what {
            What::Webhook {
                service,
                version,
                times,
            } => {
                let (image, tag) = (image(service), VERSIONS[version]);
                let body = format!(r#"{{"status":"new","image":"{image}:{tag}","digest":""}}"#);
                for _ in 0..times {
                    let (system, body) = (Arc::clone(self), body.clone());
                    let asking = async move { system.gate.announced(body.as_bytes()).await };
                    self.ask(&image, tag, asking);
                }
            }
            What::Ask { service, version } => {
                let (asked, tag) = (image(service), VERSIONS[version]);
                let (system, image) = (Arc::clone(self), asked.clone());
                let asking = async move { system.gate.asked(&image, tag, false, "alice").await };
                self.ask(&asked, tag, asking);
            }
            What::Kill {
                owner,
                calls,
                late,
                steps,
                down,
            } => {
                let trip = Trip {
                    calls,
                    late,
                    steps,
                    down,
                };
                if owner == Owner::Ingest {
                    let system = Arc::clone(self);
                    tokio::spawn(async move { system.kill(owner, trip).await });
                } else {
                    world.trip(owner, trip);
                }
            }
            What::LogAway(seconds) => self.memory.faults().go_away(Duration::from_secs(seconds)),
            What::Trouble(level) => self.memory.faults().set(rates(level)),
            What::Ci(script) => world.things().ci_scripts.push_back(script),
            What::Version {
                service,
                version,
                health,
            } => {
                let key = (service, VERSIONS[version].to_owned());
                world.things().health.insert(key, health);
            }
            What::Backup(script) => world.things().backup_scripts.push_back(script),
            What::Away(outside, seconds) => world.go_away(outside, seconds),
            What::PushAnswerLost => world.things().push_answer_lost = true,
            What::PushRefused => world.things().push_refused = true,
            What::Foreign(what) => world.foreign(what),
            What::Scheduled => world.scheduled(),
            What::NodeAway(seconds) => world.lose_node(seconds),
            What::Pause { service, seconds } => {
                let system = Arc::clone(self);
                let task = tokio::spawn(async move { system.pause(service, seconds).await });
                self.pausing.lock().expect("whole").push(task);
            }
            What::Limit(max) => {
                let system = Arc::clone(self);
                let task = tokio::spawn(async move { system.limit(max).await });
                self.pausing.lock().expect("whole").push(task);
            }
            What::Person { act, nth } => self.person(act, nth).await,
        }
    }

    fn ask(
        self: &Arc<System>,
        image: &str,
        tag: &str,
        asking: impl Future<Output = Answer> + Send + 'static,
    ) {
        let system = Arc::clone(self);
        let (image, tag) = (image.to_owned(), tag.to_owned());
        let task = tokio::spawn(async move {
            let answer = asking.await;
            system.world.tell(format!("answered: {answer:?}"));
            system.world.saw(match answer {
                Answer::Opened { .. } => "answer: opened",
                Answer::Duplicate { .. } => "answer: duplicate",
                Answer::Refused { .. } => "answer: refused",
                Answer::Unavailable { .. } => "answer: unavailable",
                Answer::Skipped { .. } | Answer::BadRequest { .. } | Answer::Spooled { .. } => {
                    "answer: other"
                }
            });
            let answered = (image, tag, answer);
            system.answers.lock().expect("whole").push(answered);
        });
        self.asking.lock().expect("whole").push(task);
    }

    /// A person pauses a service, or all of them, and after a while lets them go on.
    async fn pause(&self, service: Option<usize>, seconds: u64) {
        let scope = match service {
            None => Scope::All,
            Some(service) => Scope::Service {
                repository: self.settings.repository.name.clone(),
                service: name(service),
            },
        };
        let pause = Pause {
            scope: scope.clone(),
            by: "ada".to_owned(),
            why: String::new(),
            at_ms: self.world.now_ms(),
        };
        while bus::pause(&self.memory, &pause).await.is_err() {}
        self.world.saw("pause");
        self.world.tell(format!("{scope} is paused"));
        let paused = Paused {
            service,
            since_ms: self.world.now_ms(),
            until_ms: None,
        };
        self.world.things().pauses.push(paused);
        sleep(Duration::from_secs(seconds)).await;
        self.resume(&scope, service).await;
    }

    async fn resume(&self, scope: &Scope, service: Option<usize>) {
        let now_ms = self.world.now_ms();
        let ends = |paused: &&mut Paused| paused.service == service && paused.until_ms.is_none();
        for paused in self.world.things().pauses.iter_mut().filter(ends) {
            paused.until_ms = Some(now_ms);
        }
        while bus::resume(&self.memory, scope).await.is_err() {}
        self.world.tell(format!("{scope} may go on"));
    }

    /// A person lets so many upgrades into a window.
    async fn limit(&self, max: usize) {
        let (repository, limits) = (
            &self.settings.repository.name,
            Limits {
                max: Some(max),
                window_seconds: None,
            },
        );
        while bus::set_limits(&self.memory, repository, limits)
            .await
            .is_err()
        {}
        // As ingest does; if that fails, the sweep does it.
        let _admitted = bus::admit(&self.memory, repository, self.window(), None).await;
    }

    /// A person does something to the n-th upgrade to which it can be done, counted from the newest.
    async fn person(&self, act: Act, nth: usize) {
        let mut histories = self.histories().await;
        histories.retain(|history| {
            let phase = history.state.phase;
            let waits = matches!(phase, Phase::Stuck | Phase::Parked);
            match act {
                Act::Approve => phase == Phase::AwaitingApproval,
                Act::Cancel => !phase.is_end() && !waits,
                Act::Retry | Act::Resolve => waits,
                Act::Rollback => phase == Phase::Ended(End::Succeeded),
            }
        });
        histories.sort_by_key(|history| history.entries.first().map(|entry| entry.sequence));
        if histories.is_empty() {
            return;
        }
        let nth = histories.len() - 1 - nth % histories.len();
        self.judged(&histories[nth].id, act).await;
    }

    /// Appends what a person asks for, if it is legal, as ingest does.
    pub(crate) async fn judged(&self, id: &UpgradeId, act: Act) {
        for _ in 0..20 {
            let Ok(Some(history)) = self.memory.read(id).await else {
                continue;
            };
            let by = "ada".to_owned();
            let body = match act {
                Act::Approve => Body::Approved { by },
                Act::Cancel => Body::CancelRequested { by },
                Act::Retry => Body::RetryRequested { by },
                Act::Resolve => Body::Resolved {
                    to: history.state.live().to_owned(),
                    by,
                },
                Act::Rollback => Body::RollbackRequested {
                    cause: Cause::Person,
                    evidence: "asked for".to_owned(),
                },
            };
            // Only the verifier asks for an undo of what is not over.
            if act == Act::Rollback && !history.state.phase.is_end() {
                return;
            }
            match self.memory.append(id, Some(&history), body).await {
                Ok(_) | Err(AppendError::Illegal(_)) => return,
                Err(AppendError::Conflict | AppendError::Unavailable(_)) => {}
            }
        }
    }

    /// The end of all trouble.
    pub(crate) async fn calm(&self) {
        self.memory.faults().end();
        self.world.calm();
        let asking = std::mem::take(&mut *self.asking.lock().expect("whole"));
        for task in asking {
            task.await.expect("the gate does not panic");
        }
        let pausing = std::mem::take(&mut *self.pausing.lock().expect("whole"));
        for task in pausing {
            task.abort();
        }
        let pauses = bus::pauses(&self.memory).await.expect("calm");
        for pause in pauses {
            bus::resume(&self.memory, &pause.scope).await.expect("calm");
        }
        let now_ms = self.world.now_ms();
        for paused in &mut self.world.things().pauses {
            paused.until_ms = paused.until_ms.or(Some(now_ms));
        }
        let repository = &self.settings.repository.name;
        let forgotten = bus::forget_limits(&self.memory, repository).await;
        forgotten.expect("calm");
    }

    pub(crate) fn answers(&self) -> Vec<Answered> {
        self.answers.lock().expect("whole").clone()
    }

    /// Every upgrade, as the log tells it.
    pub(crate) async fn histories(&self) -> Vec<History> {
        let mut histories = Vec::new();
        for id in self.memory.upgrades() {
            for _ in 0..20 {
                if let Ok(read) = self.memory.read(&id).await {
                    histories.extend(read);
                    break;
                }
            }
        }
        histories
    }
}

fn image(service: usize) -> String {
    format!("docker.io/acme/{}", name(service))
}

fn rates(level: u32) -> Rates {
    Rates {
        lost_requests: level * 15,
        lost_answers: level * 15,
        duplicates: level * 30,
        delays: level * 20,
        stale_reads: level * 40,
        // A process dies between a request and its answer only if there is time.
        slow: 200 + level * 100,
    }
}

fn settings() -> Settings {
    let sources = Sources {
        overrides: SETTINGS
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    };
    Settings::load(&sources).expect("settings of the model")
}
