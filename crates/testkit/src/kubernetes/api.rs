//! The HTTP side of the cluster: get, list, watch, Jobs, and `Status` objects for errors.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::deletion::Options;
use super::{Key, State, job, pod};
use crate::server::{json as json_reply, lock, query, reply};

/// What a path asks for.
struct Asked {
    group: &'static str,
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
}

pub(super) async fn answer(
    Shared(state): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let latency = lock(&state).latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let now = Timestamp::now();
    let mut cluster = lock(&state);
    cluster.requests += 1;
    if cluster.unavailable {
        return error(
            503,
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
            None,
        );
    }
    if uri.path() == "/version" {
        let version = json!({"major": "1", "minor": "33", "gitVersion": "v1.33.1",
                             "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
                             "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64"});
        return json_reply(200, &version);
    }
    if matches!(uri.path(), "/livez" | "/readyz" | "/healthz") {
        return reply(200, "text/plain; charset=utf-8", "ok");
    }
    let Some(asked) = parse(uri.path()) else {
        return reply(404, "text/plain; charset=utf-8", "404 page not found\n");
    };
    let watch = matches!(query(&uri, "watch").as_deref(), Some("true" | "1"));
    let verb = match (&method, &asked.name) {
        (&Method::GET, Some(_)) => "get",
        (&Method::GET, None) if watch => "watch",
        (&Method::GET, None) => "list",
        (&Method::POST, None) if asked.plural == "jobs" => "create",
        (&Method::DELETE, Some(_)) if asked.plural == "jobs" => "delete",
        _ => {
            let message = "the server does not allow this method on the requested resource";
            return error(405, "MethodNotAllowed", message, None);
        }
    };
    if cluster
        .forbidden
        .contains(&(verb.to_owned(), asked.plural.clone()))
    {
        let Asked { group, plural, .. } = &asked;
        let scope = asked.namespace.as_deref().map_or_else(
            || "at the cluster scope".to_owned(),
            |namespace| format!("in the namespace {namespace:?}"),
        );
        let message = format!(
            "{plural}.{group} is forbidden: User \"system:serviceaccount:bowline:bowline\" cannot \
             {verb} resource {plural:?} in API group {group:?} {scope}"
        );
        return error(403, "Forbidden", &message, Some(&asked));
    }
    cluster.refresh(now);
    match verb {
        "get" => {
            let namespace = asked.namespace.clone().unwrap_or_default();
            let name = asked.name.clone().unwrap_or_default();
            match cluster
                .objects
                .get(&(asked.plural.clone(), namespace, name))
            {
                Some((_, object)) => json_reply(200, object),
                None => missing(&asked),
            }
        }
        "create" => cluster.create_job(&asked, &uri, &body, now),
        "delete" => cluster.delete_job(&asked, &uri, &body, now),
        _ => {
            let selector = match Selector::parse(&uri) {
                Ok(selector) => selector,
                Err(wrong) => {
                    return error(
                        400,
                        "BadRequest",
                        &format!("unable to parse requirement: {wrong}"),
                        None,
                    );
                }
            };
            if verb == "list" {
                return cluster.list(&asked, &selector);
            }
            drop(cluster);
            watch_stream(state, asked, selector, &uri)
        }
    }
}

fn parse(path: &str) -> Option<Asked> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (group, rest) = match segments.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", "apps", "v1", rest @ ..] => ("apps", rest),
        ["apis", "batch", "v1", rest @ ..] => ("batch", rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
            (Some((*namespace).to_owned()), rest)
        }
        rest => (None, rest),
    };
    let (plural, name) = match rest {
        [plural] => (*plural, None),
        [plural, name] if namespace.is_some() => (*plural, Some((*name).to_owned())),
        _ => return None,
    };
    let known: &[&str] = match group {
        "" => &["pods", "events", "nodes"],
        "apps" => &["deployments", "statefulsets", "daemonsets", "replicasets"],
        _ => &["jobs", "cronjobs"],
    };
    known.contains(&plural).then(|| Asked {
        group,
        plural: plural.to_owned(),
        namespace,
        name,
    })
}

impl Asked {
    fn holds(&self, key: &Key) -> bool {
        key.0 == self.plural
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == key.1)
    }

    fn kind(&self) -> (&'static str, &'static str) {
        match self.plural.as_str() {
            "deployments" => ("apps/v1", "DeploymentList"),
            "statefulsets" => ("apps/v1", "StatefulSetList"),
            "daemonsets" => ("apps/v1", "DaemonSetList"),
            "replicasets" => ("apps/v1", "ReplicaSetList"),
            "jobs" => ("batch/v1", "JobList"),
            "cronjobs" => ("batch/v1", "CronJobList"),
            "events" => ("v1", "EventList"),
            "nodes" => ("v1", "NodeList"),
            _ => ("v1", "PodList"),
        }
    }
}

