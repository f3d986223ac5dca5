//! The workloads of a Helm release, found by what Helm writes on them.

use futures::future::try_join_all;
use job::Target;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::{Kubernetes, Raw, of_daemon_set, of_deployment, of_stateful_set};
use crate::ports::{Member, Unknown};

const NAME: &str = "meta.helm.sh/release-name";
const NAMESPACE: &str = "meta.helm.sh/release-namespace";
const CHART: &str = "helm.sh/chart";

/// A workload of a release, before its pods are known.
struct Found {
    kind: &'static str,
    name: String,
    chart: Option<String>,
    raw: Raw,
}

impl Kubernetes {
    /// Every Deployment, `StatefulSet` and `DaemonSet` of the release, with its pods.
    pub(super) async fn members(
        &self,
        cluster: &str,
        target: &Target,
    ) -> Result<Vec<Member>, Unknown> {
        let client = self.client(cluster).await?;
        let (deployments, sets, daemons) = futures::try_join!(
            self.of_kind::<Deployment>(&client, target, "Deployment", of_deployment),
            self.of_kind::<StatefulSet>(&client, target, "StatefulSet", of_stateful_set),
            self.of_kind::<DaemonSet>(&client, target, "DaemonSet", of_daemon_set),
        )?;
        let all = deployments.into_iter().chain(sets).chain(daemons);
        try_join_all(all.map(|found| async {
            let workload = self.with_pods(client.clone(), &target.namespace, found.raw);
            Ok(Member {
                kind: found.kind.to_owned(),
                name: found.name,
                chart: found.chart,
                workload: workload.await?,
            })
        }))
        .await
    }

    /// Those of one kind. What may not be listed is unknown, never absent.
    async fn of_kind<K>(
        &self,
        client: &Client,
        target: &Target,
        kind: &'static str,
        raw: fn(K) -> Option<Raw>,
    ) -> Result<Vec<Found>, Unknown>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(client.clone(), &target.namespace);
        let listed = self.ask(api.list(&ListParams::default())).await?;
        let ours = listed.into_iter().flat_map(|list| list.items);
        let ours = ours.filter(|object| is_of(object.meta(), target));
        Ok(ours
            .filter_map(|object| {
                Some(Found {
                    kind,
                    name: object.name_any(),
                    chart: object.labels().get(CHART).cloned(),
                    raw: raw(object)?,
                })
            })
            .collect())
    }
}

fn is_of(metadata: &ObjectMeta, target: &Target) -> bool {
    let says = |name: &str, value: &str| {
        let annotations = metadata.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(name))
            .is_some_and(|found| found == value)
    };
    says(NAME, &target.name) && says(NAMESPACE, &target.namespace)
}
