//! A Kubernetes API server with a simulated cluster behind it: rollouts, crash loops, Jobs.

mod api;
mod deletion;
mod job;
mod pod;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::job::Job;
pub use self::job::JobBehaviour;
use self::workload::Running;
pub use self::workload::{Kind, Workload};
use crate::server::{Server, lock};

/// A stub cluster; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Cluster {
    state: Arc<Mutex<State>>,
    server: Arc<Server>,
}

/// What pods with an image do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Starts and stays ready.
    Healthy,
    /// Ready for a moment, ends with 1, backs off, and again.
    CrashLoop,
    /// Healthy for a while after its start, then a crash loop.
    CrashAfter(Duration),
    /// `ErrImagePull` and `ImagePullBackOff` in turns.
    ImagePullBackOff,
    /// Runs, but its readiness probe never passes.
    NeverReady,
    /// As a crash loop, killed for its memory (137).
    OomKilled,
}

/// A Job that was created, also if it is gone by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedJob {
    /// The namespace it was created in.
    pub namespace: String,
    /// The Job's name.
    pub name: String,
}

/// Plural, namespace, name.
type Key = (String, String, String);

#[derive(Clone, Copy, Debug)]
struct Delays {
    rollout: Duration,
    grace: Duration,
    job: Duration,
    job_grace: Duration,
    progress_deadline: Duration,
}

#[derive(Debug)]
struct State {
    delays: Delays,
    workloads: Vec<Running>,
    cronjobs: Vec<Value>,
    jobs: Vec<Job>,
    created: Vec<(String, String)>,
    namespaces: BTreeSet<String>,
    images: Vec<(String, Behaviour)>,
    job_behaviours: BTreeMap<(String, String), JobBehaviour>,
    forbidden: BTreeSet<(String, String)>,
    /// The only node's reboots: from, to.
    reboots: Vec<(Timestamp, Timestamp)>,
    unavailable: bool,
    latency: Duration,
    requests: usize,
    serial: u64,
    version: u64,
    objects: BTreeMap<Key, (u64, Value)>,
    deleted: BTreeMap<Key, Value>,
}