impl State {
    fn list(&self, asked: &Asked, selector: &Selector) -> Response {
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(key, (_, object))| asked.holds(key) && selector.matches(object))
            .map(|(_, (_, object))| object)
            .collect();
        let (version, kind) = asked.kind();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        let list =
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "items": items});
        json_reply(200, &list)
    }

    fn create_job(&mut self, asked: &Asked, uri: &Uri, body: &Bytes, now: Timestamp) -> Response {
        let Ok(mut job) = serde_json::from_slice::<Value>(body) else {
            return error(
                400,
                "BadRequest",
                "the object provided is unrecognized",
                None,
            );
        };
        let namespace = asked.namespace.clone().unwrap_or_default();
        if !self.namespaces.contains(&namespace) {
            let message = format!("namespaces {namespace:?} not found");
            return error(404, "NotFound", &message, None);
        }
        let text = |pointer| {
            job.pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let name = text("/metadata/name")
            .filter(|name| !name.is_empty())
            .or_else(|| {
                self.serial += 1;
                text("/metadata/generateName").map(|prefix| format!("{prefix}{:05x}", self.serial))
            });
        let name = name.unwrap_or_default();
        let asked = Asked {
            group: "batch",
            plural: "jobs".to_owned(),
            namespace: asked.namespace.clone(),
            name: Some(name.clone()),
        };
        if let Err((field, wrong)) = job::check(&name, &job) {
            let message = format!("Job.batch {name:?} is invalid: {field}: {wrong}");
            return error(422, "Invalid", &message, Some(&asked));
        }
        if self
            .objects
            .contains_key(&("jobs".to_owned(), namespace.clone(), name.clone()))
        {
            let message = format!("jobs.batch {name:?} already exists");
            return error(409, "AlreadyExists", &message, Some(&asked));
        }
        let uid = self.uid();
        let cronjob = text("/metadata/ownerReferences/0/name").unwrap_or_default();
        for (key, value) in [
            ("name", json!(name)),
            ("namespace", json!(namespace)),
            ("uid", json!(uid)),
            ("creationTimestamp", json!(pod::time(now))),
            ("generation", json!(1)),
        ] {
            job["metadata"][key] = value;
        }
        for (key, value) in [
            ("completions", json!(1)),
            ("parallelism", json!(1)),
            ("backoffLimit", json!(6)),
            ("suspend", json!(false)),
            ("completionMode", json!("NonIndexed")),
        ] {
            if job["spec"].get(key).is_none_or(Value::is_null) {
                job["spec"][key] = value;
            }
        }
        for (key, value) in [
            ("controller-uid", &uid),
            ("batch.kubernetes.io/controller-uid", &uid),
            ("job-name", &name),
            ("batch.kubernetes.io/job-name", &name),
        ] {
            job["spec"]["template"]["metadata"]["labels"][key] = json!(value);
        }
        job["spec"]["selector"] =
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
        job["apiVersion"] = json!("batch/v1");
        job["kind"] = json!("Job");
        if query(uri, "dryRun").is_none() {
            let behaviour = self.job_behaviour(&namespace, &cronjob);
            let takes = self.delays.job;
            let (object, created) = (job.clone(), now);
            let (namespace, name) = (namespace.clone(), name.clone());
            self.created.push((namespace.clone(), name.clone()));
            self.jobs.push(job::Job {
                namespace,
                name,
                uid,
                object,
                created,
                behaviour,
                takes,
                deletion: None,
            });
            self.refresh(now);
            if let Some((_, stored)) = self.objects.get(&(
                "jobs".to_owned(),
                asked.namespace.clone().unwrap_or_default(),
                asked.name.clone().unwrap_or_default(),
            )) {
                return json_reply(201, stored);
            }
        }
        json_reply(201, &job)
    }

    fn delete_job(&mut self, asked: &Asked, uri: &Uri, body: &Bytes, now: Timestamp) -> Response {
        let Some(options) = Options::read(uri, body) else {
            let message = "the delete options provided are unrecognized";
            return error(400, "BadRequest", message, None);
        };
        let grace = self.delays.job_grace;
        let found = self.jobs.iter_mut().find(|job| {
            Some(&job.namespace) == asked.namespace.as_ref()
                && Some(&job.name) == asked.name.as_ref()
                && job.is_listed(now, grace)
        });
        let Some(job) = found else {
            return missing(asked);
        };
        if let Some(wanted) = options.uid.filter(|wanted| *wanted != job.uid) {
            let message = format!(
                "Operation cannot be fulfilled on jobs.batch {:?}: the UID in the precondition \
                 ({wanted}) does not match the UID in record ({}). The object might have been \
                 deleted and then recreated",
                job.name, job.uid
            );
            return error(409, "Conflict", &message, Some(asked));
        }
        let success = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": job.name, "group": "batch", "kind": "jobs", "uid": job.uid},
        });
        if !options.dry_run {
            job.delete(options.cascade, now);
            self.refresh(now);
        }
        // What still has to end is answered with itself.
        let key = (
            asked.plural.clone(),
            asked.namespace.clone().unwrap_or_default(),
            asked.name.clone().unwrap_or_default(),
        );
        match self.objects.get(&key) {
            Some((_, object)) => json_reply(200, object),
            None => json_reply(200, &success),
        }
    }
}

