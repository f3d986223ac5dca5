//! Workloads and their pods as functions of time: what was changed when decides what is seen now.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pod::{self, Phase};
use super::{Behaviour, Delays};

/// The three kinds of long-running workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pods through a `ReplicaSet` per template.
    Deployment,
    /// Pods with fixed names; a broken one blocks the rollout, even back to the old template.
    StatefulSet,
    /// One pod per node; the stub has as many nodes as replicas.
    DaemonSet,
}

/// A workload as `Cluster::add` takes it.
#[derive(Clone, Debug)]
pub struct Workload {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) containers: Vec<Container>,
    pub(super) replicas: u64,
    pub(super) recreate: bool,
    pub(super) release: Option<(String, String)>,
}

/// One container of the template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) init: bool,
}

impl Workload {
    /// A workload with one replica and without containers yet.
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: Vec::new(),
            containers: Vec::new(),
            replicas: 1,
            recreate: false,
            release: None,
        }
    }

    /// A label of the workload and its pods, selected by.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A container of the pods.
    #[must_use]
    pub fn container(self, name: &str, image: &str) -> Self {
        self.with(name, image, false)
    }

    /// An init container of the pods.
    #[must_use]
    pub fn init(self, name: &str, image: &str) -> Self {
        self.with(name, image, true)
    }

    /// How many pods it wants; 0 passes every rollout check trivially.
    #[must_use]
    pub fn replicas(mut self, replicas: u64) -> Self {
        self.replicas = replicas;
        self
    }

    /// Takes the old pods down before the new ones come: for a while there are none.
    #[must_use]
    pub fn recreate(mut self) -> Self {
        self.recreate = true;
        self
    }

    /// A part of a Helm release in the same namespace, with the label of its chart if one is given.
    #[must_use]
    pub fn of_release(mut self, release: &str, chart: &str) -> Self {
        self.release = Some((release.to_owned(), chart.to_owned()));
        self
    }

    fn with(mut self, name: &str, image: &str, init: bool) -> Self {
        self.containers.push(Container {
            name: name.to_owned(),
            image: image.to_owned(),
            init,
        });
        self
    }
}

/// One template the workload had, and the pods it got.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) hash: String,
    pub(super) containers: Vec<(Container, Behaviour)>,
    /// When the specification was changed.
    changed: Timestamp,
    /// When the controller saw that.
    observed: Timestamp,
    /// When its pods come; never, if a broken pod of a `StatefulSet` blocks it.
    created: Option<Timestamp>,
    /// When its containers start.
    starts: Timestamp,
    /// When its pods are told to stop, and when they are gone.
    stops: Option<(Timestamp, Timestamp)>,
    /// When its node was away: from, to.
    reboots: Vec<(Timestamp, Timestamp)>,
    serial: u64,
}

/// A workload in the cluster.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) spec: Workload,
    pub(super) uid: String,
    pub(super) added: Timestamp,
    pub(super) generation: u64,
    pub(super) revisions: Vec<Revision>,
}

impl Revision {
    fn sick(&self) -> Option<Behaviour> {
        self.containers
            .iter()
            .map(|(_, behaviour)| *behaviour)
            .find(|b| *b != Behaviour::Healthy)
    }

    /// When its pods are ready for the first time.
    fn ready(&self) -> Option<Timestamp> {
        self.created?;
        let never = |(container, behaviour): &(Container, Behaviour)| match behaviour {
            Behaviour::ImagePullBackOff | Behaviour::NeverReady => true,
            Behaviour::CrashLoop | Behaviour::OomKilled => container.init,
            Behaviour::Healthy | Behaviour::CrashAfter(_) => false,
        };
        (!self.containers.iter().any(never)).then_some(self.starts)
    }

    fn exists(&self, now: Timestamp) -> bool {
        self.created.is_some_and(|at| at <= now) && self.stops.is_none_or(|(_, gone)| now < gone)
    }

