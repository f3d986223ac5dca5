//! Everything around Bowline on real parts, and Bowline's own four processes in the middle.
//!
//! A lab has its own ports, folders and NATS server, so that many can run side by side. What it
//! tells about outcomes is read from git and the stub cluster, not from Bowline.

mod config;
mod evidence;
mod process;
mod requests;
mod stacks;
mod webhook;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::apply::{Applier, Tree};
use crate::git::GitServer;
use crate::github::GitHub;
use crate::http::Site;
use crate::kubernetes::Cluster;
use crate::nats::NatsServer;
use crate::server::lock;
use crate::slack::Slack;
use crate::woodpecker::Woodpecker;

pub use config::Options;
use process::Process;
pub use process::SERVICES;
pub use requests::{Answered, told};
pub use stacks::{STACKS, Stack};
/// An upgrade as gRPC shows it.
pub use wire::v1::UpgradeView as View;

const SECRET: &str = "4b1d0000-0000-4000-8000-00000000c0de";
const POLL: Duration = Duration::from_millis(50);
/// How long ingest may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running installation; all of it ends with this value.
#[derive(Debug)]
pub struct Lab {
    // Ours go first, then what they talk to.
    processes: Mutex<Vec<Process>>,
    /// The log's server.
    pub nats: NatsServer,
    /// The git host with the sample tree.
    pub git: GitServer,
    /// Release notes.
    pub github: GitHub,
    /// CI.
    pub woodpecker: Woodpecker,
    /// The cluster.
    pub cluster: Cluster,
    /// What makes CI apply pushes to the cluster.
    pub applier: Applier,
    /// Where announcements arrive.
    pub slack: Slack,
    sites: Vec<(String, Site)>,
    listen: SocketAddr,
    grpc: SocketAddr,
    read: Mutex<HashSet<usize>>,
    seed: String,
    dir: TempDir,
}

impl Lab {
    /// Starts everything and returns once ingest answers.
    ///
    /// # Errors
    /// A program is missing (the message says how to get it) or does not start.
    pub async fn start(options: Options) -> anyhow::Result<Lab> {
        for service in SERVICES {
            process::binary(service)?;
        }
        let nats = NatsServer::start().await?;
        let tree_folder = sample_tree();
        let git = GitServer::start(&tree_folder);
        let (github, woodpecker) = (GitHub::start()?, Woodpecker::start("owner/infra")?);
        let (cluster, slack) = (Cluster::start()?, Slack::start()?);
        let tree = files(&git);
        let mut sites = Vec::new();
        for stack in &STACKS {
            stack.add_to(&cluster, &tree);
            stack.publish(&github);
            let site = Site::start()?;
            stack.serve(&site, &cluster);
            sites.push((stack.service.to_owned(), site));
        }
        for (namespace, name, image) in [
            ("dbaas", "mysql-backup", "mysql:8.0.41"),
            ("dbaas", "postgresql-backup", "postgres:16.4-alpine"),
            ("immich", "postgresql-backup", "postgres:16-alpine"),
        ] {
            cluster.add_cronjob(namespace, name, image);
        }
        let applier = Applier::start(
            &git.bare_path(),
            "main",
            &woodpecker,
            &cluster,
            stacks::wanted,
        )?;
        let dir = TempDir::with_prefix("bowline-lab-")?;
        let (listen, grpc) = free_ports()?;
        let addresses = config::Addresses {
            nats: nats.url(),
            repository: git.url(),
            user: git.user().to_owned(),
            github: github.url(),
            ci: woodpecker.url(),
            kubernetes: cluster.url(),
            listen,
            grpc,
            sites: sites
                .iter()
                .map(|(service, site)| (service.clone(), site.url()))
                .collect(),
        };
        config::write(&dir.path().join("bowline.toml"), &addresses, &options)?;
        let seed = git.head("main");
        let lab = Lab {
            processes: Mutex::new(Vec::new()),
            nats,
            git,
            github,
            woodpecker,
            cluster,
            applier,
            slack,
            sites,
            listen,
            grpc,
            read: Mutex::new(HashSet::new()),
            seed,
            dir,
        };
        for service in SERVICES {
            if !options.without.contains(&service) {
                lab.spawn(service)?;
            }
        }
        lab.listening().await?;
        Ok(lab)
    }