/// Equality and existence of labels, and `metadata.name` as the only field.
struct Selector {
    labels: Vec<(String, Option<String>, bool)>,
    name: Option<String>,
}

impl Selector {
    fn parse(uri: &Uri) -> Result<Self, String> {
        let mut labels = Vec::new();
        let text = query(uri, "labelSelector").unwrap_or_default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if part.contains(['(', ' ']) {
                return Err(format!("{part:?}: sets are not supported by this stub"));
            }
            let found = if let Some((key, value)) = part.split_once("!=") {
                (key.to_owned(), Some(value.to_owned()), false)
            } else if let Some((key, value)) = part.split_once('=') {
                (
                    key.to_owned(),
                    Some(value.trim_start_matches('=').to_owned()),
                    true,
                )
            } else if let Some(key) = part.strip_prefix('!') {
                (key.to_owned(), None, false)
            } else {
                (part.to_owned(), None, true)
            };
            labels.push(found);
        }
        let fields = query(uri, "fieldSelector").unwrap_or_default();
        let name = match fields.split_once('=') {
            None => None,
            Some(("metadata.name", name)) => Some(name.trim_start_matches('=').to_owned()),
            Some(_) => return Err(format!("{fields:?}: field label not supported")),
        };
        Ok(Self { labels, name })
    }

    fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let label = |key: &str| metadata.get("labels")?.get(key)?.as_str();
        self.labels.iter().all(|(key, value, wanted)| match value {
            Some(value) => (label(key) == Some(value.as_str())) == *wanted,
            None => label(key).is_some() == *wanted,
        }) && self
            .name
            .as_ref()
            .is_none_or(|name| metadata["name"] == json!(name))
    }
}

/// Sends what changes after the given resource version, one JSON object per line.
fn watch_stream(state: Arc<Mutex<State>>, asked: Asked, selector: Selector, uri: &Uri) -> Response {
    let number = |key| query(uri, key).and_then(|value| value.parse::<u64>().ok());
    let since = number("resourceVersion").unwrap_or(0);
    let limit = Duration::from_secs(number("timeoutSeconds").unwrap_or(290));
    let ends = tokio::time::Instant::now() + limit;
    // The collection as the client knows it already.
    let mut known: BTreeMap<Key, u64> = BTreeMap::new();
    for (key, (version, object)) in &lock(&state).objects {
        if since > 0 && *version <= since && asked.holds(key) && selector.matches(object) {
            known.insert(key.clone(), *version);
        }
    }
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(16);
    let weak = Arc::downgrade(&state);
    drop(state);
    tokio::spawn(async move {
        while tokio::time::Instant::now() < ends {
            let Some(state) = weak.upgrade() else { return };
            let lines = changes(&mut lock(&state), &asked, &selector, &mut known);
            drop(state);
            for line in lines {
                if sender.send(Bytes::from(format!("{line}\n"))).await.is_err() {
                    return;
                }
            }
            if sender.is_closed() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    });
    let stream = futures::stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        Some((Ok::<_, Infallible>(line), receiver))
    });
    (
        [("content-type", "application/json")],
        Body::from_stream(stream),
    )
        .into_response()
}

fn changes(
    cluster: &mut State,
    asked: &Asked,
    selector: &Selector,
    known: &mut BTreeMap<Key, u64>,
) -> Vec<Value> {
    cluster.refresh(Timestamp::now());
    let mut lines = Vec::new();
    let gone: Vec<Key> = known
        .keys()
        .filter(|key| !cluster.objects.contains_key(*key))
        .cloned()
        .collect();
    for key in gone {
        known.remove(&key);
        let last = cluster.deleted.get(&key).cloned().unwrap_or_default();
        lines.push(json!({"type": "DELETED", "object": last}));
    }
    for (key, (version, object)) in &cluster.objects {
        if !asked.holds(key) || !selector.matches(object) || known.get(key) == Some(version) {
            continue;
        }
        let kind = if known.insert(key.clone(), *version).is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        lines.push(json!({"type": kind, "object": object}));
    }
    lines
}

fn missing(asked: &Asked) -> Response {
    let name = asked.name.as_deref().unwrap_or("");
    let resource = if asked.group.is_empty() {
        asked.plural.clone()
    } else {
        format!("{}.{}", asked.plural, asked.group)
    };
    error(
        404,
        "NotFound",
        &format!("{resource} {name:?} not found"),
        Some(asked),
    )
}

fn error(code: u16, reason: &str, message: &str, asked: Option<&Asked>) -> Response {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                            "status": "Failure", "message": message, "reason": reason,
                            "code": code});
    if let Some(asked) = asked {
        let mut details = json!({"kind": asked.plural});
        if let Some(name) = &asked.name {
            details["name"] = json!(name);
        }
        if !asked.group.is_empty() {
            details["group"] = json!(asked.group);
        }
        status["details"] = details;
    }
    json_reply(code, &status)
}
