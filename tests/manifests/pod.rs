//! A pod of the manifests as a process: its command, arguments, variables and files, with nothing
//! changed but where things are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::rendered::Rendered;
use crate::source::{list, text};

/// What a container is started with.
pub(crate) struct Pod {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Where files are mounted, and which.
    mounts: BTreeMap<String, BTreeMap<String, File>>,
    /// What the kubelet asks for on the port called `health`.
    pub(crate) probes: Vec<String>,
    /// So long after SIGTERM comes SIGKILL.
    pub(crate) grace: Duration,
}

/// Where a mounted file comes from.
#[derive(Clone)]
enum File {
    Text(String),
    Key { secret: String, key: String },
}

/// Addresses and folders of a cluster, and what stands for them here.
pub(crate) type Mapping = Vec<(String, String)>;

impl Pod {
    pub(crate) fn of(rendered: &Rendered, kind: &str, name: &str) -> anyhow::Result<Pod> {
        let template = &rendered.one(kind, name)?["spec"]["template"]["spec"];
        let container = &template["containers"][0];
        let words = |value: &Value| -> anyhow::Result<Vec<String>> {
            Ok(serde_json::from_value(value.clone())?)
        };
        let command = words(&container["command"]).context("the command")?;
        let [path] = &command[..] else {
            bail!("{name} is started by {command:?}")
        };
        let program = path
            .strip_prefix("/usr/local/bin/")
            .context("a program of ours")?;
        let mut environment = Vec::new();
        for variable in list(&container["env"]) {
            environment.push((text(&variable["name"])?, text(&variable["value"])?));
        }
        let mut mounts = BTreeMap::new();
        for mount in list(&container["volumeMounts"]) {
            let volume = list(&template["volumes"])
                .iter()
                .find(|volume| volume["name"] == mount["name"]);
            // A claim's volume is empty at first, and so is an `emptyDir`.
            let files =
                volume.map_or_else(|| Ok(BTreeMap::new()), |volume| files(rendered, volume))?;
            mounts.insert(text(&mount["mountPath"])?, files);
        }
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"].into_iter();
        Ok(Pod {
            program: program.to_owned(),
            arguments: words(&container["args"])?,
            environment,
            mounts,
            probes: probes
                .filter_map(|probe| Some(container[probe]["httpGet"]["path"].as_str()?.to_owned()))
                .collect(),
            grace: Duration::from_secs(
                template["terminationGracePeriodSeconds"]
                    .as_u64()
                    .unwrap_or(30),
            ),
        })
    }

    /// The process, with its files below `root`. `secret` is a key of a Secret; every mapping that
    /// a file mentions is carried out there.
    pub(crate) fn command(
        &self,
        root: &Path,
        mapping: &Mapping,
        secret: impl Fn(&str, &str) -> Option<String>,
    ) -> anyhow::Result<Command> {
        let mut mapping = mapping.clone();
        for mount in self.mounts.keys() {
            let here = root.join(mount.trim_start_matches('/'));
            std::fs::create_dir_all(&here)?;
            mapping.push((mount.clone(), here.display().to_string()));
        }
        let mapped = |text: &str| carried_out(&mapping, text);
        for (mount, files) in &self.mounts {
            for (name, file) in files {
                let content = match file {
                    File::Text(text) => mapped(text),
                    File::Key { secret: of, key } => {
                        secret(of, key).with_context(|| format!("no key {key} in {of}"))?
                    }
                };
                std::fs::write(root.join(mount.trim_start_matches('/')).join(name), content)?;
            }
        }
        let mut command = Command::new(testkit::lab::binary(&self.program)?);
        command
            .env_clear()
            .args(self.arguments.iter().map(|argument| mapped(argument)));
        command.envs(
            self.environment
                .iter()
                .map(|(name, value)| (name, mapped(value))),
        );
        Ok(command)
    }
}

/// In one pass: what a place is replaced by may itself look like a place.
fn carried_out(mapping: &Mapping, text: &str) -> String {
    let mark = |at: usize| format!("\u{1}{at}\u{2}");
    let pairs = || mapping.iter().enumerate();
    let marked = pairs().fold(text.to_owned(), |text, (at, (there, _))| {
        text.replace(there, &mark(at))
    });
    pairs().fold(marked, |text, (at, (_, here))| {
        text.replace(&mark(at), here)
    })
}

/// The files of a volume by their paths in it.
fn files(rendered: &Rendered, volume: &Value) -> anyhow::Result<BTreeMap<String, File>> {
    if let Some(map) = volume["configMap"]["name"].as_str() {
        let texts = rendered.files(map)?.into_iter();
        return Ok(texts.map(|(name, text)| (name, File::Text(text))).collect());
    }
    let key = |secret: &str, key: &str| File::Key {
        secret: secret.to_owned(),
        key: key.to_owned(),
    };
    if let Some(secret) = volume["secret"]["secretName"].as_str() {
        let seed = "nats-nkey-seed";
        return Ok(BTreeMap::from([(seed.to_owned(), key(secret, seed))]));
    }
    let mut found = BTreeMap::new();
    for source in list(&volume["projected"]["sources"]) {
        let Some(secret) = source["secret"]["name"].as_str() else {
            continue;
        };
        for item in list(&source["secret"]["items"]) {
            found.insert(text(&item["path"])?, key(secret, &text(&item["key"])?));
        }
    }
    Ok(found)
}
