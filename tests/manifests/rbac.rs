//! What each service account may do in the cluster: the rules of roles, by way of the bindings.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::source::{folder, list, text};

/// Where Bowline runs.
const NAMESPACE: &str = "bowline";

/// One thing that an account may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// Where; none is the whole cluster.
    pub(crate) namespace: Option<String>,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: String,
}

impl Grant {
    /// Whether it covers what is asked for.
    pub(crate) fn covers(&self, asked: &Grant) -> bool {
        (self.namespace.is_none() || self.namespace == asked.namespace)
            && self.group == asked.group
            && self.resource == asked.resource
            && self.verb == asked.verb
    }
}

/// Everything that the objects grant to a service account of Bowline's.
pub(crate) fn grants(objects: &[Value], account: &str) -> anyhow::Result<BTreeSet<Grant>> {
    let mut found = BTreeSet::new();
    for binding in objects {
        let namespace = match binding["kind"].as_str() {
            Some("RoleBinding") => Some(text(&binding["metadata"]["namespace"])?),
            Some("ClusterRoleBinding") => None,
            _ => continue,
        };
        let bound = list(&binding["subjects"]).iter().any(|subject| {
            subject["kind"] == "ServiceAccount"
                && subject["name"] == account
                && subject["namespace"] == NAMESPACE
        });
        if !bound {
            continue;
        }
        let role = &binding["roleRef"];
        let rules = objects.iter().find(|object| {
            object["kind"] == role["kind"] && object["metadata"]["name"] == role["name"]
        });
        let rules = rules.with_context(|| format!("there is no {role}"))?;
        for rule in list(&rules["rules"]) {
            found.extend(of_rule(rule, namespace.as_ref())?);
        }
    }
    Ok(found)
}

fn of_rule(rule: &Value, namespace: Option<&String>) -> anyhow::Result<Vec<Grant>> {
    let known = ["apiGroups", "resources", "verbs"];
    let keys = rule.as_object().context("a rule")?.keys();
    let strange: Vec<_> = keys.filter(|key| !known.contains(&key.as_str())).collect();
    ensure!(strange.is_empty(), "nobody understands {strange:?}: {rule}");
    let mut found = Vec::new();
    for group in list(&rule["apiGroups"]) {
        for resource in list(&rule["resources"]) {
            for verb in list(&rule["verbs"]) {
                let grant = Grant {
                    namespace: namespace.cloned(),
                    group: text(group)?,
                    resource: text(resource)?,
                    verb: text(verb)?,
                };
                ensure!(grant.resource != "*" && grant.verb != "*", "all of {rule}");
                found.push(grant);
            }
        }
    }
    Ok(found)
}

/// `where group/resource: verbs`, one line each.
fn told(grants: &BTreeSet<Grant>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for grant in grants {
        let place = grant.namespace.as_deref().unwrap_or("everywhere");
        let line = format!("{place} {}/{}:", grant.group, grant.resource);
        match lines.last_mut().filter(|last| last.starts_with(&line)) {
            Some(last) => last.push_str(&format!(" {}", grant.verb)),
            None => lines.push(format!("{line} {}", grant.verb)),
        }
    }
    lines
}

#[test]
fn each_service_account_may_do_what_the_page_says_and_nothing_else() -> anyhow::Result<()> {
    let objects = [folder("k8s/base")?, folder("k8s/access")?].concat();
    let jobs = "batch/jobs: create delete get list";
    for (account, expected) in [
        ("bowline", vec![]),
        (
            "bowline-executor",
            vec![
                "dbaas batch/cronjobs: get".to_owned(),
                format!("dbaas {jobs}"),
                "immich batch/cronjobs: get".to_owned(),
                format!("immich {jobs}"),
            ],
        ),
        (
            "bowline-verifier",
            [
                "everywhere /nodes: list",
                "everywhere /pods: list",
                "everywhere apps/daemonsets: get list",
                "everywhere apps/deployments: get list",
                "everywhere apps/statefulsets: get list",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    ] {
        assert_eq!(told(&grants(&objects, account)?), expected, "{account}");
    }
    let account = |kind: &str, name: &str| {
        let found = objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        let pod = &found.with_context(|| format!("no {name}"))?["spec"]["template"]["spec"];
        text(&pod["serviceAccountName"])
    };
    for (kind, name, expected) in [
        ("Job", "set-up", "bowline"),
        ("StatefulSet", "ingest", "bowline"),
        ("Deployment", "analyzer", "bowline"),
        ("Deployment", "executor", "bowline-executor"),
        ("Deployment", "verifier", "bowline-verifier"),
    ] {
        assert_eq!(account(kind, name)?, expected, "{name}");
    }
    Ok(())
}

#[test]
fn a_binding_grants_to_its_subject_in_its_namespace() -> anyhow::Result<()> {
    let text = "
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [batch], resources: [jobs], verbs: [get]}]
---
kind: RoleBinding
metadata: {name: reader, namespace: dbaas}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: one, namespace: bowline}]
";
    let objects: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let found = grants(&objects, "one")?;
    let asked = |namespace: Option<&str>, verb: &str| {
        let asked = Grant {
            namespace: namespace.map(str::to_owned),
            group: "batch".to_owned(),
            resource: "jobs".to_owned(),
            verb: verb.to_owned(),
        };
        found.iter().any(|grant| grant.covers(&asked))
    };
    assert!(asked(Some("dbaas"), "get"));
    assert!(!asked(Some("immich"), "get"));
    assert!(!asked(None, "get"));
    assert!(!asked(Some("dbaas"), "delete"));
    assert!(grants(&objects, "another")?.is_empty());
    Ok(())
}
