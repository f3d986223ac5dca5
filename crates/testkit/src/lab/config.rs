//! The one configuration of the lab's processes: real keys, short times.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::chart;
use super::estate::Estate;
use super::stacks::Stack;

/// Where release notes are, by image.
const SOURCES: [(&str, &str); 4] = [
    ("docker.io/owntracks/recorder", "owntracks/recorder"),
    ("docker.io/coturn/coturn", "coturn/coturn"),
    ("docker.io/freikin/dawarich", "Freika/dawarich"),
    ("docker.io/phpipam/phpipam-www", "phpipam/phpipam"),
];
/// Nobody outside is asked for images.
const REGISTRIES: [&str; 8] = [
    "docker.io",
    "ghcr.io",
    "quay.io",
    "lscr.io",
    "gcr.io",
    "codeberg.org",
    "registry.gitlab.com",
    "registry.k8s.io",
];

/// What a test can choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stop after the plan.
    pub observe: bool,
    /// So many upgrades in a window of the rate limit.
    pub max_upgrades: u32,
    /// The window of the rate limit.
    pub rate_window: Duration,
    /// How long a safe upgrade, one that calls for caution and one without notes stay watched.
    pub windows: (Duration, Duration, Duration),
    /// How long the cluster may take to show what was applied.
    pub settle: Duration,
    /// A delivery without a sign of life comes again after this.
    pub ack_wait: Duration,
    /// Two dumps of one `CronJob` start so far apart.
    pub backup_spacing: Duration,
    /// How long a backup may take.
    pub backup_timeout: Duration,
    /// Whether pushes wait for each other's run of CI.
    pub turns: bool,
    /// Uptime Kuma is asked; each service has a monitor of its name that beats in this interval.
    pub monitors: Option<Duration>,
    /// Our own run is started again when a newer one took its place and changed nothing.
    pub restart_superseded: bool,
    /// How long an undo waits behind a run of CI.
    pub undo_patience: Duration,
    /// A run of CI must appear within this time.
    pub ci_appear_within: Duration,
    /// How long a run of CI is waited for.
    pub ci_patience: Duration,
    /// Whether a second service runs the image of `ebooks`.
    pub twin: bool,
    /// Whether authentik runs, which a Helm chart deploys.
    pub chart: bool,
    /// Lines that are added to the tables of services.
    pub services: Vec<(&'static str, &'static str)>,
    /// So many services beside those of the sample tree; see [`Lab::of_crowd`](super::Lab::of_crowd).
    pub crowd: usize,
    /// Other sources of these images than GitHub: `owntracks/recorder`, `coturn/coturn`,
    /// `freikin/dawarich`, `phpipam/phpipam-www`; written with their registry.
    pub sources: Vec<(&'static str, &'static str)>,
    /// What is added to the configuration.
    pub more: String,
    /// Services that are not started.
    pub without: Vec<&'static str>,
    /// One `bowline up` instead of four processes and a NATS server.
    pub up: bool,
    /// Somebody's own repository, in place of the sample tree.
    pub estate: Option<Estate>,
    /// Services of the repository whose plans a person has to approve.
    pub approval: Vec<&'static str>,
    /// Whether traces are sent, metrics served, and logs written as JSON.
    pub telemetry: Option<Protocol>,
}

/// How traces are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            observe: false,
            max_upgrades: 20,
            rate_window: Duration::from_secs(3_600),
            windows: (
                Duration::from_secs(2),
                Duration::from_secs(2),
                Duration::from_secs(2),
            ),
            settle: Duration::from_secs(5),
            ack_wait: Duration::from_secs(2),
            backup_spacing: Duration::from_millis(1),
            backup_timeout: Duration::from_secs(30),
            turns: true,
            monitors: None,
            restart_superseded: false,
            undo_patience: Duration::from_secs(60),
            ci_appear_within: Duration::from_secs(5),
            ci_patience: Duration::from_secs(30),
            twin: false,
            chart: false,
            services: Vec::new(),
            sources: Vec::new(),
            more: String::new(),
            crowd: 0,
            without: Vec::new(),
            up: false,
            estate: None,
            approval: Vec::new(),
            telemetry: None,
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Addresses {
    /// The section that says it.
    pub(super) nats: String,
    pub(super) repository: String,
    pub(super) user: String,
    pub(super) github: String,
    pub(super) ci: String,
    pub(super) kubernetes: String,
    pub(super) kuma: (String, String),
    pub(super) listen: std::net::SocketAddr,
    pub(super) grpc: std::net::SocketAddr,
    /// The chart repository.
    pub(super) charts: String,
    pub(super) registry: String,
    /// Over gRPC, over HTTP.
    pub(super) otlp: (String, String),
    /// By service.
    pub(super) sites: Vec<(String, String)>,
}

