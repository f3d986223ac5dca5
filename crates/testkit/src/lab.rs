//! Everything around Bowline on real parts, and Bowline's own four processes in the middle.
//!
//! A lab has its own ports, folders and NATS server, so that many can run side by side. What it
//! tells about outcomes is read from git and the stub cluster, not from Bowline.

mod chart;
mod commandline;
mod config;
mod crowd;
mod estate;
mod evidence;
mod faults;
mod inbox;
mod process;
mod requests;
mod stacks;
mod up;
mod webhook;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::apply::{Applier, Tree};
use crate::charts::Charts;
use crate::git::GitServer;
use crate::github::GitHub;
use crate::http::Site;
use crate::kubernetes::Cluster;
use crate::kuma::Kuma;
use crate::nats::NatsServer;
use crate::otlp::Otlp;
use crate::ports::Port;
use crate::registry::Registry;
use crate::server::lock;
use crate::slack::Slack;
use crate::woodpecker::Woodpecker;

pub use commandline::Said;
pub use config::{Options, Protocol};
pub use estate::{Container, Estate};
use process::Process;
pub use process::{SERVICES, binary};
pub use requests::{Answered, Begun, told};
pub use stacks::{STACKS, Stack};
pub use up::UP;
/// An upgrade as gRPC shows it.
pub use wire::v1::UpgradeView as View;

