//! A pod's status at one moment.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Behaviour;
use super::workload::Container;

/// How long one round of a crash loop takes: a third running (and ready), the rest backing off.
const CRASH_ROUND: Duration = Duration::from_millis(600);

#[derive(Debug)]
pub(super) struct Phase {
    pub(super) ready: bool,
    pub(super) status: Value,
}

struct Seen {
    ready: bool,
    restarts: u64,
    state: Value,
    last: Value,
}

/// What the reboots of its node (from, to) made of a pod that was there before.
pub(super) fn rebooted(
    mut phase: Phase,
    reboots: &[(Timestamp, Timestamp)],
    created: Timestamp,
    now: Timestamp,
) -> Phase {
    let met = |(from, _): &&(Timestamp, Timestamp)| created <= *from && *from <= now;
    for (_, to) in reboots.iter().filter(met) {
        if now < *to {
            // The node's controller says so; the kubelet cannot say anything.
            phase.ready = false;
            phase.status["conditions"] = json!([
                condition("PodScheduled", "True", ""),
                condition("Initialized", "True", ""),
                condition("ContainersReady", "True", ""),
                condition("Ready", "False", ""),
            ]);
            continue;
        }
        let containers = phase.status["containerStatuses"].as_array_mut();
        for container in containers.into_iter().flatten() {
            let count = container["restartCount"].as_u64().unwrap_or(0);
            container["restartCount"] = json!(count + 1);
            container["lastState"] = json!({"terminated": {
                "exitCode": 255, "reason": "Unknown", "startedAt": time(created),
                "finishedAt": time(*to)}});
        }
    }
    phase
}

/// The status of a pod with these containers that was created and started at these times.
pub(super) fn phase(
    containers: &[(Container, Behaviour)],
    created: Timestamp,
    starts: Timestamp,
    now: Timestamp,
) -> Phase {
    let age = Duration::try_from(now.duration_since(starts)).ok();
    let mut blocked = age.is_none();
    let mut init = Vec::new();
    for (container, behaviour) in containers.iter().filter(|(container, _)| container.init) {
        let status = match (blocked, behaviour) {
            (true, _) => waiting("PodInitializing"),
            (false, Behaviour::Healthy | Behaviour::CrashAfter(_)) => ended(0, "Completed", starts),
            (false, sick) => {
                blocked = true;
                let status = observe(*sick, starts, age.unwrap_or_default());
                Seen {
                    ready: false,
                    ..status
                }
            }
        };
        init.push(render(container, &status));
    }
    let has_init = !init.is_empty();
    let mut main = Vec::new();
    let mut ready = !blocked;
    let mut running = false;
    for (container, behaviour) in containers.iter().filter(|(container, _)| !container.init) {
        let status = match age {
            Some(age) if !blocked => observe(*behaviour, starts, age),
            _ => waiting(if has_init {
                "PodInitializing"
            } else {
                "ContainerCreating"
            }),
        };
        ready &= status.ready;
        running |= status.restarts > 0 || status.state.get("waiting").is_none();
        main.push(render(container, &status));
    }
    let word = |yes: bool| if yes { "True" } else { "False" };
    let reason = if ready { "" } else { "ContainersNotReady" };
    let mut status = json!({
        "phase": if running { "Running" } else { "Pending" }, "qosClass": "BestEffort",
        "hostIP": "10.0.0.1", "podIP": "10.42.0.7", "startTime": time(created),
        "conditions": [
            condition("PodScheduled", "True", ""), condition("Initialized", word(!blocked), ""),
            condition("ContainersReady", word(ready), reason),
            condition("Ready", word(ready), reason),
        ],
        "containerStatuses": main,
    });
    if has_init {
        status["initContainerStatuses"] = json!(init);
    }
    Phase { ready, status }
}

fn observe(behaviour: Behaviour, starts: Timestamp, age: Duration) -> Seen {
    match behaviour {
        Behaviour::Healthy => running(starts, true),
        Behaviour::NeverReady => running(starts, false),
        Behaviour::ImagePullBackOff => {
            let first = (age.as_millis() / CRASH_ROUND.as_millis()).is_multiple_of(2);
            waiting(if first {
                "ErrImagePull"
            } else {
                "ImagePullBackOff"
            })
        }
        Behaviour::CrashLoop => crashing(1, "Error", starts, age),
        Behaviour::OomKilled => crashing(137, "OOMKilled", starts, age),
        Behaviour::CrashAfter(healthy) => match age.checked_sub(healthy) {
            None => running(starts, true),
            // It begins with the crash, not with another good third.
            Some(since) => crashing(1, "Error", starts, since + CRASH_ROUND / 3),
        },
    }
}