    pub(super) fn serves(&self, now: Timestamp) -> bool {
        let stopping = self.stops.is_some_and(|(at, _)| at <= now);
        self.exists(now) && !stopping && self.phase(now).is_some_and(|phase| phase.ready)
    }

    pub(super) fn phase(&self, now: Timestamp) -> Option<Phase> {
        let created = self.created?;
        let phase = pod::phase(&self.containers, created, self.starts, now);
        Some(pod::rebooted(phase, &self.reboots, created, now))
    }
}

impl Running {
    /// Brings a workload up that has been running for a day.
    pub(super) fn add(
        spec: Workload,
        uid: String,
        serial: u64,
        behave: impl Fn(&str) -> Behaviour,
        now: Timestamp,
    ) -> Self {
        let past = now - Duration::from_secs(86_400);
        let mut running = Self {
            spec,
            uid,
            added: past,
            generation: 1,
            revisions: Vec::new(),
        };
        let containers = running.template(&behave);
        running.revisions.push(Revision {
            hash: hash(&running.spec.containers),
            containers,
            changed: past,
            observed: past,
            created: Some(past),
            starts: past,
            stops: None,
            reboots: Vec::new(),
            serial,
        });
        running
    }

    fn template(&self, behave: impl Fn(&str) -> Behaviour) -> Vec<(Container, Behaviour)> {
        let containers = self.spec.containers.iter();
        containers
            .map(|found| (found.clone(), behave(&found.image)))
            .collect()
    }

    /// Rolls the present template out; `serial` makes the new pods' names differ.
    pub(super) fn roll_out(
        &mut self,
        serial: u64,
        behave: impl Fn(&str) -> Behaviour,
        delays: Delays,
        now: Timestamp,
    ) {
        self.generation += 1;
        let observed = now + delays.rollout / 4;
        let containers = self.template(behave);
        // At most one older revision has pods that nobody has told to stop.
        let rolling = self.spec.kind == Kind::Deployment && !self.spec.recreate;
        let stateful = self.spec.kind == Kind::StatefulSet;
        let newest_waits = self
            .revisions
            .last()
            .is_some_and(|old| old.created.is_none());
        let blocked =
            stateful && (newest_waits || self.alive(now).any(|old| old.ready().is_none()));
        // Between the last old pod's end and the first new pod's creation there is a gap.
        let created = if rolling {
            observed
        } else {
            observed + delays.grace + delays.rollout / 4
        };
        let mut new = Revision {
            hash: hash(&self.spec.containers),
            containers,
            changed: now,
            observed,
            created: (!blocked).then_some(created),
            starts: created + delays.rollout * 3 / 4,
            stops: None,
            reboots: Vec::new(),
            serial,
        };
        // Back to a template whose pods are still there: they simply stay.
        if rolling
            && let Some(kept) = self.revisions.iter().position(|old| {
                old.hash == new.hash && old.exists(now) && old.stops.is_none_or(|(at, _)| at > now)
            })
        {
            let kept = self.revisions.remove(kept);
            new = Revision {
                changed: now,
                observed,
                stops: None,
                ..kept
            };
        }
        let ready = new.ready();
        for old in &mut self.revisions {
            // A stop that waited for a revision that is now overtaken is planned anew.
            if old.stops.is_some_and(|(at, _)| at > now) {
                old.stops = None;
            }
            if old.stops.is_some() || blocked {
                continue;
            }
            let broken = old.sick().is_some();
            let at = match (rolling && !broken, ready) {
                (true, ready) => ready,
                (false, _) => Some(observed),
            };
            old.stops = at.map(|at| (at, at + delays.grace));
        }
        self.revisions.push(new);
        // Pods that are long gone are forgotten; the newest revision stays.
        self.revisions
            .retain(|old| old.stops.is_none_or(|(_, gone)| gone > now));
    }

    /// The node under its pods goes away for a while.
    pub(super) fn reboot(&mut self, from: Timestamp, to: Timestamp) {
        for revision in &mut self.revisions {
            revision.reboots.push((from, to));
        }
    }

