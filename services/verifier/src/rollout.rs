//! How far a rollout is, by the rules of `kubectl rollout status`.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};

use crate::ports::Rollout;

pub(crate) fn deployment(deployment: &Deployment) -> Rollout {
    let status = deployment.status.clone().unwrap_or_default();
    if unseen(deployment.metadata.generation, status.observed_generation) {
        return not_seen();
    }
    let conditions = status.conditions.unwrap_or_default();
    let progress = conditions
        .iter()
        .find(|condition| condition.type_ == "Progressing");
    if let Some(progress) = progress
        && progress.reason.as_deref() == Some("ProgressDeadlineExceeded")
    {
        let message = progress
            .message
            .as_deref()
            .unwrap_or("it does not progress");
        return Rollout::GaveUp(format!("ProgressDeadlineExceeded: {message}"));
    }
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    let all = status.replicas.unwrap_or(0);
    if updated < wanted {
        Rollout::Moving(format!("{updated} of {wanted} new replicas updated"))
    } else if all > updated {
        Rollout::Moving(format!(
            "{} old replicas are pending termination",
            all - updated
        ))
    } else if available < updated {
        Rollout::Moving(format!(
            "{available} of {updated} updated replicas are available"
        ))
    } else {
        Rollout::Done
    }
}

pub(crate) fn stateful_set(set: &StatefulSet) -> Rollout {
    let status = set.status.clone().unwrap_or_default();
    if unseen(set.metadata.generation, status.observed_generation) {
        return not_seen();
    }
    let spec = set.spec.as_ref();
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or(0);
    if ready < wanted {
        return Rollout::Moving(format!("{ready} of {wanted} replicas are ready"));
    }
    let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let updated = status.updated_replicas.unwrap_or(0);
    if partition > 0 {
        return if updated < wanted.saturating_sub(partition) {
            Rollout::Moving(format!(
                "{updated} of {} new pods updated",
                wanted - partition
            ))
        } else {
            Rollout::Done
        };
    }
    if status.update_revision != status.current_revision && updated < wanted {
        return Rollout::Moving(format!("{updated} of {wanted} new pods updated"));
    }
    if status.update_revision != status.current_revision {
        return Rollout::Moving("the new revision is not the current one yet".to_owned());
    }
    Rollout::Done
}

pub(crate) fn daemon_set(set: &DaemonSet) -> Rollout {
    let status = set.status.clone().unwrap_or_default();
    if unseen(set.metadata.generation, status.observed_generation) {
        return not_seen();
    }
    let wanted = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or(0);
    let available = status.number_available.unwrap_or(0);
    if updated < wanted {
        Rollout::Moving(format!("{updated} of {wanted} new pods updated"))
    } else if available < wanted {
        Rollout::Moving(format!(
            "{available} of {wanted} updated pods are available"
        ))
    } else {
        Rollout::Done
    }
}

/// Whether the controller has not seen the specification as it is now.
pub(crate) fn unseen(generation: Option<i64>, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) < generation.unwrap_or(0)
}

fn not_seen() -> Rollout {
    Rollout::Moving("the controller has not seen the change yet".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(judge: fn(Value) -> Rollout, spec: &Value, status: &Value, expected: &str) {
        let object = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
        let name = match judge(object) {
            Rollout::Done => "done",
            Rollout::Moving(_) => "moving",
            Rollout::GaveUp(_) => "gave up",
        };
        assert_eq!(name, expected, "{spec} {status}");
    }

    fn spec(extra: &Value) -> Value {
        let mut spec = json!({"selector": {}, "template": {}, "serviceName": "x", "replicas": 2});
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    #[test]
    fn a_deployment_is_done_when_only_available_new_replicas_are_left() {
        let judge = |object| deployment(&serde_json::from_value(object).unwrap());
        let status = |seen: i64, all: i32, updated: i32, available: i32| {
            json!({"observedGeneration": seen, "replicas": all, "updatedReplicas": updated,
                "availableReplicas": available})
        };
        let plain = spec(&json!({}));
        check(judge, &plain, &status(2, 2, 2, 2), "done");
        check(judge, &plain, &status(1, 2, 2, 2), "moving");
        check(judge, &plain, &status(2, 2, 1, 2), "moving");
        check(judge, &plain, &status(2, 3, 2, 3), "moving");
        check(judge, &plain, &status(2, 2, 2, 1), "moving");
        check(judge, &plain, &json!({}), "moving");
        check(
            judge,
            &spec(&json!({"replicas": 0})),
            &json!({"observedGeneration": 2}),
            "done",
        );
        let mut late = status(2, 3, 1, 2);
        late["conditions"] = json!([
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        ]);
        check(judge, &plain, &late, "gave up");
    }

    #[test]
    fn a_stateful_set_is_done_when_its_revisions_agree_or_its_partition_is_reached() {
        let judge = |object| stateful_set(&serde_json::from_value(object).unwrap());
        let status = |ready: i32, updated: i32, revision: &str| {
            json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": ready,
                "updatedReplicas": updated, "currentRevision": "a", "updateRevision": revision})
        };
        let plain = spec(&json!({}));
        check(judge, &plain, &status(2, 2, "a"), "done");
        check(judge, &plain, &status(1, 2, "a"), "moving");
        check(judge, &plain, &status(2, 1, "b"), "moving");
        let part = spec(&json!({"updateStrategy": {"rollingUpdate": {"partition": 1}}}));
        check(judge, &part, &status(2, 1, "b"), "done");
        check(judge, &part, &status(2, 0, "b"), "moving");
    }

    #[test]
    fn a_daemon_set_is_done_when_every_node_runs_it() {
        let judge = |object| daemon_set(&serde_json::from_value(object).unwrap());
        let status = |updated: i32, available: i32| {
            json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
                "numberMisscheduled": 0, "numberReady": available,
                "updatedNumberScheduled": updated, "numberAvailable": available})
        };
        let plain = spec(&json!({}));
        check(judge, &plain, &status(3, 3), "done");
        check(judge, &plain, &status(2, 3), "moving");
        check(judge, &plain, &status(3, 2), "moving");
    }
}
