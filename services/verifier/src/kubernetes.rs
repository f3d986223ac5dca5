//! Workloads and their pods, read from the Kubernetes API.

mod release;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use job::Target;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, Node as KubeNode, Pod as KubePod, PodTemplateSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;
use kube::core::Selector;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::ports::{
    Ailment, Cluster, Member, Node, Other, Pod, Rollout, Surroundings, Trouble, Unknown, Workload,
};
use crate::rollout;
use crate::woodpecker::chain;

/// The client for every configured cluster; each connects when it is needed first.
pub struct Kubernetes {
    clusters: BTreeMap<String, (Option<String>, OnceCell<Client>)>,
    timeout: Duration,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.clusters.keys()).finish()
    }
}

impl Kubernetes {
    /// A client whose every request ends within `timeout`. Each cluster may have an address; else
    /// it is that of the pod's own cluster, or of the user's kubeconfig.
    #[must_use]
    pub fn new(clusters: BTreeMap<String, Option<String>>, timeout: Duration) -> Kubernetes {
        let clusters = clusters
            .into_iter()
            .map(|(name, url)| (name, (url, OnceCell::new())))
            .collect();
        Kubernetes { clusters, timeout }
    }

    async fn client(&self, name: &str) -> Result<Client, Unknown> {
        let (url, cell) = self
            .clusters
            .get(name)
            .ok_or_else(|| Unknown(format!("no cluster `{name}` is configured")))?;
        cell.get_or_try_init(|| connect(url.as_deref()))
            .await
            .cloned()
    }

    /// Ends a request that hangs, and reads a 404 as none.
    async fn ask<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<Option<T>, Unknown> {
        runtime::outside("kubernetes_look", None, self.bounded(request)).await
    }

    async fn bounded<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<Option<T>, Unknown> {
        match tokio::time::timeout(self.timeout, request).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
            Ok(Err(kube::Error::Api(status))) => Err(Unknown(format!(
                "Kubernetes answered {} {}: {}",
                status.code, status.reason, status.message
            ))),
            Ok(Err(error)) => Err(Unknown(format!(
                "Kubernetes did not answer: {}",
                chain(&error)
            ))),
            Err(_elapsed) => Err(Unknown(format!(
                "Kubernetes did not answer within {:?}",
                self.timeout
            ))),
        }
    }

    async fn get<K>(&self, client: &Client, target: &Target) -> Result<Option<K>, Unknown>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(client.clone(), &target.namespace);
        self.ask(api.get(&target.name)).await
    }

    /// The workload with its pods.
    async fn with_pods(
        &self,
        client: Client,
        namespace: &str,
        raw: Raw,
    ) -> Result<Workload, Unknown> {
        let selector = Selector::try_from(raw.selector.clone()).map_err(|error| {
            Unknown(format!(
                "the workload's selector is not understood: {error}"
            ))
        })?;
        let api: Api<KubePod> = Api::namespaced(client, namespace);
        let parameters = ListParams::default().labels_from(&selector);
        let pods = self.ask(api.list(&parameters)).await?;
        let pods = pods.map(|list| list.items).unwrap_or_default();
        let spec = raw.template.spec.unwrap_or_default();
        let init_images = images(spec.init_containers.as_deref().unwrap_or_default());
        let images = images(&spec.containers);
        let newest = |pod: &KubePod| is_newest(pod, raw.revision.as_deref(), &images, &init_images);
        let pods = pods
            .iter()
            .filter(|pod| counts(pod))
            .map(|pod| read(pod, newest(pod)))
            .collect();
        Ok(Workload {
            generation: raw.generation,
            replicas: raw.replicas,
            images,
            init_images,
            rollout: raw.rollout,
            pods,
        })
    }

    /// All of a kind in the cluster; none where the right to list them is missing.
    async fn list<K>(&self, api: Api<K>) -> Result<Vec<K>, Unknown>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let request = async {
            match api.list(&ListParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 403 => {
                    tracing::warn!(why = status.message, "the surroundings may not be listed");
                    Ok(Vec::new())
                }
                answer => answer.map(|list| list.items),
            }
        };
        Ok(self.ask(request).await?.unwrap_or_default())
    }
}

