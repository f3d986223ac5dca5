//! The one configuration of the lab's processes: real keys, short times.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::stacks::{STACKS, Stack};

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
    /// Services that are not started.
    pub without: Vec<&'static str>,
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
            without: Vec::new(),
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) nats: String,
    pub(super) repository: String,
    pub(super) user: String,
    pub(super) github: String,
    pub(super) ci: String,
    pub(super) kubernetes: String,
    pub(super) listen: std::net::SocketAddr,
    pub(super) grpc: std::net::SocketAddr,
    /// By service.
    pub(super) sites: Vec<(String, String)>,
}

pub(super) fn write(path: &Path, at: &Addresses, options: &Options) -> anyhow::Result<()> {
    let mode = if options.observe { "observe" } else { "auto" };
    let (safe, caution, unknown) = options.windows;
    let progress = (options.ack_wait / 4).max(Duration::from_millis(100));
    let mut text = format!(
        r#"instance = "lab"
mode = "{mode}"
grace = "5s"

[nats]
url = "{nats}"

[repository]
name = "owner/infra"
url = "{repository}"
user = "{user}"
branch = "main"

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
poll = "200ms"
appear_within = "5s"
patience = "30s"

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

[sources]
"docker.io/owntracks/recorder" = "owntracks/recorder"
"docker.io/coturn/coturn" = "coturn/coturn"
"docker.io/freikin/dawarich" = "Freika/dawarich"
"#,
        nats = at.nats,
        repository = at.repository,
        user = at.user,
        listen = at.listen,
        grpc = at.grpc,
        max = options.max_upgrades,
        rate_window = options.rate_window.as_millis(),
        github = at.github,
        ci = at.ci,
        turn = if options.turns { "serial" } else { "free" },
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
    for stack in &STACKS {
        service(&mut text, stack, &at.sites)?;
    }
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
