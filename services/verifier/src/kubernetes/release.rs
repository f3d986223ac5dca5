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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use testkit::kubernetes::{Cluster, Kind, Workload};

    use super::*;
    use crate::ports::Cluster as _;
    use crate::sample;

    fn stage() -> (Cluster, Kubernetes, Target) {
        crate::choose_cryptography();
        let cluster = Cluster::start().unwrap();
        let of = |kind, namespace: &str, name: &str, release: &str| {
            Workload::new(kind, namespace, name)
                .label("app", name)
                .container("app", "acme/app:1")
                .of_release(release, "app-1.2.0")
        };
        cluster.add(of(Kind::Deployment, "web", "server", "release"));
        cluster.add(of(Kind::StatefulSet, "web", "store", "release"));
        cluster.add(of(Kind::DaemonSet, "web", "agent", "release"));
        cluster.add(of(Kind::Deployment, "web", "neighbour", "another"));
        cluster.add(of(Kind::Deployment, "other", "server", "release"));
        cluster.add_deployment(
            "web",
            "plain",
            &[("app", "plain")],
            &[("app", "acme/app:1")],
        );
        let clusters = BTreeMap::from([("home".to_owned(), Some(cluster.url()))]);
        let target = Target {
            kind: "HelmRelease".to_owned(),
            name: "release".to_owned(),
            ..sample::target()
        };
        (
            cluster,
            Kubernetes::new(clusters, Duration::from_secs(5)),
            target,
        )
    }

    #[tokio::test]
    async fn a_release_is_every_workload_that_bears_its_name_and_no_other() {
        let (_cluster, kubernetes, target) = stage();
        let found = kubernetes.release("home", &target).await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|member| {
                (
                    member.kind.as_str(),
                    member.name.as_str(),
                    member.workload.pods.len(),
                )
            })
            .collect();
        let expected = [
            ("Deployment", "server", 1),
            ("StatefulSet", "store", 1),
            ("DaemonSet", "agent", 1),
        ];
        assert_eq!(told, expected);
        assert!(
            found
                .iter()
                .all(|member| member.chart.as_deref() == Some("app-1.2.0"))
        );
    }

    #[tokio::test]
    async fn what_may_not_be_listed_is_unknown_and_not_absent() {
        let (cluster, kubernetes, target) = stage();
        cluster.forbid("list", "statefulsets");
        let unknown = kubernetes.release("home", &target).await.unwrap_err();
        assert!(
            unknown.0.contains("cannot list resource \"statefulsets\""),
            "{unknown}"
        );
    }
}