async fn connect(url: Option<&str>) -> Result<Client, Unknown> {
    let failed = |what: &str, error: &dyn std::error::Error| {
        Unknown(format!("failed to {what}: {}", chain(error)))
    };
    let infer = || async {
        let found = kube::Config::infer().await;
        found.map_err(|error| failed("find the cluster's configuration", &error))
    };
    let mut config = match url {
        None => infer().await?,
        // Credentials are not sent over plain HTTP.
        Some(url) if url.starts_with("http:") => kube::Config::new(address(url)?),
        Some(url) => {
            let mut config = infer().await?;
            config.cluster_url = address(url)?;
            config
        }
    };
    // The loop asks again by itself; what is away has to be seen as away.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| failed("set up the cluster's client", &error))
}

fn address<T: FromStr<Err: std::error::Error>>(url: &str) -> Result<T, Unknown> {
    url.parse()
        .map_err(|error| Unknown(format!("the cluster's address `{url}` is no URL: {error}")))
}

/// A workload of any kind, before its pods are known.
struct Raw {
    generation: i64,
    replicas: u32,
    selector: LabelSelector,
    template: PodTemplateSpec,
    rollout: Rollout,
    /// The label value of its newest pods, where the kind tells it and its controller has seen the
    /// template: until then the status still names the one before, whose pods may be the broken ones
    /// that an undo is about to replace.
    revision: Option<String>,
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn workload(&self, cluster: &str, target: &Target) -> Result<Option<Workload>, Unknown> {
        let client = self.client(cluster).await?;
        let raw = match target.kind.as_str() {
            "Deployment" => self
                .get::<Deployment>(&client, target)
                .await?
                .and_then(of_deployment),
            "StatefulSet" => self
                .get::<StatefulSet>(&client, target)
                .await?
                .and_then(of_stateful_set),
            "DaemonSet" => self
                .get::<DaemonSet>(&client, target)
                .await?
                .and_then(of_daemon_set),
            other => {
                return Err(Unknown(format!(
                    "workloads of kind `{other}` are not supported"
                )));
            }
        };
        match raw {
            Some(raw) => Ok(Some(self.with_pods(client, &target.namespace, raw).await?)),
            None => Ok(None),
        }
    }

    async fn release(&self, cluster: &str, target: &Target) -> Result<Vec<Member>, Unknown> {
        Box::pin(self.members(cluster, target)).await
    }

    async fn surroundings(&self, cluster: &str) -> Surroundings {
        let client = match self.client(cluster).await {
            Ok(client) => client,
            Err(unknown) => {
                return Surroundings {
                    unknown: Some(unknown),
                    ..Surroundings::default()
                };
            }
        };
        let (nodes, deployments) = futures::join!(
            self.list::<KubeNode>(Api::all(client.clone())),
            self.list::<Deployment>(Api::all(client))
        );
        let unknown = [nodes.as_ref().err(), deployments.as_ref().err()];
        let unknown = unknown.into_iter().flatten().next().cloned();
        Surroundings {
            nodes: nodes.iter().flatten().filter_map(node).collect(),
            deployments: deployments.iter().flatten().filter_map(other).collect(),
            unknown,
        }
    }
}

fn node(object: &KubeNode) -> Option<Node> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|one| one.type_ == "Ready")?;
    Some(Node {
        name: object.metadata.name.clone()?,
        ready: ready.status == "True",
        since_ms: ready.last_transition_time.as_ref()?.0.as_millisecond(),
    })
}

fn other(object: &Deployment) -> Option<Other> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    let available = conditions.iter().find(|one| one.type_ == "Available")?;
    Some(Other {
        namespace: object.metadata.namespace.clone()?,
        name: object.metadata.name.clone()?,
        available: available.status == "True",
        since_ms: available.last_transition_time.as_ref()?.0.as_millisecond(),
    })
}

fn of_deployment(object: Deployment) -> Option<Raw> {
    let rollout = rollout::deployment(&object);
    let spec = object.spec?;
    Some(Raw {
        generation: object.metadata.generation.unwrap_or(0),
        replicas: count(spec.replicas.unwrap_or(1)),
        selector: spec.selector,
        template: spec.template,
        rollout,
        revision: None,
    })
}