const SECRET: &str = "4b1d0000-0000-4000-8000-00000000c0de";
/// What the receiver of traces is shown.
const OTLP_HEADERS: &str = "x-scope-orgid=lab,authorization=Bearer%20otlp-c0de";
const POLL: Duration = Duration::from_millis(50);
/// How long ingest may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running installation; all of it ends with this value.
#[derive(Debug)]
pub struct Lab {
    // Ours go first, then what they talk to.
    processes: Mutex<Vec<Process>>,
    /// The log's server; in a lab of `bowline up` only its monitoring is known.
    pub nats: NatsServer,
    up: bool,
    /// The git host with the sample tree.
    pub git: GitServer,
    /// Release notes.
    pub github: GitHub,
    /// The repository of the chart that deploys authentik; it is known if the options say so.
    pub charts: Charts,
    /// Where all images of Docker Hub and GitHub's registry are.
    pub registry: Registry,
    /// CI.
    pub woodpecker: Woodpecker,
    /// The cluster.
    pub cluster: Cluster,
    /// Uptime Kuma; it is asked if the options say so.
    pub kuma: Kuma,
    /// What makes CI apply pushes to the cluster.
    pub applier: Applier,
    /// Where announcements arrive.
    pub slack: Slack,
    /// Where traces arrive, if the options say so.
    pub otlp: Otlp,
    health: Vec<(&'static str, Port)>,
    sites: Vec<(String, Site)>,
    listen: Port,
    grpc: Port,
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
        let programs = if options.up { &[UP][..] } else { &SERVICES };
        for program in programs {
            binary(program)?;
        }
        let (listen, grpc) = (Port::reserve()?, Port::reserve()?);
        let nats = if options.up {
            NatsServer::elsewhere()?
        } else {
            NatsServer::start().await?
        };
        let git = match &options.estate {
            None if options.crowd > 0 => {
                let tree = crowd::tree_with(&sample_tree(), options.crowd)?;
                GitServer::start(tree.path())
            }
            None => GitServer::start(&sample_tree()),
            Some(estate) => GitServer::copy_of(&estate.repository)?,
        };
        let (github, woodpecker) = (GitHub::start()?, Woodpecker::start("owner/infra")?);
        let (cluster, slack, kuma) = (Cluster::start()?, Slack::start()?, Kuma::start()?);
        let (charts, registry) = (Charts::start()?, Registry::start()?);
        let stacks = stacks(&git, &options);
        let tree = files(&git, &stacks);
        let mut sites = Vec::new();
        let own = options.estate.as_ref();
        for stack in &stacks {
            stack.add_to(&cluster, &tree);
            stack.publish(&github);
            stack.push(&registry, &tree);
            let site = Site::start()?;
            stack.serve(&site, &cluster);
            if let Some(interval) = options.monitors {
                kuma.add(stack.service, None, interval);
            }
            sites.push((stack.service.to_owned(), site));
        }
        if options.chart {
            chart::publish(&charts, &github);
            let mut tree = Tree::new();
            let text = git.show("main", chart::path()).unwrap_or_default();
            tree.insert(chart::path().to_owned(), text);
            chart::add_to(&cluster, &charts, &tree);
            let site = Site::start()?;
            chart::serve(&site, &cluster);
            sites.push((chart::SERVICE.to_owned(), site));
        }
        crowd::add_to(&cluster, options.crowd);
        crowd::publish(&github, &registry, options.crowd);
        for (namespace, name, image) in [
            ("dbaas", "mysql-backup", "mysql:8.0.41"),
            ("dbaas", "postgresql-backup", "postgres:16.4-alpine"),
            ("immich", "postgresql-backup", "postgres:16-alpine"),
        ] {
            cluster.add_cronjob(namespace, name, image);
        }
        let settled = own
            .map(|estate| estate.settle(&git, &cluster))
            .transpose()?;
        let deployed = options.chart.then(|| charts.clone());
        let all = move |tree: &Tree| {
            let releases = deployed.iter();
            let releases = releases.flat_map(|charts| chart::wanted(tree, charts));
            [
                stacks::wanted(tree),
                crowd::wanted(tree),
                releases.collect(),
            ]
            .concat()
        };
        let mapping = own.map_or_else(|| Box::new(all) as _, Estate::mapping);
        let applier = Applier::start(&git.bare_path(), "main", &woodpecker, &cluster, mapping)?;
        let dir = TempDir::with_prefix("bowline-lab-")?;
        let otlp = Otlp::start()?;
        let mut health = Vec::new();
        if options.telemetry.is_some() {
            for service in SERVICES {
                health.push((service, Port::reserve()?));
            }
        }
        let addresses = config::Addresses {
            nats: if options.up {
                format!("[embedded]\nmonitoring = \"{}\"", nats.monitoring())
            } else {
                format!("[nats]\nurl = \"{}\"", nats.url())
            },
            repository: git.url(),
            user: git.user().to_owned(),
            github: github.url(),
            ci: woodpecker.url(),
            kubernetes: cluster.url(),
            kuma: (kuma.url(), kuma.slug().to_owned()),
            listen: listen.address(),
            grpc: grpc.address(),
            charts: charts.url(),
            registry: registry.address(),
            otlp: (otlp.grpc_url(), otlp.http_url()),
            sites: sites
                .iter()
                .map(|(service, site)| (service.clone(), site.url()))
                .collect(),
        };
        std::fs::create_dir(dir.path().join(faults::FOLDER))?;
        config::write(
            &dir.path().join("bowline.toml"),
            &addresses,
            &options,
            &stacks,
        )?;
        if let (Some(estate), Some((site, services))) = (own, settled) {
            estate.configure(&dir.path().join("bowline.toml"), &site.url(), &services)?;
            sites.push((String::new(), site));
        }
        let seed = git.head("main");
        let lab = Lab {
            processes: Mutex::new(Vec::new()),
            nats,
            up: options.up,
            git,
            github,
            charts,
            registry,
            woodpecker,
            cluster,
            kuma,
            applier,
            slack,
            otlp,
            health,
            sites,
            listen,
            grpc,
            read: Mutex::new(HashSet::new()),
            seed,
            dir,
        };
        for service in programs {
            if !options.without.contains(service) {
                lab.spawn(service)?;
            }
        }
        if !options.without.contains(&"ingest") {
            lab.listening().await?;
        }
        Ok(lab)
    }

