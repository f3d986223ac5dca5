//! Jobs: interim conditions before the final one, and gone soon after by their TTL, or when they
//! are deleted.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::deletion::{Cascade, Deletion};
use super::pod::{condition, time};

/// How the Jobs of a `CronJob` go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobBehaviour {
    /// `SuccessCriteriaMet`, then `Complete`.
    Completes,
    /// `FailureTarget`, then `Failed`.
    Fails,
    /// One pod fails (`status.failed` is 1), the next one succeeds.
    FailsOnceThenCompletes,
    /// Its pod stays Pending, until a deadline in its specification ends it.
    NeverStarts,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// Metadata and specification as they were accepted.
    pub(super) object: Value,
    pub(super) created: Timestamp,
    pub(super) behaviour: JobBehaviour,
    pub(super) takes: Duration,
    pub(super) deletion: Option<Deletion>,
}

impl Job {
    fn spec_seconds(&self, key: &str) -> Option<Duration> {
        let seconds = self.object.get("spec")?.get(key)?.as_u64()?;
        Some(Duration::from_secs(seconds))
    }

    fn suspended(&self) -> bool {
        self.object
            .pointer("/spec/suspend")
            .and_then(Value::as_bool)
            == Some(true)
    }

    /// When it ends, and whether well; `None` while it hangs for ever.
    fn end(&self) -> Option<(Timestamp, bool, &'static str)> {
        if self.suspended() {
            return None;
        }
        let deadline = self
            .spec_seconds("activeDeadlineSeconds")
            .map(|limit| self.created + limit);
        let by_itself = match self.behaviour {
            JobBehaviour::Completes | JobBehaviour::FailsOnceThenCompletes => {
                Some((self.created + self.takes, true, "CompletionsReached"))
            }
            JobBehaviour::Fails => Some((self.created + self.takes, false, "BackoffLimitExceeded")),
            JobBehaviour::NeverStarts => None,
        };
        match (by_itself, deadline) {
            (Some(end), Some(deadline)) if end.0 <= deadline => Some(end),
            (_, Some(deadline)) => Some((deadline, false, "DeadlineExceeded")),
            (end, None) => end,
        }
    }

    /// Marks it as deleted, since the first time that is asked.
    pub(super) fn delete(&mut self, cascade: Cascade, now: Timestamp) {
        let at = self.deletion.map_or(now, |deletion| deletion.at);
        self.deletion = Some(Deletion { at, cascade });
    }

    /// Whether the Job or its pod is there.
    pub(super) fn exists(&self, now: Timestamp, grace: Duration) -> bool {
        self.is_listed(now, grace) || self.has_pod(now, grace)
    }

    /// Whether the Job itself is there: neither its TTL nor a deletion has removed it yet.
    pub(super) fn is_listed(&self, now: Timestamp, grace: Duration) -> bool {
        match self.deletion {
            None => match (self.end(), self.spec_seconds("ttlSecondsAfterFinished")) {
                (Some((end, ..)), Some(ttl)) => now < end + ttl,
                _ => true,
            },
            Some(deletion) => deletion.cascade == Cascade::Foreground && self.has_pod(now, grace),
        }
    }

    /// Whether its pod is there. One that runs when it is deleted has `grace` to end.
    fn has_pod(&self, now: Timestamp, grace: Duration) -> bool {
        if self.suspended() {
            return false;
        }
        let ended = |end: Option<(Timestamp, bool, &str)>| end.is_some_and(|(at, ..)| at <= now);
        match self.deletion {
            None => self.is_listed(now, grace),
            Some(Deletion {
                cascade: Cascade::Orphan,
                ..
            }) => !ended(self.end()),
            // No kubelet has to stop a pod that no node was found for.
            Some(_) if self.behaviour == JobBehaviour::NeverStarts => false,
            Some(deletion) => !ended(self.end()) && now < deletion.at + grace,
        }
    }

    /// Whether a container of it runs, also after the Job itself is gone.
    pub(super) fn runs(&self, now: Timestamp, grace: Duration) -> bool {
        let over = self.end().is_some_and(|(at, ..)| at <= now);
        self.has_pod(now, grace) && !over && self.behaviour != JobBehaviour::NeverStarts
    }