fn of_stateful_set(object: StatefulSet) -> Option<Raw> {
    let rollout = rollout::stateful_set(&object);
    let spec = object.spec?;
    let generation = object.metadata.generation;
    let status = object
        .status
        .filter(|status| !rollout::unseen(generation, status.observed_generation));
    Some(Raw {
        generation: generation.unwrap_or(0),
        replicas: count(spec.replicas.unwrap_or(1)),
        selector: spec.selector,
        template: spec.template,
        rollout,
        revision: status.and_then(|status| status.update_revision),
    })
}

fn of_daemon_set(object: DaemonSet) -> Option<Raw> {
    let rollout = rollout::daemon_set(&object);
    let spec = object.spec?;
    let wanted = object
        .status
        .map_or(0, |status| status.desired_number_scheduled);
    Some(Raw {
        generation: object.metadata.generation.unwrap_or(0),
        replicas: count(wanted),
        selector: spec.selector,
        template: spec.template,
        rollout,
        revision: None,
    })
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn images(containers: &[Container]) -> BTreeMap<String, String> {
    let image = |container: &Container| container.image.clone().unwrap_or_default();
    containers
        .iter()
        .map(|container| (container.name.clone(), image(container)))
        .collect()
}

/// Whether a pod says anything about the workload: no Job's, none that is over or on its way out.
fn counts(pod: &KubePod) -> bool {
    let of_job = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.kind == "Job");
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let over = matches!(phase, Some("Succeeded" | "Failed"));
    !of_job && !over && pod.metadata.deletion_timestamp.is_none()
}

/// By the controller's revision where the workload tells it, else by the images; containers that
/// admission added (a mesh's proxy) stand in the pod alone.
fn is_newest(
    pod: &KubePod,
    revision: Option<&str>,
    template: &BTreeMap<String, String>,
    template_init: &BTreeMap<String, String>,
) -> bool {
    let label = pod.metadata.labels.iter().flatten();
    let label = label
        .filter(|(name, _)| *name == "controller-revision-hash")
        .map(|(_, value)| value.as_str())
        .next();
    if let (Some(label), Some(revision)) = (label, revision) {
        return label == revision;
    }
    let Some(spec) = &pod.spec else { return false };
    let plain = images(&spec.containers);
    let init = images(spec.init_containers.as_deref().unwrap_or_default());
    let same = |template: &BTreeMap<String, String>, pod: &BTreeMap<String, String>| {
        template.iter().all(|(name, image)| {
            pod.get(name)
                .is_some_and(|found| crate::image::same(found, image))
        })
    };
    same(template, &plain) && same(template_init, &init)
}

fn read(pod: &KubePod, newest: bool) -> Pod {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let containers = status.container_statuses.unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    let all = || init.iter().chain(&containers);
    let name = pod.metadata.name.clone().unwrap_or_default();
    Pod {
        uid: pod.metadata.uid.clone().unwrap_or_else(|| name.clone()),
        name,
        newest,
        ready,
        restarts: all().map(|container| count(container.restart_count)).sum(),
        last_end_ms: all().filter_map(last_end_ms).max(),
        troubles: all().filter_map(trouble).collect(),
    }
}

fn last_end_ms(container: &ContainerStatus) -> Option<i64> {
    let last = container.last_state.as_ref()?.terminated.as_ref()?;
    last.finished_at
        .as_ref()
        .map(|time| time.0.as_millisecond())
}