fn crashing(exit_code: u64, reason: &str, starts: Timestamp, age: Duration) -> Seen {
    let millis = age.as_millis();
    let round = CRASH_ROUND.as_millis();
    let restarts = u64::try_from(millis / round).unwrap_or(u64::MAX);
    let begun = starts + CRASH_ROUND * u32::try_from(restarts).unwrap_or(u32::MAX);
    let last = json!({"terminated": terminated(exit_code, reason, begun)});
    let mut seen = if millis % round < round / 3 {
        running(begun, true)
    } else if millis % round < round / 2 {
        ended(exit_code, reason, begun)
    } else {
        Seen {
            last: last.clone(),
            ..waiting("CrashLoopBackOff")
        }
    };
    seen.ready &= seen.state.get("running").is_some();
    if restarts > 0 {
        seen.last = last;
    }
    Seen { restarts, ..seen }
}

fn running(since: Timestamp, ready: bool) -> Seen {
    let state = json!({"running": {"startedAt": time(since)}});
    Seen {
        ready,
        restarts: 0,
        state,
        last: json!({}),
    }
}

fn waiting(reason: &str) -> Seen {
    let state = json!({"waiting": {"reason": reason, "message": format!("stub: {reason}")}});
    Seen {
        ready: false,
        restarts: 0,
        state,
        last: json!({}),
    }
}

fn ended(exit_code: u64, reason: &str, since: Timestamp) -> Seen {
    let state = json!({"terminated": terminated(exit_code, reason, since)});
    Seen {
        ready: exit_code == 0,
        restarts: 0,
        state,
        last: json!({}),
    }
}

fn terminated(exit_code: u64, reason: &str, since: Timestamp) -> Value {
    json!({"exitCode": exit_code, "reason": reason, "startedAt": time(since),
           "finishedAt": time(since + CRASH_ROUND / 3)})
}

/// The image as a container runtime spells it: with a domain, and the id by digest.
fn render(container: &Container, seen: &Seen) -> Value {
    let spelled = match container.image.split_once('/') {
        None => format!("docker.io/library/{}", container.image),
        Some((first, _)) if first.contains(['.', ':']) => container.image.clone(),
        Some(_) => format!("docker.io/{}", container.image),
    };
    let pulled = seen.state.get("waiting").is_none() || seen.restarts > 0;
    let repository = spelled
        .rsplit_once(':')
        .map_or(spelled.as_str(), |(name, _)| name);
    let digest: String = spelled.bytes().map(|byte| format!("{byte:02x}")).collect();
    let digest: String = digest
        .chars()
        .rev()
        .chain("0".repeat(64).chars())
        .take(64)
        .collect();
    let id = if pulled {
        format!("{repository}@sha256:{digest}")
    } else {
        String::new()
    };
    json!({"name": container.name, "image": spelled, "imageID": id, "ready": seen.ready,
           "started": seen.state.get("running").is_some(), "restartCount": seen.restarts,
           "state": seen.state, "lastState": seen.last})
}

/// A pod's specification with these containers.
pub(super) fn spec<'a>(containers: impl Iterator<Item = &'a Container>) -> Value {
    let (init, main): (Vec<_>, Vec<_>) = containers.partition(|container| container.init);
    let render = |found: Vec<&Container>| -> Vec<Value> {
        found
            .iter()
            .map(|found| json!({"name": found.name, "image": found.image}))
            .collect()
    };
    let mut spec = json!({"containers": render(main), "restartPolicy": "Always"});
    if !init.is_empty() {
        spec["initContainers"] = json!(render(init));
    }
    spec
}

pub(super) fn condition(kind: &str, status: &str, reason: &str) -> Value {
    let mut condition = json!({"type": kind, "status": status});
    if !reason.is_empty() {
        condition["reason"] = json!(reason);
    }
    condition
}

/// The condition, with the time of its last change.
pub(super) fn since(mut condition: Value, at: Timestamp) -> Value {
    condition["lastTransitionTime"] = json!(time(at));
    condition
}

/// RFC 3339 in whole seconds, as the API server writes it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
