//! Secrets from Vault: every required key is made, from where the owner keeps it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::source::{folder, list, objects, text};

/// Where each item comes from: the path below `secret/`, and the field.
const VAULT: [(&str, &str); 11] = [
    // What was there before Bowline.
    ("diun", "n8n_webhook_url"),
    ("viktor", "github_pat"),
    ("viktor", "woodpecker_token"),
    ("platform", "alertmanager_slack_api_url"),
    // Bowline's own: git, and who it is for NATS.
    ("bowline", "git_push_token"),
    ("bowline", "git_read_token"),
    ("bowline", "nats_nkey_seed_ingest"),
    ("bowline", "nats_nkey_seed_analyzer"),
    ("bowline", "nats_nkey_seed_executor"),
    ("bowline", "nats_nkey_seed_verifier"),
    ("bowline", "nats_nkey_seed_setup"),
];

fn external() -> anyhow::Result<Vec<Value>> {
    objects("k8s/overlays/external-secrets/secrets.yaml")
}

/// The keys that pods mount of each Secret: those they cannot start without, and all.
fn mounted() -> anyhow::Result<(Keys, Keys)> {
    let (mut required, mut all) = (Keys::new(), Keys::new());
    for object in folder("k8s/base")? {
        for volume in list(&object["spec"]["template"]["spec"]["volumes"]) {
            if let Some(secret) = volume["secret"]["secretName"].as_str() {
                // All of its keys are mounted; the configuration names this one.
                for keys in [&mut required, &mut all] {
                    let keys = keys.entry(secret.to_owned()).or_default();
                    keys.insert("nats-nkey-seed".to_owned());
                }
            }
            for source in list(&volume["projected"]["sources"]) {
                let Some(secret) = source["secret"]["name"].as_str() else {
                    continue;
                };
                for item in list(&source["secret"]["items"]) {
                    let key = text(&item["key"])?;
                    if source["secret"]["optional"] != true {
                        let keys = required.entry(secret.to_owned()).or_default();
                        keys.insert(key.clone());
                    }
                    all.entry(secret.to_owned()).or_default().insert(key);
                }
            }
        }
    }
    Ok((required, all))
}

type Keys = BTreeMap<String, BTreeSet<String>>;

/// The keys that the operator makes of each Secret.
fn made() -> anyhow::Result<Keys> {
    let mut made = Keys::new();
    for object in external()? {
        ensure!(object["kind"] == "ExternalSecret", "what is {object}?");
        let spec = &object["spec"];
        let items = list(&spec["data"]).iter();
        let items: Vec<String> = items
            .map(|item| text(&item["secretKey"]))
            .collect::<Result<_, _>>()?;
        let keys = match spec["target"]["template"]["data"].as_object() {
            // With a template, what it lists is made, out of the items.
            Some(template) => {
                for item in &items {
                    let named = format!("index . \"{item}\"");
                    let mut used = template.values().filter_map(Value::as_str);
                    ensure!(used.any(|text| text.contains(&named)), "{item} is not used");
                }
                template.keys().cloned().collect()
            }
            None => items.into_iter().collect(),
        };
        made.insert(text(&spec["target"]["name"])?, keys);
    }
    Ok(made)
}

#[test]
fn the_operator_makes_every_key_that_a_pod_needs() -> anyhow::Result<()> {
    let ((required, all), made) = (mounted()?, made()?);
    ensure!(required.len() == 5, "{required:?}");
    for (secret, keys) in &required {
        let made = made.get(secret).with_context(|| format!("no {secret}"))?;
        let lacks: Vec<_> = keys.difference(made).collect();
        ensure!(lacks.is_empty(), "{secret} lacks {lacks:?}");
        let unused: Vec<_> = made.difference(&all[secret]).collect();
        ensure!(unused.is_empty(), "nobody mounts {unused:?} of {secret}");
    }
    Ok(())
}

#[test]
fn secrets_come_from_where_the_owner_keeps_them_and_from_nowhere_else() -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    for object in external()? {
        for item in list(&object["spec"]["data"]) {
            let from = &item["remoteRef"];
            found.insert((text(&from["key"])?, text(&from["property"])?));
        }
    }
    let expected = VAULT.map(|(path, field)| (path.to_owned(), field.to_owned()));
    assert_eq!(found, BTreeSet::from(expected));
    Ok(())
}
