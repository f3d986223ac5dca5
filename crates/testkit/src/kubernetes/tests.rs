//! The cluster's nasty sides, seen over HTTP.

use super::*;
use crate::server::probe::{eventually, send};

fn get(cluster: &Cluster, path: &str) -> Value {
    send("GET", &format!("{}{path}", cluster.url()), &[], "").json()
}

fn pods(cluster: &Cluster) -> Vec<Value> {
    let list = get(
        cluster,
        "/api/v1/namespaces/web/pods?labelSelector=app%3Dapp",
    );
    list["items"].as_array().unwrap().clone()
}

fn stub() -> Cluster {
    let cluster = Cluster::start().unwrap();
    cluster.rollout_delay(Duration::from_millis(400));
    cluster.add_deployment("web", "app", &[("app", "app")], &[("main", "me/app:1")]);
    cluster
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/web/deployments/app";

#[test]
fn a_rollout_lags_behind_its_generation_and_replaces_the_pods() {
    let cluster = stub();
    let old = pods(&cluster)[0]["metadata"]["uid"].clone();
    assert!(cluster.set_image("web", "app", "main", "me/app:2"));
    let lagging = get(&cluster, DEPLOYMENT);
    assert_eq!(lagging["metadata"]["generation"], 2);
    assert_eq!(lagging["status"]["observedGeneration"], 1);
    assert_eq!(
        cluster.live_image("web", "app", "main").unwrap(),
        "me/app:1"
    );
    eventually("old and new pods mixed", || {
        (pods(&cluster).len() == 2).then_some(())
    });
    eventually("a terminating pod", || {
        let found = pods(&cluster);
        found
            .iter()
            .any(|pod| pod["metadata"]["deletionTimestamp"].is_string())
            .then_some(())
    });
    let new = eventually("only the new pod", || {
        let found = pods(&cluster);
        (found.len() == 1).then(|| found[0].clone())
    });
    assert_ne!(new["metadata"]["uid"], old);
    assert_eq!(
        new["status"]["containerStatuses"][0]["image"],
        "docker.io/me/app:2"
    );
    let hash = new["metadata"]["labels"]["pod-template-hash"]
        .as_str()
        .unwrap();
    assert_eq!(
        new["metadata"]["ownerReferences"][0]["name"],
        format!("app-{hash}")
    );
    let status = get(&cluster, DEPLOYMENT)["status"].clone();
    assert_eq!(
        (&status["observedGeneration"], &status["updatedReplicas"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        cluster.live_image("web", "app", "main").unwrap(),
        "me/app:2"
    );
}

#[test]
fn a_crash_loop_is_ready_in_between_and_its_restarts_grow() {
    let cluster = stub();
    cluster.image_behaviour("me/app:2*", Behaviour::CrashLoop);
    cluster.set_image("web", "app", "main", "me/app:2.1");
    let seen = |wanted: &dyn Fn(&Value) -> bool| {
        pods(&cluster).iter().any(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            pod["spec"]["containers"][0]["image"] == "me/app:2.1" && wanted(status)
        })
    };
    eventually("ready", || {
        seen(&|status| status["ready"] == true).then_some(())
    });
    eventually("backing off", || {
        seen(&|status| status["state"]["waiting"]["reason"] == "CrashLoopBackOff").then_some(())
    });
    eventually("ready again, restarted", || {
        seen(&|status| status["ready"] == true && status["restartCount"] == 1).then_some(())
    });
    assert_eq!(
        pods(&cluster).len(),
        1,
        "the old pods left when the new one was ready"
    );
}

#[test]
fn an_image_that_cannot_be_pulled_leaves_the_old_pod_serving_and_going_back_keeps_it() {
    let cluster = stub();
    let old = pods(&cluster)[0]["metadata"]["uid"].clone();
    cluster.image_behaviour("me/app:2", Behaviour::ImagePullBackOff);
    cluster.set_image("web", "app", "main", "me/app:2");
    eventually("back-off", || {
        let found = pods(&cluster);
        let reason = |pod: &Value| {
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone()
        };
        (found.len() == 2 && found.iter().any(|pod| reason(pod) == "ImagePullBackOff"))
            .then_some(())
    });
    assert!(cluster.serves("web", "app"));
    cluster.set_image("web", "app", "main", "me/app:1");
    eventually("the broken pod leaves", || {
        (pods(&cluster).len() == 1).then_some(())
    });
    assert_eq!(pods(&cluster)[0]["metadata"]["uid"], old);
    assert_eq!(get(&cluster, DEPLOYMENT)["metadata"]["generation"], 3);
}

#[test]
fn recreate_has_a_gap_and_a_stuck_stateful_set_waits_for_a_person() {
    let cluster = Cluster::start().unwrap();
    let base = |kind, name| {
        Workload::new(kind, "web", name)
            .label("app", name)
            .container("c", "x:1")
    };
    cluster.rollout_delay(Duration::from_secs(1));
    cluster.add(base(Kind::Deployment, "app").recreate());
    cluster.set_image("web", "app", "c", "x:2");
    eventually("no pods at all", || pods(&cluster).is_empty().then_some(()));
    eventually("the new one", || cluster.serves("web", "app").then_some(()));
    cluster.rollout_delay(Duration::from_millis(100));
    cluster.add(base(Kind::StatefulSet, "db"));
    cluster.image_behaviour("x:3", Behaviour::NeverReady);
    cluster.set_image("web", "db", "c", "x:3");
    let pod = || {
        get(&cluster, "/api/v1/namespaces/web/pods/db-0")["spec"]["containers"][0]["image"].clone()
    };
    eventually("broken", || (pod() == "x:3").then_some(()));
    cluster.set_image("web", "db", "c", "x:1");
    let path = "/apis/apps/v1/namespaces/web/statefulsets/db";
    eventually("observed", || {
        (get(&cluster, path)["status"]["observedGeneration"] == 3).then_some(())
    });
    assert_eq!(pod(), "x:3", "the reverted template is not rolled out");
    cluster.delete_pods("web", "db");
    eventually("repaired", || (pod() == "x:1").then_some(()));
    eventually("serving", || cluster.serves("web", "db").then_some(()));
}

fn job(name: &str, ttl: u64) -> String {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "ownerReferences": [{"apiVersion": "batch/v1",
            "kind": "CronJob", "name": "backup", "uid": "u", "controller": true}]},
        "spec": {"ttlSecondsAfterFinished": ttl, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}},
    })
    .to_string()
}