/// What is wrong with one container; harmless reasons to wait are not.
fn trouble(container: &ContainerStatus) -> Option<Trouble> {
    let state = container.state.clone().unwrap_or_default();
    let last = container.last_state.clone().unwrap_or_default();
    let name = &container.name;
    let ended = [state.terminated.as_ref(), last.terminated.as_ref()];
    let code = ended.iter().flatten().next().map(|ended| ended.exit_code);
    let code = code.map_or(String::new(), |code| format!(", last exit code {code}"));
    let restarts = format!("{} restarts{code}", container.restart_count);
    if ended
        .iter()
        .flatten()
        .any(|ended| ended.reason.as_deref() == Some("OOMKilled"))
    {
        let text = format!("container `{name}`: OOMKilled, {restarts}");
        return Some(Trouble {
            ailment: Ailment::OutOfMemory,
            text,
        });
    }
    let waiting = state.waiting?;
    let reason = waiting.reason.as_deref()?;
    let (ailment, detail) = match reason {
        "CrashLoopBackOff" | "RunContainerError" => (Ailment::CrashLoop, restarts),
        "ImagePullBackOff"
        | "ErrImagePull"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "CreateContainerConfigError"
        | "CreateContainerError" => (Ailment::NotStarting, waiting.message.unwrap_or_default()),
        _ => return None,
    };
    let text = format!("container `{name}`: {reason} {detail}")
        .trim_end()
        .to_owned();
    Some(Trouble { ailment, text })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: &Value, phase: &str) -> KubePod {
        let spec = json!({"containers": [
            {"name": "app", "image": "docker.io/acme/app:2"}, {"name": "proxy", "image": "mesh:1"},
        ]});
        serde_json::from_value(json!({
            "metadata": metadata, "spec": spec, "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn pods_of_jobs_and_those_that_are_over_are_noise() {
        assert!(counts(&pod(&json!({}), "Running")));
        assert!(counts(&pod(&json!({}), "Pending")));
        assert!(!counts(&pod(&json!({}), "Succeeded")));
        assert!(!counts(&pod(&json!({}), "Failed")));
        assert!(!counts(&pod(
            &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            "Running"
        )));
        let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "y"}]);
        assert!(!counts(&pod(&json!({"ownerReferences": owner}), "Running")));
    }

    #[test]
    fn the_newest_pods_are_told_by_revision_or_by_image() {
        let template = |image: &str| BTreeMap::from([("app".to_owned(), image.to_owned())]);
        let none = BTreeMap::new();
        let plain = pod(&json!({}), "Running");
        assert!(is_newest(&plain, None, &template("acme/app:2"), &none));
        assert!(!is_newest(&plain, None, &template("acme/app:1"), &none));
        assert!(!is_newest(
            &plain,
            None,
            &template("acme/app:2"),
            &template("acme/app:2")
        ));
        let labelled = pod(
            &json!({"labels": {"controller-revision-hash": "a"}}),
            "Running",
        );
        assert!(is_newest(
            &labelled,
            Some("a"),
            &template("acme/app:1"),
            &none
        ));
        assert!(!is_newest(
            &labelled,
            Some("b"),
            &template("acme/app:2"),
            &none
        ));
    }

    #[test]
    fn reasons_are_told_apart() {
        let status = |state: Value, last: Value| -> Option<Trouble> {
            let status = json!({"name": "app", "image": "x", "imageID": "", "ready": false,
                "restartCount": 2, "state": state, "lastState": last});
            trouble(&serde_json::from_value(status).unwrap())
        };
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let ended = |reason: &str| json!({"terminated": {"exitCode": 137, "reason": reason}});
        for (state, last, expected) in [
            (
                waiting("CrashLoopBackOff"),
                ended("Error"),
                Some(Ailment::CrashLoop),
            ),
            (
                waiting("CrashLoopBackOff"),
                ended("OOMKilled"),
                Some(Ailment::OutOfMemory),
            ),
            (
                json!({"running": {}}),
                ended("OOMKilled"),
                Some(Ailment::OutOfMemory),
            ),
            (json!({"running": {}}), ended("Error"), None),
            (
                waiting("ErrImagePull"),
                json!({}),
                Some(Ailment::NotStarting),
            ),
            (
                waiting("CreateContainerConfigError"),
                json!({}),
                Some(Ailment::NotStarting),
            ),
            (waiting("ContainerCreating"), json!({}), None),
            (waiting("PodInitializing"), json!({}), None),
        ] {
            let found = status(state.clone(), last.clone());
            assert_eq!(found.map(|found| found.ailment), expected, "{state} {last}");
        }
        let text = status(waiting("CrashLoopBackOff"), ended("Error"))
            .unwrap()
            .text;
        assert_eq!(
            text,
            "container `app`: CrashLoopBackOff 2 restarts, last exit code 137"
        );
    }
}
