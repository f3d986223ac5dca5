//! Somebody's own repository in the lab: a copy of it, and a cluster that runs what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::apply::{self, Mapping, Tree};
use crate::git::GitServer;
use crate::http::Site;
use crate::kubernetes::{Cluster, Kind, Workload};

/// A repository, and how to read its files.
#[derive(Clone, Debug)]
pub struct Estate {
    /// Its folder; the committed `HEAD` is copied, and nothing is written.
    pub repository: PathBuf,
    /// The folder with one folder per stack.
    pub stacks: String,
    /// What the files of a tree run, given the folder of the stacks.
    pub running: fn(&Tree, &str) -> Vec<Container>,
}

/// A container of a workload that can be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The service it belongs to.
    pub service: String,
    /// The workload's kind.
    pub kind: Kind,
    /// The workload's namespace.
    pub namespace: String,
    /// The workload's name.
    pub workload: String,
    /// The labels its pods are selected by.
    pub labels: BTreeMap<String, String>,
    /// How many pods it wants.
    pub replicas: u32,
    /// The container's name.
    pub name: String,
    /// Whether it is an init container.
    pub init: bool,
    /// The image with tag.
    pub image: String,
}

impl Estate {
    /// Lets the cluster run what the repository says. Returns the site that answers for every
    /// ingress, and the services: nobody's real address is asked.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub(super) fn settle(
        &self,
        git: &GitServer,
        cluster: &Cluster,
    ) -> anyhow::Result<(Site, BTreeSet<String>)> {
        let tree = apply::tree(&git.bare_path(), &git.head("main"))?;
        let containers = (self.running)(&tree, &self.stacks);
        let mut workloads: BTreeMap<(&str, &str), Workload> = BTreeMap::new();
        for container in &containers {
            let key = (container.namespace.as_str(), container.workload.as_str());
            let workload = workloads.remove(&key).unwrap_or_else(|| {
                let new = Workload::new(container.kind, key.0, key.1)
                    .replicas(u64::from(container.replicas));
                container
                    .labels
                    .iter()
                    .fold(new, |workload, (key, value)| workload.label(key, value))
            });
            let workload = if container.init {
                workload.init(&container.name, &container.image)
            } else {
                workload.container(&container.name, &container.image)
            };
            workloads.insert(key, workload);
        }
        for workload in workloads.into_values() {
            cluster.add(workload);
        }
        let services = containers.into_iter().map(|container| container.service);
        Ok((Site::start()?, services.collect()))
    }

    /// What applying a tree makes of the cluster.
    pub(super) fn mapping(&self) -> Mapping {
        let estate = self.clone();
        Box::new(move |tree| {
            let containers = (estate.running)(tree, &estate.stacks).into_iter();
            containers
                .map(|c| (c.namespace, c.workload, c.name, c.image))
                .collect()
        })
    }

    /// Adds what is special about this repository to the configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn configure(
        &self,
        file: &Path,
        site: &str,
        services: &BTreeSet<String>,
    ) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().append(true).open(file)?;
        for service in services {
            writeln!(file, "\n[services.{service:?}]\nurl = {site:?}")?;
        }
        Ok(())
    }
}