    /// When it last became available, or ceased to be.
    fn moved(newest: &Revision, now: Timestamp) -> Timestamp {
        let seen = newest.reboots.iter().filter(|(from, _)| *from <= now);
        let moved = seen.map(|(from, to)| if *to <= now { *to } else { *from });
        moved.max().unwrap_or(newest.changed)
    }

    /// A person deletes its pods: what was blocked comes up.
    pub(super) fn delete_pods(&mut self, delays: Delays, now: Timestamp) {
        let gone = now + delays.grace;
        let Some((newest, older)) = self.revisions.split_last_mut() else {
            return;
        };
        for old in older.iter_mut().filter(|old| old.stops.is_none()) {
            old.stops = Some((now, gone));
        }
        newest.created = Some(gone);
        newest.starts = gone + delays.rollout * 3 / 4;
        newest.serial += 1_000_000;
    }

    fn alive(&self, now: Timestamp) -> impl Iterator<Item = &Revision> {
        self.revisions
            .iter()
            .filter(move |revision| revision.exists(now))
    }

    /// The image this container runs in pods that are ready and stay; the newest such revision's.
    pub(super) fn live_image(&self, container: &str, now: Timestamp) -> Option<String> {
        let serving = self
            .revisions
            .iter()
            .rev()
            .find(|revision| revision.serves(now))?;
        let mut found = serving
            .containers
            .iter()
            .filter(|(found, _)| found.name == container);
        found.next().map(|(found, _)| found.image.clone())
    }

    pub(super) fn serves(&self, now: Timestamp) -> bool {
        self.spec.replicas > 0 && self.revisions.iter().any(|revision| revision.serves(now))
    }

    fn observed(&self, now: Timestamp) -> (u64, &Revision) {
        let behind = self
            .revisions
            .iter()
            .rev()
            .take_while(|found| found.observed > now)
            .count();
        let seen = self.revisions.len().saturating_sub(behind + 1);
        let generation = self
            .generation
            .saturating_sub(u64::try_from(behind).unwrap_or(0))
            .max(1);
        (generation, &self.revisions[seen])
    }

    /// The workload, its replica sets and pods, as `(plural, object)`.
    pub(super) fn render(
        &self,
        now: Timestamp,
        delays: Delays,
        objects: &mut Vec<(&'static str, Value)>,
    ) {
        let replicas = self.spec.replicas;
        let (generation, newest) = self.observed(now);
        let count = |found: &dyn Fn(&Revision) -> bool| -> u64 {
            let stopping = |revision: &&Revision| revision.stops.is_none_or(|(at, _)| now < at);
            let alive = self
                .alive(now)
                .filter(stopping)
                .filter(|revision| found(revision));
            alive.map(|_| replicas).sum()
        };
        let is_newest = |revision: &Revision| revision.hash == newest.hash;
        let updated = count(&is_newest).min(replicas);
        let total = count(&|_| true);
        let ready = count(&|revision| revision.serves(now));
        let status = match self.spec.kind {
            Kind::Deployment => {
                let done = updated == replicas && total == updated && ready == updated;
                let late = now >= newest.changed + delays.progress_deadline;
                let (progressing, reason) = match (done, late) {
                    (true, _) => ("True", "NewReplicaSetAvailable"),
                    (false, true) => ("False", "ProgressDeadlineExceeded"),
                    (false, false) => ("True", "ReplicaSetUpdated"),
                };
                let enough = ready >= replicas;
                let (available, why) = if enough {
                    ("True", "MinimumReplicasAvailable")
                } else {
                    ("False", "MinimumReplicasUnavailable")
                };
                json!({
                    "observedGeneration": generation, "replicas": total,
                    "updatedReplicas": updated, "readyReplicas": ready,
                    "availableReplicas": ready,
                    "unavailableReplicas": total.max(replicas).saturating_sub(ready),
                    "conditions": [
                        pod::since(
                            pod::condition("Available", available, why),
                            Self::moved(newest, now),
                        ),
                        pod::condition("Progressing", progressing, reason),
                    ],
                })
            }
            Kind::StatefulSet => {
                let settled = count(&|revision| is_newest(revision) && revision.serves(now));
                let serving = self.alive(now).find(|revision| !is_newest(revision));
                let done = settled == replicas;
                let current = serving.filter(|_| !done).unwrap_or(newest);
                json!({
                    "observedGeneration": generation, "replicas": total.min(replicas),
                    "updatedReplicas": updated, "readyReplicas": ready.min(replicas),
                    "availableReplicas": ready.min(replicas), "currentReplicas": updated,
                    "currentRevision": format!("{}-{}", self.spec.name, current.hash),
                    "updateRevision": format!("{}-{}", self.spec.name, newest.hash),
                })
            }
            Kind::DaemonSet => json!({
                "observedGeneration": generation, "desiredNumberScheduled": replicas,
                "currentNumberScheduled": total.min(replicas), "numberMisscheduled": 0,
                "updatedNumberScheduled": updated, "numberReady": ready.min(replicas),
                "numberAvailable": ready.min(replicas),
                "numberUnavailable": replicas.saturating_sub(ready),
            }),
        };
        objects.push((self.plural(), self.render_self(status)));
        if self.spec.kind == Kind::Deployment {
            self.render_replica_sets(now, objects);
        }
        for revision in self.alive(now) {
            for index in 0..replicas {
                objects.push(("pods", self.render_pod(revision, index, now)));
            }
        }
    }

    pub(super) fn plural(&self) -> &'static str {
        match self.spec.kind {
            Kind::Deployment => "deployments",
            Kind::StatefulSet => "statefulsets",
            Kind::DaemonSet => "daemonsets",
        }
    }