impl Cluster {
    /// Starts an empty cluster whose rollouts take 200 ms and Jobs 300 ms.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            delays: Delays {
                rollout: Duration::from_millis(200),
                grace: Duration::from_millis(100),
                job: Duration::from_millis(300),
                job_grace: Duration::from_millis(100),
                progress_deadline: Duration::from_secs(600),
            },
            workloads: Vec::new(),
            cronjobs: Vec::new(),
            jobs: Vec::new(),
            created: Vec::new(),
            namespaces: BTreeSet::from(["default".to_owned()]),
            images: Vec::new(),
            job_behaviours: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            reboots: Vec::new(),
            unavailable: false,
            latency: Duration::ZERO,
            requests: 0,
            serial: 0,
            version: 1_000,
            objects: BTreeMap::new(),
            deleted: BTreeMap::new(),
        }));
        let router = Router::new()
            .fallback(api::answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("kubernetes", router)?),
        })
    }

    /// The API server's address (plain HTTP, no credentials).
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// Adds a workload whose pods have been running for a day.
    pub fn add(&self, workload: Workload) {
        let now = Timestamp::now();
        let mut state = lock(&self.state);
        state.namespaces.insert(workload.namespace.clone());
        let uid = state.uid();
        let serial = state.next_serial();
        let running = Running::add(workload, uid, serial, |image| state.behaviour(image), now);
        state.workloads.push(running);
    }

    /// Adds a Deployment with one replica of these `(name, image)` containers.
    pub fn add_deployment(
        &self,
        namespace: &str,
        name: &str,
        labels: &[(&str, &str)],
        containers: &[(&str, &str)],
    ) {
        let mut workload = Workload::new(Kind::Deployment, namespace, name);
        for (key, value) in labels {
            workload = workload.label(key, value);
        }
        for (container, image) in containers {
            workload = workload.container(container, image);
        }
        self.add(workload);
    }

    /// Adds a `CronJob` with one container and the usual settings of a backup: TTL 10 s.
    pub fn add_cronjob(&self, namespace: &str, name: &str, image: &str) {
        let spec = json!({
            "schedule": "0 3 * * *", "concurrencyPolicy": "Replace", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": {"app": name}}, "spec": {
                "ttlSecondsAfterFinished": 10, "backoffLimit": 3,
                "template": {"metadata": {"labels": {"app": name}}, "spec": {
                    "restartPolicy": "OnFailure",
                    "containers": [{"name": "backup", "image": image, "command": ["/dump.sh"]}]}},
            }},
        });
        self.add_cronjob_with(namespace, name, spec);
    }

    /// Adds a `CronJob` with exactly this specification.
    pub fn add_cronjob_with(&self, namespace: &str, name: &str, spec: Value) {
        let mut state = lock(&self.state);
        state.namespaces.insert(namespace.to_owned());
        let uid = state.uid();
        let created = pod::time(Timestamp::now() - Duration::from_secs(86_400));
        state.cronjobs.push(json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "generation": 1,
                         "creationTimestamp": created},
            "spec": spec, "status": {},
        }));
    }

    /// Changes a container's image, as terraform's apply does, and lets it roll out.
    ///
    /// Returns whether there is such a container; the same image again changes nothing.
    pub fn set_image(&self, namespace: &str, name: &str, container: &str, image: &str) -> bool {
        self.set_images(namespace, name, &[(container, image)])
    }

    /// Changes several containers' images of one workload in one rollout.
    pub fn set_images(&self, namespace: &str, name: &str, images: &[(&str, &str)]) -> bool {
        let now = Timestamp::now();
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        state.serial += 1;
        let (serial, delays, behaviours) = (state.serial, state.delays, &state.images);
        let Some(workload) = find(&mut state.workloads, namespace, name) else {
            return false;
        };
        let before = workload.spec.containers.clone();
        let mut found = true;
        for (container, image) in images {
            let mut same = workload
                .spec
                .containers
                .iter_mut()
                .filter(|c| c.name == *container);
            match same.next() {
                Some(container) => (*image).clone_into(&mut container.image),
                None => found = false,
            }
        }
        if workload.spec.containers != before {
            workload.roll_out(serial, |image| behaviour(behaviours, image), delays, now);
        }
        found
    }

    /// What pods do whose image matches the glob (`*` only); the latest matching call counts, and
    /// only for pods that are created after it.
    pub fn image_behaviour(&self, glob: &str, behaviour: Behaviour) {
        lock(&self.state).images.push((glob.to_owned(), behaviour));
    }

    /// How Jobs made from this `CronJob` go from now on.
    pub fn job_behaviour(&self, namespace: &str, cronjob: &str, behaviour: JobBehaviour) {
        let key = (namespace.to_owned(), cronjob.to_owned());
        lock(&self.state).job_behaviours.insert(key, behaviour);
    }

    /// From the change of an image until the new containers run.
    pub fn rollout_delay(&self, delay: Duration) {
        lock(&self.state).delays.rollout = delay;
    }

    /// From a Job's creation to its end.
    pub fn job_delay(&self, delay: Duration) {
        lock(&self.state).delays.job = delay;
    }

    /// How long the running pod of a deleted Job takes to end; also of one that was deleted before.
    pub fn job_grace(&self, grace: Duration) {
        lock(&self.state).delays.job_grace = grace;
    }

    /// After how long a Deployment that gets nowhere says `ProgressDeadlineExceeded`.
    pub fn progress_deadline(&self, deadline: Duration) {
        lock(&self.state).delays.progress_deadline = deadline;
    }

    /// The only node goes away for a while, and all pods with it; they restart when it is back.
    pub fn reboot(&self, takes: Duration) {
        let now = Timestamp::now();
        let mut state = lock(&self.state);
        state.reboots.push((now, now + takes));
        for workload in &mut state.workloads {
            workload.reboot(now, now + takes);
        }
    }

    /// Makes every answer wait.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }

    /// While set, every request is answered 503.
    pub fn unavailable(&self, yes: bool) {
        lock(&self.state).unavailable = yes;
    }

    /// Takes a right away (`create`, `jobs`): 403 from now on.
    pub fn forbid(&self, verb: &str, plural: &str) {
        lock(&self.state)
            .forbidden
            .insert((verb.to_owned(), plural.to_owned()));
    }

    /// A person deletes a workload's pods, which is how a stuck `StatefulSet` goes on.
    pub fn delete_pods(&self, namespace: &str, name: &str) {
        let mut state = lock(&self.state);
        let delays = state.delays;
        if let Some(workload) = find(&mut state.workloads, namespace, name) {
            workload.delete_pods(delays, Timestamp::now());
        }
    }

    /// The image a container runs in ready pods that are not being stopped, if there are any.
    #[must_use]
    pub fn live_image(&self, namespace: &str, name: &str, container: &str) -> Option<String> {
        let mut state = lock(&self.state);
        let workload = find(&mut state.workloads, namespace, name)?;
        workload.live_image(container, Timestamp::now())
    }

    /// The image the workload's template names for a container.
    #[must_use]
    pub fn template_image(&self, namespace: &str, name: &str, container: &str) -> Option<String> {
        let mut state = lock(&self.state);
        let workload = find(&mut state.workloads, namespace, name)?;
        let mut same = workload
            .spec
            .containers
            .iter()
            .filter(|found| found.name == container);
        same.next().map(|found| found.image.clone())
    }

    /// Whether a Service in front of the workload would find a ready pod now.
    #[must_use]
    pub fn serves(&self, namespace: &str, name: &str) -> bool {
        let mut state = lock(&self.state);
        let workload = find(&mut state.workloads, namespace, name);
        workload.is_some_and(|workload| workload.serves(Timestamp::now()))
    }

    /// Every Job that was ever created over the API, oldest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<CreatedJob> {
        let jobs = lock(&self.state).created.clone();
        jobs.into_iter()
            .map(|(namespace, name)| CreatedJob { namespace, name })
            .collect()
    }

    /// How many pods of Jobs run now, also such whose Job is deleted or gone.
    #[must_use]
    pub fn running_jobs(&self) -> usize {
        let now = Timestamp::now();
        let state = lock(&self.state);
        let grace = state.delays.job_grace;
        state.jobs.iter().filter(|job| job.runs(now, grace)).count()
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }
}

