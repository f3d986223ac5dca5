//! The resource that owns a reference, as far as the files say it.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::structure::Body;

use crate::answer::Owner;
use crate::lifecycle::ignored_by;
use crate::reference::{Reference, Tag, What, is_container};
use crate::routes;

/// The owners of all references whose tag is written at this place, and the normalised images
/// among them. References that Terraform ignores do not move.
pub(crate) fn moved(
    all: &[Reference<'_>],
    path: &str,
    span: &Range<usize>,
) -> (Vec<Owner>, Vec<String>) {
    let mut owners = Vec::new();
    let mut images = Vec::new();
    for reference in all {
        let Some(said) = reference.said() else {
            continue;
        };
        let Tag::At { place, .. } = &said.tag else {
            continue;
        };
        if place.path != path || place.span != *span || ignored_by(reference).is_some() {
            continue;
        }
        // Whose an argument or an object is, is not known.
        if reference.shape.is_none() {
            owners.push(owner(reference, &said.repository));
        }
        if reference.what == What::Image {
            images.push(version::normalise(&said.repository));
        }
    }
    images.sort();
    images.dedup();
    (owners, images)
}

/// Resolves the owner. `repository` is what the reference says, as written.
pub(crate) fn owner(reference: &Reference<'_>, repository: &str) -> Owner {
    let scope = reference.scope;
    let body = &reference.owner.block.body;
    let resource = reference.owner.label(0);
    if reference.what == What::Chart {
        return Owner {
            kind: kind(resource),
            name: scope.text_at(body, &["name"]),
            namespace: scope.text_at(body, &["namespace"]),
            image_repository: repository.to_owned(),
            ..Owner::default()
        };
    }
    let container = reference.container.map(|block| &block.body);
    // The block's own name: of `dynamic` its label.
    let block = reference
        .steps
        .iter()
        .rev()
        .nth(1)
        .map_or("", |step| step.name.as_str());
    let labels = pod_labels(reference);
    let name = scope.text_at(body, &["metadata", "name"]);
    Owner {
        kind: kind(resource),
        namespace: scope.text_at(body, &["metadata", "namespace"]),
        match_labels: scope.map_at(body, &["spec", "selector", "match_labels"]),
        container: container
            .filter(|_| is_container(block))
            .and_then(|container| scope.text_at(container, &["name"])),
        init: block == "init_container",
        image_repository: repository.to_owned(),
        replicas: scope
            .text_at(body, &["spec", "replicas"])
            .and_then(|text| text.parse().ok()),
        ingress_hosts: routes::hosts(scope, name.as_deref(), &labels),
        memory_limit: container.and_then(|container| memory_limit(reference, container)),
        name,
    }
}

/// Terraform's resource types carry a version that the kind does not.
fn kind(resource: &str) -> String {
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
fn pod_labels(reference: &Reference<'_>) -> BTreeMap<String, String> {
    let body = &reference.owner.block.body;
    let own = reference
        .scope
        .map_at(body, &["spec", "template", "metadata", "labels"]);
    match own.is_empty() {
        true => reference
            .scope
            .map_at(body, &["spec", "selector", "match_labels"]),
        false => own,
    }
}

/// `limits` is an attribute today and was a block before provider 2.0.
fn memory_limit<'a>(reference: &Reference<'a>, container: &'a Body) -> Option<String> {
    let scope = reference.scope;
    scope
        .map_at(container, &["resources", "limits"])
        .remove("memory")
        .or_else(|| scope.text_at(container, &["resources", "limits", "memory"]))
}