    pub(super) fn render(
        &self,
        now: Timestamp,
        grace: Duration,
        objects: &mut Vec<(&'static str, Value)>,
    ) {
        if self.is_listed(now, grace) {
            let mut job = self.object.clone();
            job["status"] = self.status(now);
            if let Some(deletion) = self.deletion {
                job["metadata"]["deletionTimestamp"] = json!(time(deletion.at));
                job["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                job["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
            }
            objects.push(("jobs", job));
        }
        if self.has_pod(now, grace) {
            objects.push(("pods", self.pod(now, grace)));
        }
    }

    /// The interim condition comes when three quarters of the time are over.
    fn status(&self, now: Timestamp) -> Value {
        if self.suspended() {
            return json!({"conditions": [condition("Suspended", "True", "JobSuspended")]});
        }
        let mut status = json!({"startTime": time(self.created)});
        if self.deletion.is_some() {
            // What is deleted makes no new pod, and the old one no longer counts as active.
            status["terminating"] = json!(1);
            status["ready"] = json!(0);
            return status;
        }
        let end = self.end();
        let interim = |end: Timestamp| end.min(self.created + self.takes * 3 / 4);
        let failed_once = self.behaviour == JobBehaviour::FailsOnceThenCompletes
            && now >= self.created + self.takes / 2;
        if failed_once || matches!(end, Some((at, false, _)) if now >= interim(at)) {
            status["failed"] = json!(1);
        }
        match end {
            Some((at, well, reason)) if now >= interim(at) => {
                let (first, last) = if well {
                    ("SuccessCriteriaMet", "Complete")
                } else {
                    ("FailureTarget", "Failed")
                };
                let mut conditions = vec![condition(first, "True", reason)];
                if now >= at {
                    conditions.push(condition(last, "True", reason));
                    if well {
                        status["completionTime"] = json!(time(at));
                        status["succeeded"] = json!(1);
                    }
                } else {
                    status["terminating"] = json!(1);
                }
                for found in &mut conditions {
                    found["lastTransitionTime"] = json!(time(at));
                    found["lastProbeTime"] = json!(time(at));
                }
                status["conditions"] = json!(conditions);
            }
            _ => {
                status["active"] = json!(1);
                status["ready"] = json!(u64::from(self.behaviour != JobBehaviour::NeverStarts));
            }
        }
        status
    }

    fn pod(&self, now: Timestamp, grace: Duration) -> Value {
        let phase = match (self.end(), self.behaviour) {
            (Some((at, true, _)), _) if now >= at => "Succeeded",
            (Some((at, false, _)), _) if now >= at => "Failed",
            (_, JobBehaviour::NeverStarts) => "Pending",
            _ => "Running",
        };
        let labels = self.object.pointer("/spec/template/metadata/labels");
        let scheduled = if phase == "Pending" {
            condition("PodScheduled", "False", "Unschedulable")
        } else {
            condition("PodScheduled", "True", "")
        };
        // Another Job of the same name may be there while the pod of this one still ends.
        let unique: String = self.uid.chars().rev().take(5).collect();
        let mut metadata = json!({
            "name": format!("{}-{unique}", self.name), "namespace": self.namespace,
            "uid": format!("{}-pod", self.uid), "labels": labels,
            "creationTimestamp": time(self.created),
        });
        match self.deletion {
            Some(Deletion {
                cascade: Cascade::Orphan,
                ..
            }) => {}
            deletion => {
                metadata["ownerReferences"] = json!([{
                    "apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": self.uid,
                    "controller": true, "blockOwnerDeletion": true}]);
                if let Some(deletion) = deletion {
                    metadata["deletionTimestamp"] = json!(time(deletion.at + grace));
                    metadata["deletionGracePeriodSeconds"] = json!(grace.as_secs());
                }
            }
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": metadata,
            "spec": self.object.pointer("/spec/template/spec"),
            "status": {"phase": phase, "conditions": [scheduled]},
        })
    }
}

/// Why the API server would not take this Job, as `(field, what is wrong)`.
pub(super) fn check(name: &str, body: &Value) -> Result<(), (&'static str, String)> {
    if name.len() > 63 {
        return Err((
            "metadata.name",
            "must be no more than 63 characters".to_owned(),
        ));
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| inner(c) && c != '-');
    if !edge(name.chars().next()) || !edge(name.chars().last()) || !name.chars().all(inner) {
        let wrong = format!(
            "Invalid value: {name:?}: a lowercase RFC 1123 label must consist of \
                             lower case alphanumeric characters or '-'"
        );
        return Err(("metadata.name", wrong));
    }
    let labels = body.pointer("/metadata/labels").and_then(Value::as_object);
    for (key, value) in labels.into_iter().flatten() {
        if !value.as_str().is_some_and(label_fits) {
            return Err((
                "metadata.labels",
                format!("Invalid value: {value} of {key}"),
            ));
        }
    }
    let containers = body
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        return Err(("spec.template.spec.containers", "Required value".to_owned()));
    }
    let restart = body
        .pointer("/spec/template/spec/restartPolicy")
        .and_then(Value::as_str);
    if !matches!(restart, Some("Never" | "OnFailure")) {
        let wrong = "Required value: valid values: \"OnFailure\", \"Never\"".to_owned();
        return Err(("spec.template.spec.restartPolicy", wrong));
    }
    let owners = body
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    for owner in owners.into_iter().flatten() {
        let filled = |key| {
            owner
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|v| !v.is_empty())
        };
        if !["apiVersion", "kind", "name", "uid"]
            .into_iter()
            .all(filled)
        {
            return Err(("metadata.ownerReferences", "must not be empty".to_owned()));
        }
    }
    Ok(())
}

fn label_fits(value: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let ends = edge(value.chars().next()) && edge(value.chars().last());
    value.len() <= 63 && ends && value.chars().all(inner)
}