impl State {
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn uid(&mut self) -> String {
        let serial = self.next_serial();
        format!("5f0c1e2d-77aa-4b3c-9d10-{serial:012x}")
    }

    fn behaviour(&self, image: &str) -> Behaviour {
        behaviour(&self.images, image)
    }

    fn job_behaviour(&self, namespace: &str, cronjob: &str) -> JobBehaviour {
        let key = (namespace.to_owned(), cronjob.to_owned());
        self.job_behaviours
            .get(&key)
            .copied()
            .unwrap_or(JobBehaviour::Completes)
    }

    fn node(&self, now: Timestamp) -> Value {
        let last = self.reboots.iter().rev().find(|(from, _)| *from <= now);
        let past = Timestamp::UNIX_EPOCH;
        let (ready, moved) = match last {
            None => ("True", past),
            Some((from, to)) if now < *to => ("Unknown", *from),
            Some((_, to)) => ("True", *to),
        };
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "node-1", "uid": "node-1", "creationTimestamp": pod::time(past)},
            "spec": {},
            "status": {"conditions": [pod::since(pod::condition("Ready", ready, ""), moved)]},
        })
    }

    /// Renders everything as it is now; what differs from last time gets a new resource version.
    fn refresh(&mut self, now: Timestamp) {
        let grace = self.delays.job_grace;
        self.jobs.retain(|job| job.exists(now, grace));
        let mut rendered: Vec<(&'static str, Value)> = Vec::new();
        for workload in &self.workloads {
            workload.render(now, self.delays, &mut rendered);
        }
        rendered.extend(
            self.cronjobs
                .iter()
                .map(|cronjob| ("cronjobs", cronjob.clone())),
        );
        for job in &self.jobs {
            job.render(now, grace, &mut rendered);
        }
        rendered.push(("nodes", self.node(now)));
        let mut before = std::mem::take(&mut self.objects);
        for (plural, mut object) in rendered {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or("").to_owned();
            let key = (plural.to_owned(), text("namespace"), text("name"));
            let old = before.remove(&key);
            let version = match &old {
                Some((version, _)) => *version,
                None => 0,
            };
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            let version = match old {
                Some((version, old)) if old == object => version,
                _ => {
                    self.version += 1;
                    object["metadata"]["resourceVersion"] = json!(self.version.to_string());
                    self.version
                }
            };
            self.objects.insert(key, (version, object));
        }
        if !before.is_empty() {
            self.version += 1;
        }
        self.deleted
            .extend(before.into_iter().map(|(key, (_, object))| (key, object)));
    }
}

fn find<'a>(workloads: &'a mut [Running], namespace: &str, name: &str) -> Option<&'a mut Running> {
    workloads
        .iter_mut()
        .find(|found| found.spec.namespace == namespace && found.spec.name == name)
}

fn behaviour(images: &[(String, Behaviour)], image: &str) -> Behaviour {
    let mut matching = images.iter().rev().filter(|(glob, _)| matches(glob, image));
    matching
        .next()
        .map_or(Behaviour::Healthy, |(_, behaviour)| *behaviour)
}

/// A glob whose only wildcard is `*`.
fn matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.filter_map(|at| text.get(at..))
                .any(|tail| matches(rest, tail))
        }),
    }
}

#[cfg(test)]
mod tests;