    /// Starts a program as it was put together by the caller; its log is kept under this name.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn_command(
        &self,
        name: &str,
        command: &mut std::process::Command,
    ) -> anyhow::Result<()> {
        let process = Process::run(name, command, &self.log_path(name))?;
        lock(&self.processes).push(process);
        Ok(())
    }

    /// Starts a service; a second one of its name is a replica with the same folder.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&self, service: &str) -> anyhow::Result<()> {
        self.spawn_with(service, &[])
    }

    /// Starts a service with variables of its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn_with(&self, service: &str, more: &[(&str, String)]) -> anyhow::Result<()> {
        let process = self.process(service, &self.own_data(service), more)?;
        lock(&self.processes).push(process);
        Ok(())
    }

    /// Starts a service beside the one of its name, with a folder and addresses of its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn replica(&self, service: &str) -> anyhow::Result<()> {
        let number = lock(&self.processes).len();
        let data = self.dir.path().join(format!("data-{service}-{number}"));
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
        let settings = [
            ("data_dir", data.display().to_string()),
            ("ingest.listen", anywhere.clone()),
            ("ingest.grpc_listen", anywhere),
        ];
        let process = self.process(service, &settings, &[])?;
        lock(&self.processes).push(process);
        Ok(())
    }

    /// Starts a service with other secrets, waits until it ends by itself, and returns how it did
    /// and what the log of all of its processes then said.
    ///
    /// # Errors
    /// It cannot be started, or does not end.
    pub async fn ends_by_itself(
        &self,
        service: &str,
        environment: &[(&str, String)],
    ) -> anyhow::Result<(std::process::ExitStatus, String)> {
        let mut process = self.process(service, &self.own_data(service), environment)?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = process.ended() {
                return Ok((status, process::tail(&self.log_path(service))));
            }
            ensure!(
                Instant::now() < deadline,
                "{service} does not end\n{}",
                self.logs()
            );
            sleep(POLL).await;
        }
    }

    /// A process of a name keeps its folder and its addresses across restarts.
    fn own_data(&self, service: &str) -> Vec<(&'static str, String)> {
        let mut settings = vec![("data_dir", self.data(service).display().to_string())];
        if let Some(address) = self.health(service) {
            settings.push(("health.listen", address.to_string()));
        }
        settings
    }

    fn process(
        &self,
        service: &str,
        settings: &[(&str, String)],
        more: &[(&str, String)],
    ) -> anyhow::Result<Process> {
        let mut environment = self.environment()?;
        // The last one of a name counts.
        environment.extend_from_slice(more);
        let config = self.dir.path().join("bowline.toml");
        Process::start(
            service,
            &config,
            &self.log_path(service),
            &environment,
            settings,
        )
    }

    /// What every process of ours is told by variables.
    fn environment(&self) -> anyhow::Result<Vec<(&str, String)>> {
        let mut variables = vec![
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
            ("BOWLINE_SECRET_OTLP_HEADERS", OTLP_HEADERS.to_owned()),
        ];
        variables.push(("BOWLINE_FAULTS", self.faults().display().to_string()));
        if self.up {
            let program = crate::nats::program()?.display().to_string();
            variables.push(("BOWLINE_NATS_SERVER", program));
        }
        Ok(variables)
    }

    /// Where a process keeps its data.
    #[must_use]
    pub fn data(&self, service: &str) -> PathBuf {
        self.dir.path().join(format!("data-{service}"))
    }

    /// Where a service serves its health and its metrics, if the options say so.
    #[must_use]
    pub fn health(&self, service: &str) -> Option<SocketAddr> {
        let found = self.health.iter().find(|(name, _)| *name == service);
        found.map(|(_, port)| port.address())
    }

    /// What must never be shown: every secret that the processes were given.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let slack = self.slack.url();
        vec![
            SECRET.to_owned(),
            self.git.token().to_owned(),
            self.github.token().to_owned(),
            self.woodpecker.token().to_owned(),
            slack.rsplit('/').next().unwrap_or_default().to_owned(),
            OTLP_HEADERS
                .rsplit('=')
                .next()
                .unwrap_or_default()
                .to_owned(),
        ]
    }

    /// Starts a service with another secret and waits until it ends by itself; its exit code and its
    /// log are returned.
    ///
    /// # Errors
    /// It cannot be started, or goes on.
    pub async fn run_with(
        &self,
        service: &str,
        secret: (&str, &str),
    ) -> anyhow::Result<(Option<i32>, String)> {
        let (name, value) = secret;
        let log = self.dir.path().join(format!("{service}-with.log"));
        let data = self.dir.path().join(format!("data-{service}-with"));
        let mut process = Process::start(
            service,
            &self.dir.path().join("bowline.toml"),
            &log,
            &[(name, value.to_owned())],
            &[("data_dir", data.display().to_string())],
        )?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = process.ended() {
                return Ok((status.code(), process::tail(&log)));
            }
            ensure!(
                Instant::now() < deadline,
                "{service} goes on\n{}",
                process::tail(&log)
            );
            sleep(POLL).await;
        }
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

    /// Asks a service to stop, as Kubernetes does.
    ///
    /// # Errors
    /// It does not run.
    pub fn ask_to_stop(&self, service: &str) -> anyhow::Result<()> {
        let ids = self.process_ids();
        let found = ids.iter().find(|(name, _)| name == service);
        let (_, id) = found.with_context(|| format!("no {service} runs"))?;
        self.ask_process_to_stop(*id)
    }

    /// Asks one process to stop, where there are several of its name.
    ///
    /// # Errors
    /// It is gone.
    pub fn ask_process_to_stop(&self, process: u32) -> anyhow::Result<()> {
        process::signal(process, "TERM")
    }

    /// Waits until a service has ended, and returns its exit code.
    ///
    /// # Errors
    /// It does not end within the limit, or by a signal.
    pub async fn stopped(&self, service: &str, limit: Duration) -> anyhow::Result<i32> {
        let ids = self.process_ids();
        let found = ids.iter().find(|(name, _)| name == service);
        let (_, id) = found.with_context(|| format!("no {service} was started"))?;
        self.gone(*id, limit).await
    }

    /// Waits until a process has ended, and returns its exit code.
    ///
    /// # Errors
    /// It does not end within the limit, or by a signal.
    pub async fn gone(&self, process: u32, limit: Duration) -> anyhow::Result<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended_process(process)? {
                let code = status.code();
                return code.with_context(|| format!("{process} ended with {status}"));
            }
            ensure!(Instant::now() < deadline, "{process} does not stop");
            sleep(POLL).await;
        }
    }

    /// How a process ended, if it did; it is forgotten then.
    fn ended_process(&self, process: u32) -> anyhow::Result<Option<std::process::ExitStatus>> {
        let mut processes = lock(&self.processes);
        let at = processes.iter().position(|found| found.id() == process);
        let at = at.with_context(|| format!("no process {process} was started"))?;
        let ended = processes.get_mut(at).and_then(Process::ended);
        if ended.is_some() {
            processes.remove(at);
        }
        Ok(ended)
    }

    /// The ids of the running processes by name.
    #[must_use]
    pub fn process_ids(&self) -> Vec<(String, u32)> {
        lock(&self.processes)
            .iter()
            .map(|process| (process.name.clone(), process.id()))
            .collect()
    }

    /// The name of a service of the crowd, by its number from 0, and its image without tag.
    #[must_use]
    pub fn of_crowd(number: usize) -> (String, String) {
        (crowd::service(number), crowd::image(number))
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

    /// The monitor of a service in Uptime Kuma.
    ///
    /// # Errors
    /// There is no such service.
    pub fn monitor(&self, service: &str) -> anyhow::Result<u64> {
        let at = STACKS.iter().position(|stack| stack.service == service);
        let at = at.with_context(|| format!("no service {service}"))?;
        Ok(u64::try_from(at)? + 1)
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
        let programs = if self.up { &[UP][..] } else { &SERVICES };
        let logs = programs
            .iter()
            .map(|name| format!("--- {name}\n{}", process::tail(&self.log_path(name))));
        logs.collect::<Vec<_>>().join("\n")
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
        if self.up {
            self.end_left_behind();
        }
    }
}

fn sample_tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/homelab")
}

/// The stacks of the lab; the twin's file is put beside the sample tree's.
fn stacks(git: &GitServer, options: &Options) -> Vec<Stack> {
    if options.estate.is_some() {
        return Vec::new();
    }
    let mut stacks = STACKS.to_vec();
    if options.twin {
        let text = git.show("main", "stacks/ebooks/main.tf");
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).replace("ebooks", "podcasts");
        git.commit_as_someone_else(stacks::TWIN.path(), text.as_bytes(), "add podcasts");
        stacks.push(stacks::TWIN);
    }
    stacks
}

/// The files of the stacks, as committed.
fn files(git: &GitServer, stacks: &[Stack]) -> Tree {
    let mut tree = Tree::new();
    for stack in stacks {
        if let Some(bytes) = git.show("main", stack.path()) {
            tree.insert(stack.path().to_owned(), bytes);
        }
    }
    tree
}
