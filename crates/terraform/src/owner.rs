//! The resource that owns a reference, as far as the files say it.

use std::collections::BTreeMap;

use hcl_edit::structure::Body;

use crate::answer::Owner;
use crate::declared::Declared;
use crate::eval::{DEPTH, Scope};
use crate::lifecycle::Step;
use crate::node::{Node, Seg};
use crate::parts::whole;
use crate::routes;
use crate::walk::is_container;

/// Of an attribute in a block of a resource.
pub(crate) fn block<'a>(
    scope: &Scope<'a>,
    declared: &Declared<'a>,
    container: Option<&'a Body>,
    steps: &[Step],
    repository: &str,
) -> Owner {
    let body = declared.body();
    if !declared.block.has_ident("resource") {
        return Owner {
            kind: "module".to_owned(),
            name: Some(declared.label(0).to_owned()),
            image_repository: repository.to_owned(),
            ..Owner::default()
        };
    }
    // The block's own name: of `dynamic` its label.
    let held_by = steps
        .iter()
        .rev()
        .nth(1)
        .map_or("", |step| step.name.as_str());
    let labels = pod_labels(scope, body);
    let name = scope.text_at(body, &["metadata", "name"]);
    let number = |path: &[&str]| scope.text_at(body, path).and_then(|text| text.parse().ok());
    let inside = container.filter(|_| is_container(held_by));
    Owner {
        kind: kind(declared.label(0)),
        namespace: scope.text_at(body, &["metadata", "namespace"]),
        match_labels: scope.map_at(body, &["spec", "selector", "match_labels"]),
        container: inside.and_then(|container| scope.text_at(container, &["name"])),
        init: held_by == "init_container",
        image_repository: repository.to_owned(),
        replicas: number(&["spec", "replicas"]),
        ingress_hosts: routes::hosts(scope, name.as_deref(), &labels),
        memory_limit: container.and_then(|container| memory_limit(scope, container)),
        readiness_probe: inside.map(|container| container.has_blocks("readiness_probe")),
        strategy: scope
            .text_at(body, &["spec", "strategy", "type"])
            .or_else(|| scope.text_at(body, &["spec", "update_strategy", "type"])),
        name,
        ..Owner::default()
    }
}

/// Of a Helm release.
pub(crate) fn release<'a>(scope: &Scope<'a>, body: &'a Body) -> Owner {
    let text = |name: &str| scope.text_at(body, &[name]);
    Owner {
        kind: "HelmRelease".to_owned(),
        name: text("name"),
        namespace: text("namespace"),
        image_repository: text("chart").unwrap_or_default(),
        chart_repository: text("repository"),
        atomic: text("atomic").map(|text| text == "true"),
        timeout_seconds: text("timeout").and_then(|text| text.parse().ok()),
        ..Owner::default()
    }
}

/// Of a Kubernetes object that is written as it is.
pub(crate) fn manifest<'a>(
    scope: &Scope<'a>,
    object: &Node<'a>,
    element: Option<&(String, Node<'a>)>,
    repository: &str,
) -> Owner {
    let at = |node: &Node<'a>, path: &[&str]| {
        let path: Vec<Seg> = path.iter().map(|key| Seg::Key((*key).to_owned())).collect();
        node.select(&path, DEPTH).ok()
    };
    let text = |node: &Node<'a>, path: &[&str]| {
        at(node, path).and_then(|found| whole(&found.parts(DEPTH)))
    };
    let map = |path: &[&str]| {
        at(object, path)
            .map(|found| found.map())
            .unwrap_or_default()
    };
    let name = text(object, &["metadata", "name"]);
    let selector = map(&["spec", "selector", "matchLabels"]);
    let own = map(&["spec", "template", "metadata", "labels"]);
    let labels = if own.is_empty() { &selector } else { &own };
    let container =
        element.filter(|(list, _)| matches!(list.as_str(), "containers" | "initContainers"));
    Owner {
        kind: text(object, &["kind"]).unwrap_or_default(),
        namespace: text(object, &["metadata", "namespace"]),
        container: container.and_then(|(_, node)| text(node, &["name"])),
        init: container.is_some_and(|(list, _)| list == "initContainers"),
        image_repository: repository.to_owned(),
        replicas: text(object, &["spec", "replicas"]).and_then(|text| text.parse().ok()),
        ingress_hosts: routes::hosts(scope, name.as_deref(), labels),
        memory_limit: container
            .and_then(|(_, node)| text(node, &["resources", "limits", "memory"])),
        readiness_probe: container.map(|(_, node)| at(node, &["readinessProbe"]).is_some()),
        strategy: text(object, &["spec", "strategy", "type"]),
        match_labels: selector,
        name,
        ..Owner::default()
    }
}

/// Terraform's resource types carry a version that the kind does not.
pub(crate) fn kind(resource: &str) -> String {
    let base = resource.strip_suffix("_v1").unwrap_or(resource);
    match base {
        "kubernetes_deployment" => "Deployment",
        "kubernetes_stateful_set" => "StatefulSet",
        "kubernetes_daemonset" | "kubernetes_daemon_set" => "DaemonSet",
        "kubernetes_cron_job" => "CronJob",
        "kubernetes_job" => "Job",
        "kubernetes_pod" => "Pod",
        "helm_release" => "HelmRelease",
        _ => resource,
    }
    .to_owned()
}

/// The labels of the pods: a template may leave them to the selector.
fn pod_labels<'a>(scope: &Scope<'a>, body: &'a Body) -> BTreeMap<String, String> {
    let own = scope.map_at(body, &["spec", "template", "metadata", "labels"]);
    match own.is_empty() {
        true => scope.map_at(body, &["spec", "selector", "match_labels"]),
        false => own,
    }
}

/// `limits` is an attribute today and was a block before provider 2.0.
fn memory_limit<'a>(scope: &Scope<'a>, container: &'a Body) -> Option<String> {
    scope
        .map_at(container, &["resources", "limits"])
        .remove("memory")
        .or_else(|| scope.text_at(container, &["resources", "limits", "memory"]))
}