    /// Starts a service; a second one of its name is a replica with the same folder.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&self, service: &str) -> anyhow::Result<()> {
        let environment = [
            (
                "BOWLINE_SECRET_REPOSITORY_TOKEN",
                self.git.token().to_owned(),
            ),
            ("BOWLINE_SECRET_WEBHOOK", SECRET.to_owned()),
            (
                "BOWLINE_SECRET_GITHUB_TOKEN",
                self.github.token().to_owned(),
            ),
            (
                "BOWLINE_SECRET_CI_TOKEN",
                self.woodpecker.token().to_owned(),
            ),
            ("BOWLINE_SECRET_SLACK_WEBHOOK_URL", self.slack.url()),
        ];
        let data = self.dir.path().join(format!("data-{service}"));
        let settings = [("data_dir", data.display().to_string())];
        let config = self.dir.path().join("bowline.toml");
        let process = Process::start(
            service,
            &config,
            &self.log_path(service),
            &environment,
            &settings,
        )?;
        lock(&self.processes).push(process);
        Ok(())
    }

    /// Kills a service with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill9(&self, service: &str) -> anyhow::Result<()> {
        let mut processes = lock(&self.processes);
        let at = processes.iter().position(|process| process.name == service);
        let mut process = processes.remove(at.with_context(|| format!("no {service} runs"))?);
        ensure!(
            process.ended().is_none(),
            "{service} had ended before it was killed"
        );
        Ok(())
    }

    /// The ids of the running processes by name.
    #[must_use]
    pub fn process_ids(&self) -> Vec<(String, u32)> {
        lock(&self.processes)
            .iter()
            .map(|process| (process.name.clone(), process.id()))
            .collect()
    }

    /// Where a service's log is.
    #[must_use]
    pub fn log_path(&self, service: &str) -> PathBuf {
        self.dir.path().join(format!("{service}.log"))
    }

    /// Waits until ingest answers and everything in NATS is set up.
    ///
    /// # Errors
    /// It does not within the limit.
    pub async fn listening(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.upgrades().await.is_ok() && self.set_up().await {
                return Ok(());
            }
            let ended = lock(&self.processes).iter_mut().find_map(|process| {
                process
                    .ended()
                    .map(|status| format!("{} ended with {status}", process.name))
            });
            let why = ended.or_else(|| {
                (Instant::now() > deadline).then(|| "ingest does not listen".to_owned())
            });
            if let Some(why) = why {
                bail!("{why}\n{}", self.logs());
            }
            sleep(POLL).await;
        }
    }

    /// Whether every inbox and the announcer's place exist: before, announcements may be missed.
    async fn set_up(&self) -> bool {
        let found = self.unacknowledged().await.unwrap_or_default();
        let inboxes = SERVICES.iter().chain(&["undo", "announcer"]);
        inboxes
            .into_iter()
            .all(|name| found.iter().any(|(consumer, _)| consumer == name))
    }

    /// The site that stands for a service's ingress.
    ///
    /// # Errors
    /// There is no such service.
    pub fn site(&self, service: &str) -> anyhow::Result<&Site> {
        let found = self.sites.iter().find(|(name, _)| name == service);
        found
            .map(|(_, site)| site)
            .with_context(|| format!("no service {service}"))
    }

    /// The ends of all logs.
    #[must_use]
    pub fn logs(&self) -> String {
        let logs =
            SERVICES.map(|name| format!("--- {name}\n{}", process::tail(&self.log_path(name))));
        logs.join("\n")
    }

    /// The folder with the configuration, the logs and the data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Lab {
    /// A failing test shows what the processes said.
    #[expect(
        clippy::print_stderr,
        reason = "it is for whoever reads the failed test"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        lock(&self.processes).clear();
    }
}

fn sample_tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/homelab")
}

/// The sample tree's files, as committed.
fn files(git: &GitServer) -> Tree {
    let mut tree = Tree::new();
    for stack in &STACKS {
        if let Some(bytes) = git.show("main", stack.path()) {
            tree.insert(stack.path().to_owned(), bytes);
        }
    }
    tree
}

/// Two ports nobody listens on, for processes that must keep them across restarts.
fn free_ports() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let two = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((one.local_addr()?, two.local_addr()?))
}