#[test]
fn a_job_meets_its_criteria_before_it_is_complete_and_vanishes_by_its_ttl() {
    let cluster = Cluster::start().unwrap();
    cluster.add_cronjob("dbaas", "backup", "pg:16");
    cluster.job_delay(Duration::from_secs(1));
    let jobs = format!("{}/apis/batch/v1/namespaces/dbaas/jobs", cluster.url());
    assert_eq!(send("POST", &jobs, &[], &job("dump", 0)).status, 201);
    let again = send("POST", &jobs, &[], &job("dump", 0));
    assert_eq!(
        (again.status, &again.json()["reason"]),
        (409, &json!("AlreadyExists"))
    );
    let one = format!("{jobs}/dump");
    eventually("interim only", || {
        let status = send("GET", &one, &[], "").json()["status"].clone();
        let conditions = status["conditions"].as_array()?.clone();
        (conditions.len() == 1 && conditions[0]["type"] == "SuccessCriteriaMet").then_some(())
    });
    eventually("gone at once", || {
        (send("GET", &one, &[], "").status == 404).then_some(())
    });
    assert_eq!(cluster.jobs().len(), 1);
    cluster.job_behaviour("dbaas", "backup", JobBehaviour::Fails);
    assert_eq!(send("POST", &jobs, &[], &job("bad", 60)).status, 201);
    let failed = eventually("failed", || {
        let status = send("GET", &format!("{jobs}/bad"), &[], "").json()["status"].clone();
        (status["conditions"][1]["type"] == "Failed").then_some(status)
    });
    assert_eq!(failed["conditions"][0]["type"], "FailureTarget");
    assert!(failed["completionTime"].is_null());
    assert_eq!(
        send("DELETE", &format!("{jobs}/bad"), &[], "").json()["status"],
        "Success"
    );
}

/// A Job that runs, and where it is asked for.
fn running_job(cluster: &Cluster) -> String {
    cluster.add_cronjob("dbaas", "backup", "pg:16");
    cluster.job_delay(Duration::from_secs(600));
    cluster.job_grace(Duration::from_secs(600));
    let jobs = format!("{}/apis/batch/v1/namespaces/dbaas/jobs", cluster.url());
    assert_eq!(send("POST", &jobs, &[], &job("dump", 0)).status, 201);
    format!("{jobs}/dump")
}

fn delete(path: &str, options: &Value) -> (u16, Value) {
    let answer = send("DELETE", path, &[], &options.to_string());
    (answer.status, answer.json())
}

