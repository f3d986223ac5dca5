//! The hosts under which a workload answers: ingresses, and calls of an ingress module.

use std::collections::BTreeMap;

use hcl_edit::structure::Body;

use crate::declared::Declared;
use crate::eval::Scope;

/// The hosts of all ingresses of this folder that lead to pods with these labels.
pub(crate) fn hosts(
    scope: &Scope<'_>,
    workload: Option<&str>,
    labels: &BTreeMap<String, String>,
) -> Vec<String> {
    let Some(folder) = scope.folder() else {
        return Vec::new();
    };
    let leads_here = |service: Option<&str>| leads(scope, service, workload, labels);
    let mut hosts = Vec::new();
    for ingress in folder
        .resources
        .iter()
        .filter(|r| r.label(0).starts_with("kubernetes_ingress"))
    {
        let scope = &scope.within(ingress.file);
        let rules = ingress
            .block
            .body
            .get_blocks("spec")
            .flat_map(|spec| spec.body.get_blocks("rule"));
        for rule in rules {
            let mut services = Vec::new();
            for path in rule
                .body
                .get_blocks("http")
                .flat_map(|http| http.body.get_blocks("path"))
            {
                let service = scope
                    .text_at(&path.body, &["backend", "service", "name"])
                    .or_else(|| scope.text_at(&path.body, &["backend", "service_name"]));
                services.push(service);
            }
            if services
                .iter()
                .any(|service| leads_here(service.as_deref()))
            {
                hosts.extend(scope.text_at(&rule.body, &["host"]));
            }
        }
    }
    for call in &folder.calls {
        let scope = &scope.within(call.file);
        if let Some((host, service)) = called(scope, call)
            && leads_here(service.as_deref())
        {
            hosts.push(host);
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Host and service of a call of an ingress module.
fn called<'a>(scope: &Scope<'a>, call: &Declared<'a>) -> Option<(String, Option<String>)> {
    let body: &'a Body = call.body();
    let source = scope.text_at(body, &["source"])?;
    if !source.contains("ingress") {
        return None;
    }
    let name = scope.text_at(body, &["name"]);
    let service = scope
        .text_at(body, &["service_name"])
        .or_else(|| scope.text_at(body, &["service"]))
        .or_else(|| name.clone());
    let host = scope.text_at(body, &["full_host"]).or_else(|| {
        let label = scope.text_at(body, &["host"]).or(name)?;
        let domain = ["root_domain", "domain"];
        match domain.iter().find(|key| body.has_attribute(key)) {
            Some(key) => Some(format!("{label}.{}", scope.text_at(body, &[key])?)),
            None => label.contains('.').then_some(label),
        }
    })?;
    Some((host, service))
}

/// Whether a service selects these pods; a service that is not declared here must bear the
/// workload's name.
fn leads(
    scope: &Scope<'_>,
    service: Option<&str>,
    workload: Option<&str>,
    labels: &BTreeMap<String, String>,
) -> bool {
    let (Some(service), Some(folder)) = (service, scope.folder()) else {
        return false;
    };
    let declared = folder
        .resources
        .iter()
        .filter(|r| matches!(r.label(0), "kubernetes_service" | "kubernetes_service_v1"))
        .find(|r| {
            scope
                .within(r.file)
                .text_at(&r.block.body, &["metadata", "name"])
                .as_deref()
                == Some(service)
        });
    match declared {
        Some(declared) => {
            let scope = scope.within(declared.file);
            let selector = scope.map_at(&declared.block.body, &["spec", "selector"]);
            !selector.is_empty()
                && selector
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value))
        }
        None => workload == Some(service),
    }
}