pub(super) fn write(
    path: &Path,
    at: &Addresses,
    options: &Options,
    stacks: &[Stack],
) -> anyhow::Result<()> {
    let mode = if options.observe { "observe" } else { "auto" };
    let (safe, caution, unknown) = options.windows;
    let progress = (options.ack_wait / 4).max(Duration::from_millis(100));
    let mut text = format!(
        r#"instance = "lab"
mode = "{mode}"
grace = "5s"

{nats}

[repository]
name = "owner/infra"
url = "{repository}"
user = "{user}"
branch = "main"
stacks = "{stacks}"

[ingest]
listen = "{listen}"
grpc_listen = "{grpc}"

[rate]
max_upgrades_per_window = {max}
window = "{rate_window}ms"

[github]
url = "{github}"

[ci]
url = "{ci}"
repository = "owner/infra"
turn = "{turn}"
restart_superseded = {restart}
poll = "200ms"
appear_within = "{ci_appear}ms"
patience = "{ci_patience}ms"
undo_patience = "{undo_patience}ms"

[kubernetes]
url = "{kubernetes}"

[verify]
safe = "{safe}ms"
caution = "{caution}ms"
unknown = "{unknown}ms"
interval = "200ms"
settle = "{settle}ms"
observed_every = "1s"

[backup]
poll = "200ms"
spacing = "{spacing}ms"
timeout = "{backup_timeout}ms"

[bus]
ack_wait = "{ack_wait}ms"
progress = "{progress}ms"
head_retry = "100ms"
queue_retry = "200ms"
lock_ttl = "2s"
sweep = "500ms"
"#,
        nats = at.nats,
        repository = at.repository,
        user = at.user,
        stacks = options
            .estate
            .as_ref()
            .map_or("stacks", |own| own.stacks.as_str()),
        listen = at.listen,
        grpc = at.grpc,
        max = options.max_upgrades,
        rate_window = options.rate_window.as_millis(),
        github = at.github,
        ci = at.ci,
        restart = options.restart_superseded,
        turn = if options.turns { "serial" } else { "free" },
        ci_appear = options.ci_appear_within.as_millis(),
        ci_patience = options.ci_patience.as_millis(),
        undo_patience = options.undo_patience.as_millis(),
        kubernetes = at.kubernetes,
        safe = safe.as_millis(),
        caution = caution.as_millis(),
        unknown = unknown.as_millis(),
        settle = options.settle.as_millis(),
        spacing = options.backup_spacing.as_millis(),
        backup_timeout = options.backup_timeout.as_millis(),
        ack_wait = options.ack_wait.as_millis(),
        progress = progress.as_millis(),
    );
    writeln!(text, "\n[sources]")?;
    for (image, source) in SOURCES {
        let own = options.sources.iter().find(|(known, _)| *known == image);
        let source = own.map_or(source, |(_, source)| source);
        writeln!(text, "\"{image}\" = \"{source}\"")?;
    }
    for registry in REGISTRIES {
        writeln!(
            text,
            "\n[registries.\"{registry}\"]\nurl = \"{}\"",
            at.registry
        )?;
    }
    if let Some(interval) = options.monitors {
        let (url, page) = &at.kuma;
        writeln!(
            text,
            "\n[verify.kuma]\nurl = \"{url}\"\nstatus_page = \"{page}\"\npoll = \"200ms\"\n\
             monitor_interval = \"{}ms\"",
            interval.as_millis()
        )?;
    }
    if let Some(protocol) = options.telemetry {
        let (endpoint, protocol) = match protocol {
            Protocol::Grpc => (&at.otlp.0, "grpc"),
            Protocol::Http => (&at.otlp.1, "http"),
        };
        write!(
            text,
            "\n[telemetry]\notlp_endpoint = \"{endpoint}\"\notlp_protocol = \"{protocol}\"\n\
             otlp_every = \"100ms\"\n\n[log]\nformat = \"json\"\n"
        )?;
    }
    if options.chart {
        let (service, image) = (chart::SERVICE, chart::IMAGE);
        writeln!(
            text,
            "\n[charts]\n\"{image}\" = \"{} {service}\"",
            at.charts
        )?;
        let own = at.sites.iter().find(|(name, _)| name == service);
        let url = own.map_or("", |(_, url)| url.as_str());
        writeln!(text, "\n[services.{service}]\nurl = \"{url}\"")?;
    }
    for stack in stacks {
        service(&mut text, stack, &at.sites)?;
        if options.approval.contains(&stack.service) {
            writeln!(text, "approval = true")?;
        }
        for (_, line) in options
            .services
            .iter()
            .filter(|(name, _)| *name == stack.service)
        {
            writeln!(text, "{line}")?;
        }
    }
    text.push_str(&options.more);
    std::fs::write(path, text)?;
    Ok(())
}

fn service(text: &mut String, stack: &Stack, sites: &[(String, String)]) -> anyhow::Result<()> {
    writeln!(text, "\n[services.{}]", stack.service)?;
    if let Some((_, url)) = sites.iter().find(|(service, _)| service == stack.service) {
        writeln!(text, "url = \"{url}\"")?;
    }
    if let Some((namespace, cronjob, engine)) = stack.backup {
        writeln!(
            text,
            "backup = {{ engine = \"{engine}\", database = \"{}\", namespace = \"{namespace}\", \
             cronjob = \"{cronjob}\" }}",
            stack.service
        )?;
    }
    Ok(())
}