#[test]
fn a_job_deleted_in_the_foreground_stays_until_its_pod_has_ended() {
    let cluster = Cluster::start().unwrap();
    let path = running_job(&cluster);
    let (status, answer) = delete(&path, &json!({"propagationPolicy": "Foreground"}));
    assert_eq!((status, &answer["kind"]), (200, &json!("Job")));
    let again = delete(&path, &json!({"propagationPolicy": "Foreground"})).1;
    for job in [&answer, &again, &send("GET", &path, &[], "").json()] {
        let since = &answer["metadata"]["deletionTimestamp"];
        assert!(since.is_string(), "{job}");
        assert_eq!(&job["metadata"]["deletionTimestamp"], since);
        assert_eq!(job["metadata"]["finalizers"], json!(["foregroundDeletion"]));
        assert_eq!(job["status"]["terminating"], 1);
        assert_eq!(job["status"]["conditions"], Value::Null);
    }
    let (jobs, _) = path.rsplit_once('/').unwrap();
    assert_eq!(
        send("POST", jobs, &[], &job("dump", 0)).status,
        409,
        "the name is taken"
    );
    let pods = get(&cluster, "/api/v1/namespaces/dbaas/pods");
    assert!(pods["items"][0]["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(cluster.running_jobs(), 1);

    cluster.job_grace(Duration::ZERO);
    assert_eq!(send("GET", &path, &[], "").status, 404);
    assert_eq!(cluster.running_jobs(), 0);
    assert_eq!(send("POST", jobs, &[], &job("dump", 0)).status, 201);
}

#[test]
fn a_pod_outlives_a_job_that_is_deleted_in_another_way() {
    for (options, ends) in [
        (json!({"propagationPolicy": "Background"}), true),
        (json!({}), false),
    ] {
        let cluster = Cluster::start().unwrap();
        let path = running_job(&cluster);
        assert_eq!(delete(&path, &options).1["status"], "Success");
        assert_eq!(send("GET", &path, &[], "").status, 404, "{options}");
        assert_eq!(cluster.running_jobs(), 1, "{options}");
        let pods = get(&cluster, "/api/v1/namespaces/dbaas/pods");
        let metadata = &pods["items"][0]["metadata"];
        assert_eq!(metadata["deletionTimestamp"].is_string(), ends, "{options}");
        cluster.job_grace(Duration::ZERO);
        assert_eq!(cluster.running_jobs(), usize::from(!ends), "{options}");
    }
}

#[test]
fn a_deletion_means_one_object_only_and_nothing_when_it_is_tried_out() {
    let cluster = Cluster::start().unwrap();
    let path = running_job(&cluster);
    let (status, answer) = delete(&path, &json!({"preconditions": {"uid": "another"}}));
    assert_eq!((status, &answer["reason"]), (409, &json!("Conflict")));
    let uid = &send("GET", &path, &[], "").json()["metadata"]["uid"];
    let options = json!({"preconditions": {"uid": uid}, "dryRun": "All"});
    assert_eq!(delete(&path, &options).0, 200);
    let found = send("GET", &path, &[], "").json();
    assert_eq!(found["metadata"]["deletionTimestamp"], Value::Null);
    assert_eq!(delete(&path, &json!({"propagationPolicy": "Later"})).0, 400);
}

#[test]
fn what_the_server_refuses_is_a_status_object() {
    let cluster = Cluster::start().unwrap();
    cluster.add_cronjob("dbaas", "backup", "pg:16");
    let jobs = format!("{}/apis/batch/v1/namespaces/dbaas/jobs", cluster.url());
    let long = send("POST", &jobs, &[], &job(&"x".repeat(64), 1));
    assert_eq!(
        (long.status, &long.json()["reason"]),
        (422, &json!("Invalid"))
    );
    assert_eq!(
        send("POST", &jobs.replace("dbaas", "no"), &[], &job("x", 1)).status,
        404
    );
    cluster.forbid("create", "jobs");
    let forbidden = send("POST", &jobs, &[], &job("x", 1));
    assert_eq!(
        (forbidden.status, &forbidden.json()["kind"]),
        (403, &json!("Status"))
    );
    let missing = get(&cluster, "/apis/apps/v1/namespaces/web/deployments/nope");
    assert_eq!(missing["message"], "deployments.apps \"nope\" not found");
    cluster.unavailable(true);
    assert_eq!(get(&cluster, "/version")["code"], 503);
}

#[test]
fn a_watch_tells_each_change_of_a_job_and_its_end() {
    let cluster = Cluster::start().unwrap();
    cluster.add_cronjob("dbaas", "backup", "pg:16");
    cluster.job_delay(Duration::from_secs(1));
    let jobs = format!("{}/apis/batch/v1/namespaces/dbaas/jobs", cluster.url());
    assert_eq!(send("POST", &jobs, &[], &job("dump", 0)).status, 201);
    let watched = send(
        "GET",
        &format!("{jobs}?watch=true&timeoutSeconds=2"),
        &[],
        "",
    )
    .body;
    let at = |word: &str| {
        watched
            .find(word)
            .unwrap_or_else(|| panic!("{word} in {watched}"))
    };
    assert!(at("ADDED") < at("SuccessCriteriaMet") && at("SuccessCriteriaMet") < at("DELETED"));
}

#[test]
fn a_glob_spans_anything() {
    assert!(matches("*app:2*", "ghcr.io/me/app:2.1"));
    assert!(!matches("app:2", "app:2.1"));
}