    fn labels(&self) -> Value {
        self.spec
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect()
    }

    fn render_self(&self, status: Value) -> Value {
        let (kind, strategy) = match self.spec.kind {
            Kind::Deployment => ("Deployment", "strategy"),
            Kind::StatefulSet => ("StatefulSet", "updateStrategy"),
            Kind::DaemonSet => ("DaemonSet", "updateStrategy"),
        };
        let pods = pod::spec(self.spec.containers.iter());
        let how = if self.spec.recreate {
            "Recreate"
        } else {
            "RollingUpdate"
        };
        let mut spec = json!({
            "selector": {"matchLabels": self.labels()},
            "template": {"metadata": {"labels": self.labels()}, "spec": pods},
            strategy: {"type": how},
        });
        match self.spec.kind {
            Kind::Deployment => {
                spec["replicas"] = json!(self.spec.replicas);
                spec["progressDeadlineSeconds"] = json!(600);
            }
            Kind::StatefulSet => {
                spec["replicas"] = json!(self.spec.replicas);
                spec["serviceName"] = json!(self.spec.name);
            }
            Kind::DaemonSet => {}
        }
        let mut metadata = json!({
            "name": self.spec.name, "namespace": self.spec.namespace, "uid": self.uid,
            "generation": self.generation, "labels": self.labels(),
            "creationTimestamp": pod::time(self.added),
        });
        if let Some((release, chart)) = &self.spec.release {
            metadata["annotations"] = json!({"meta.helm.sh/release-name": release,
                "meta.helm.sh/release-namespace": self.spec.namespace});
            metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
            if !chart.is_empty() {
                metadata["labels"]["helm.sh/chart"] = json!(chart);
            }
        }
        json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": metadata,
            "spec": spec, "status": status,
        })
    }

    fn owner(&self, revision: &Revision) -> (Value, String) {
        let owner = |kind: &str, name: String, uid: String| {
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid,
                    "controller": true, "blockOwnerDeletion": true}])
        };
        let name = self.spec.name.clone();
        match self.spec.kind {
            Kind::Deployment => {
                let set = format!("{name}-{}", revision.hash);
                (
                    owner("ReplicaSet", set, format!("{}-{}", self.uid, revision.hash)),
                    name,
                )
            }
            Kind::StatefulSet => (owner("StatefulSet", name.clone(), self.uid.clone()), name),
            Kind::DaemonSet => (owner("DaemonSet", name.clone(), self.uid.clone()), name),
        }
    }

    fn render_replica_sets(&self, now: Timestamp, objects: &mut Vec<(&'static str, Value)>) {
        let mut seen: Vec<&str> = Vec::new();
        let numbered: Vec<_> = self.revisions.iter().zip(1_u64..).collect();
        for (revision, number) in numbered.into_iter().rev() {
            if revision.observed > now || seen.contains(&revision.hash.as_str()) {
                continue;
            }
            seen.push(&revision.hash);
            let kept = revision.exists(now) && revision.stops.is_none_or(|(at, _)| now < at);
            let wanted = if kept { self.spec.replicas } else { 0 };
            let ready = if revision.serves(now) { wanted } else { 0 };
            let mut labels = self.labels();
            labels["pod-template-hash"] = json!(revision.hash);
            let containers = revision.containers.iter().map(|(container, _)| container);
            objects.push((
                "replicasets",
                json!({
                    "apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": {
                        "name": format!("{}-{}", self.spec.name, revision.hash),
                        "namespace": self.spec.namespace, "generation": 1, "labels": labels,
                        "uid": format!("{}-{}", self.uid, revision.hash),
                        "creationTimestamp": pod::time(revision.observed),
                        "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "Deployment", "name": self.spec.name,
                            "uid": self.uid, "controller": true, "blockOwnerDeletion": true}],
                    },
                    "spec": {
                        "replicas": wanted, "selector": {"matchLabels": labels},
                        "template": {"metadata": {"labels": labels}, "spec": pod::spec(containers)},
                    },
                    "status": {"replicas": wanted, "readyReplicas": ready,
                               "availableReplicas": ready, "observedGeneration": 1},
                }),
            ));
        }
    }

    fn render_pod(&self, revision: &Revision, index: u64, now: Timestamp) -> Value {
        let (owner, base) = self.owner(revision);
        let suffix = format!("{:05x}", revision.serial * 16 + index);
        let name = match self.spec.kind {
            Kind::Deployment => format!("{base}-{}-{suffix}", revision.hash),
            Kind::StatefulSet => format!("{base}-{index}"),
            Kind::DaemonSet => format!("{base}-{suffix}"),
        };
        let mut labels = self.labels();
        match self.spec.kind {
            Kind::Deployment => labels["pod-template-hash"] = json!(revision.hash),
            Kind::StatefulSet => {
                labels["controller-revision-hash"] = json!(format!("{base}-{}", revision.hash));
                labels["statefulset.kubernetes.io/pod-name"] = json!(name);
            }
            Kind::DaemonSet => labels["controller-revision-hash"] = json!(revision.hash),
        }
        let created = revision.created.unwrap_or(revision.observed);
        let mut metadata = json!({
            "name": name, "namespace": self.spec.namespace, "labels": labels,
            "uid": format!("{}-{}-{suffix}", self.uid, revision.serial),
            "creationTimestamp": pod::time(created), "ownerReferences": owner,
        });
        if let Some((at, _)) = revision.stops.filter(|(at, _)| *at <= now) {
            metadata["deletionTimestamp"] = json!(pod::time(at + Duration::from_secs(30)));
            metadata["deletionGracePeriodSeconds"] = json!(30);
        }
        let containers = revision.containers.iter().map(|(container, _)| container);
        let phase = pod::phase(&revision.containers, created, revision.starts, now);
        let phase = pod::rebooted(phase, &revision.reboots, created, now);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
               "spec": pod::spec(containers), "status": phase.status})
    }
}

/// The same template has the same hash, so that going back finds the old `ReplicaSet`.
fn hash(containers: &[Container]) -> String {
    let mut hasher = DefaultHasher::new();
    containers.hash(&mut hasher);
    format!("{:010x}", hasher.finish() & 0xff_ffff_ffff)
}
