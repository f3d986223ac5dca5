use std::collections::BTreeMap;

/// The risk of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Patch or minor bump, and no breaking word in the notes.
    Safe,
    /// Major bump, a breaking word, or a service that is always stepped.
    Caution,
    /// No release notes exist.
    Unknown,
}

impl Level {
    /// The level as people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Safe => "SAFE",
            Level::Caution => "CAUTION",
            Level::Unknown => "UNKNOWN",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A quoted line of the release notes that raised the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The version whose notes say it.
    pub version: String,
    /// The word that was found.
    pub word: String,
    /// The line, bounded.
    pub quote: String,
    /// Where it can be read.
    pub url: String,
}

/// The level and its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The level.
    pub level: Level,
    /// Why, in sentences for people.
    pub reasons: Vec<String>,
    /// The lines that raised it.
    pub excerpts: Vec<Excerpt>,
}

/// One place in the repository whose value changes in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The file, relative to the repository.
    pub path: String,
    /// The address of the value within the file; line numbers are free to move.
    pub address: String,
    /// The value before the step.
    pub before: String,
    /// The value after the step.
    pub after: String,
}

/// One version to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// The tag or chart version that is live after the step.
    pub to: String,
    /// Of a chart: the app version that it brings; none of an image.
    pub app: Option<String>,
    /// What is edited.
    pub sites: Vec<Site>,
}

/// One workload that must run the new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `Deployment`, `StatefulSet` or `DaemonSet`; or `HelmRelease`, which stands for all
    /// workloads of a release.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The workload's name, or the release's.
    pub name: String,
    /// The labels that select its pods.
    pub match_labels: BTreeMap<String, String>,
    /// The containers that run the image.
    pub containers: Vec<String>,
    /// The init containers that run the image.
    pub init_containers: Vec<String>,
    /// The image without tag, as the repository writes it; of a release the one that tells which
    /// app version runs.
    pub image: String,
    /// Addresses that must answer; empty: "HTTP: not configured".
    pub http: Vec<String>,
}

/// The `CronJob` that a backup Job is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupTarget {
    /// The namespace.
    pub namespace: String,
    /// The `CronJob`'s name.
    pub cronjob: String,
    /// `postgresql` or `mysql`, for people.
    pub engine: String,
    /// The database's name, for people; may be empty.
    pub database: String,
}

/// How long health is watched, in seconds of observed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The window of every step.
    pub forward_seconds: u32,
    /// The window of an undo.
    pub undo_seconds: u32,
}

/// How long the plan waits for others, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A run of CI may take this long.
    pub ci_patience_seconds: u32,
    /// After CI, the new image must be live within this time.
    pub settle_seconds: u32,
    /// A backup Job may take this long.
    pub backup_seconds: u32,
    /// A backup counts for this long.
    pub backup_max_age_seconds: u32,
}

/// How the service's monitors in Uptime Kuma are told from the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Monitors {
    /// Exactly these, by name; if empty, those of the service's name or of its hosts.
    pub names: Vec<String>,
    /// The hosts under which the service answers.
    pub hosts: Vec<String>,
}

/// What the configuration decided for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Say what would be done and stop.
    pub observe: bool,
    /// A person has to approve.
    pub approval: bool,
    /// Go on although the service was unhealthy before.
    pub allow_unhealthy_before: bool,
    /// HTTP checks accept a certificate that nobody vouches for.
    pub insecure_tls: bool,
    /// Much depends on the service: nothing else is upgraded in its cluster meanwhile.
    pub critical: bool,
}

/// Everything that executor and verifier need to know; they read no service policy of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The service: the folder of its stack.
    pub service: String,
    /// The repository's configured name.
    pub repository: String,
    /// The cluster's configured name.
    pub cluster: String,
    /// The version that is written in the repository now.
    pub from: String,
    /// Of a chart: the app version that goes with `from`; none of an image.
    pub from_app: Option<String>,
    /// The commit that was read.
    pub head: String,
    /// The steps, the last one to the wanted version; at least one.
    pub steps: Vec<PlanStep>,
    /// The workloads to watch.
    pub targets: Vec<Target>,
    /// The risk and its evidence.
    pub risk: Risk,
    /// The backup that is due before every step.
    pub backup: Option<BackupTarget>,
    /// How long health is watched.
    pub windows: Windows,
    /// How long others are waited for.
    pub limits: Limits,
    /// What the configuration decided.
    pub policy: Policy,
    /// The changelog summary, safe to stand in a commit message.
    pub summary: String,
    /// How many releases lie in between, the target included.
    pub releases: u32,
    /// The source repository's address; empty if none was found.
    pub source_url: String,
    /// Its monitors in Uptime Kuma; none: Uptime Kuma is not asked.
    pub monitors: Option<Monitors>,
}

impl Plan {
    /// The wanted version: where the last step leads.
    #[must_use]
    pub fn to(&self) -> &str {
        self.steps.last().map_or("", |step| step.to.as_str())
    }

    /// The given step, counted from 1.
    #[must_use]
    pub fn step(&self, number: u32) -> Option<&PlanStep> {
        self.steps
            .get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The number of steps.
    #[must_use]
    pub fn step_count(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// The version that is live before the given step.
    #[must_use]
    pub fn before_step(&self, number: u32) -> &str {
        number
            .checked_sub(1)
            .and_then(|previous| self.step(previous))
            .map_or(self.from.as_str(), |step| step.to.as_str())
    }

    /// What the image's tag says while `version` is live: of a chart its app version, else the
    /// version itself.
    #[must_use]
    pub fn app_of<'a>(&'a self, version: &'a str) -> &'a str {
        let before = self.from_app.as_deref().filter(|_| version == self.from);
        let after = || {
            let mut steps = self.steps.iter().filter(|step| step.to == version);
            steps.find_map(|step| step.app.as_deref())
        };
        before.or_else(after).unwrap_or(version)
    }

    /// Whether the versions are those of a chart.
    #[must_use]
    pub fn is_chart(&self) -> bool {
        self.from_app.is_some()
    }

    /// From where to where, for people; of a chart with its app versions. `arrow` stands between.
    #[must_use]
    pub fn way(&self, from: &str, to: &str, arrow: &str) -> String {
        if !self.is_chart() {
            return format!("{from} {arrow} {to}");
        }
        let (app_from, app_to) = (self.app_of(from), self.app_of(to));
        format!("chart {from} {arrow} {to}, app {app_from} {arrow} {app_to}")
    }
}
