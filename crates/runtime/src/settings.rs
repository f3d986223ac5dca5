//! The configuration that all four services share: they read one file.
//!
//! Every key has a default, but for the few that only the user knows. Secrets are no settings:
//! a `…_file` key or a `BOWLINE_SECRET_…` variable leads to them, see [`Settings::secrets`].

mod embedded;
mod kuma;
mod outside;
mod pipeline;
mod secrets;
mod services;
mod telemetry;
mod validate;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::catalogue::{self, Chart, Source};
use crate::config::{self, Faults, Sources};

pub use embedded::Embedded;
pub use kuma::Kuma;
pub use outside::{
    Ci, Forge, ForgeKind, GitHub, Helm, Kubernetes, Nats, Registry, Repository, Slack, Turn,
};
pub use pipeline::{
    Backup, Bus, Executor, Granularity, Ingest, Rate, Risk, RiskRule, Status, Verify,
};
pub use secrets::Secrets;
pub use services::{BackupTarget, Change, Engine, Service};
pub use telemetry::{OtlpProtocol, Telemetry};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The start of every name this installation uses in NATS.
    pub instance: String,
    /// Whether upgrades are carried out or only planned.
    pub mode: Mode,
    /// Where a process keeps its files: mirrors of the repository, which it can fetch again, and
    /// ingest's spool, which nobody else has.
    pub data_dir: PathBuf,
    /// How long a stop waits for work in hand.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// Where the log lives.
    pub nats: Nats,
    /// The nats-server that `bowline up` runs itself.
    pub embedded: Embedded,
    /// The repository whose Terraform files are edited.
    pub repository: Repository,
    /// What comes in, and what of it is let through.
    pub ingest: Ingest,
    /// How many upgrades may start in a while.
    pub rate: Rate,
    /// What makes an upgrade risky.
    pub risk: Risk,
    /// Where release notes come from.
    pub github: GitHub,
    /// Other git hosts with release notes, by name; `gitlab.com`, `codeberg.org` and `gitea.com` are
    /// known.
    pub forges: BTreeMap<String, Forge>,
    /// Source repositories of images and charts, over the built-in catalogue.
    pub sources: BTreeMap<String, String>,
    /// The chart that deploys an image, as `repository chart`, over the built-in catalogue.
    pub charts: BTreeMap<String, String>,
    /// How chart repositories and registries are asked.
    pub helm: Helm,
    /// Registries that want a login, or are asked elsewhere, by name.
    pub registries: BTreeMap<String, Registry>,
    /// What is special about a service.
    pub services: BTreeMap<String, Service>,
    /// How database backups are taken.
    pub backup: Backup,
    /// How many upgrades go on side by side, and what stops new ones.
    pub executor: Executor,
    /// The CI that applies what is pushed.
    pub ci: Ci,
    /// The cluster.
    pub kubernetes: Kubernetes,
    /// How an upgrade is judged.
    pub verify: Verify,
    /// Where announcements go.
    pub slack: Slack,
    /// What is logged, and how.
    pub log: Log,
    /// Where the health of a process is served.
    pub health: HealthEndpoint,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// The intervals of the loop that all services share.
    pub bus: Bus,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instance: "bowline".to_owned(),
            mode: Mode::default(),
            data_dir: PathBuf::from("data"),
            grace: Duration::from_secs(20),
            nats: Nats::default(),
            embedded: Embedded::default(),
            repository: Repository::default(),
            ingest: Ingest::default(),
            rate: Rate::default(),
            risk: Risk::default(),
            github: GitHub::default(),
            forges: BTreeMap::new(),
            sources: BTreeMap::new(),
            charts: BTreeMap::new(),
            helm: Helm::default(),
            registries: BTreeMap::new(),
            services: BTreeMap::new(),
            backup: Backup::default(),
            executor: Executor::default(),
            ci: Ci::default(),
            kubernetes: Kubernetes::default(),
            verify: Verify::default(),
            slack: Slack::default(),
            log: Log::default(),
            health: HealthEndpoint::default(),
            telemetry: Telemetry::default(),
            bus: Bus::default(),
        }
    }
}

/// Whether upgrades are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan, and say what would be done.
    Observe,
    /// Carry out what is planned.
    #[default]
    Auto,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// Which events: a level, or `target=level` parts with commas between them.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            // The client of NATS logs what the bus logs of it as well.
            filter: "info,async_nats=warn".to_owned(),
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Where the health of a process is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthEndpoint {
    /// The address of `/livez`, `/readyz` and `/metrics`; nowhere by default. Processes on one machine need
    /// different ones, so it is best set by environment or flag.
    pub listen: Option<SocketAddr>,
}

impl Settings {
    /// Reads all layers, completes what follows from other keys, and checks the whole.
    ///
    /// # Errors
    ///
    /// All faults at once.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let config::Loaded { value, mut faults } = config::load::<Self>(sources);
        let Some(mut settings) = value else {
            return Err(faults);
        };
        settings.complete();
        settings.validate(&mut faults);
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(faults)
        }
    }

    /// The repository's name follows from its address, and the CI's name for it is the same.
    fn complete(&mut self) {
        if self.repository.name.is_empty() {
            self.repository.name = outside::name_in(&self.repository.url);
        }
        if self.ci.repository.is_empty() {
            self.ci.repository.clone_from(&self.repository.name);
        }
    }

    /// The mode of a service: its own, else everybody's.
    #[must_use]
    pub fn mode_of(&self, service: &str) -> Mode {
        self.services
            .get(service)
            .and_then(|service| service.mode)
            .unwrap_or(self.mode)
    }

    /// Whether a service may be touched at all.
    #[must_use]
    pub fn may_touch(&self, service: &str) -> bool {
        self.services
            .get(service)
            .is_none_or(|service| service.allow)
    }

    /// Whether a service goes through every version.
    #[must_use]
    pub fn always_steps(&self, service: &str) -> bool {
        let own = self
            .services
            .get(service)
            .and_then(|service| service.always_step);
        own.unwrap_or_else(|| self.risk.always_step.iter().any(|name| name == service))
    }

    /// Whether much depends on a service: its own word, else the built-in list.
    #[must_use]
    pub fn is_critical(&self, service: &str) -> bool {
        let own = self.services.get(service).and_then(|own| own.critical);
        own.unwrap_or_else(|| catalogue::is_critical(service))
    }

    /// Whether a person has to approve a service's upgrades.
    #[must_use]
    pub fn needs_approval(&self, service: &str) -> bool {
        let own = self.services.get(service).and_then(|own| own.approval);
        own.unwrap_or_else(|| self.is_critical(service))
    }

    /// The source repository of an image (without tag) or of a chart repository: the user's word
    /// first, then the built-in catalogue.
    #[must_use]
    pub fn source_of(&self, image_or_charts: &str) -> Option<Source<'_>> {
        let wanted = catalogue::short(image_or_charts).trim_end_matches('/');
        let own = self
            .sources
            .iter()
            .find(|(name, _)| catalogue::short(name).trim_end_matches('/') == wanted);
        match own {
            Some((_, source)) => Source::parse(source),
            None => catalogue::image(image_or_charts).or_else(|| catalogue::chart(image_or_charts)),
        }
    }

    /// The chart that deploys an image (without tag): the user's word first, then the built-in
    /// catalogue.
    #[must_use]
    pub fn chart_of(&self, image: &str) -> Option<Chart<'_>> {
        let wanted = catalogue::short(image);
        let own = self.charts.iter();
        let mut own = own.filter(|(name, _)| catalogue::short(name) == wanted);
        match own.next() {
            Some((_, chart)) => Chart::parse(chart),
            None => catalogue::chart_of(image),
        }
    }
}

/// Texts as an owned list, for defaults.
fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn load(toml: &str) -> Result<Settings, Faults> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), toml).unwrap();
        Settings::load(&Sources {
            file: Some(file.path().into()),
            ..Sources::default()
        })
    }

    const SMALL: &str = "repository.url = 'https://git.example.org/acme/infra.git'\n\
                         ci.url = 'https://ci.example.org'\n";

    #[test]
    fn shipped_configs_parse() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples");
        let mut count = 0;
        for entry in fs::read_dir(samples).unwrap() {
            let file = entry.unwrap().path();
            if file
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let sources = Sources {
                    file: Some(file.clone()),
                    ..Sources::default()
                };
                let loaded = Settings::load(&sources);
                assert!(
                    loaded.is_ok(),
                    "{}:\n{}",
                    file.display(),
                    loaded.unwrap_err()
                );
                count += 1;
            }
        }
        assert!(count > 0, "no sample found");
    }

    #[test]
    fn only_what_nobody_can_guess_must_be_given() {
        let faults = load("").unwrap_err();
        let keys: Vec<_> = faults.iter().map(config::Fault::key).collect();
        assert_eq!(keys, ["repository.url", "ci.url"]);
        load(SMALL).unwrap();
    }

    #[test]
    fn observing_needs_no_ci() {
        load("mode = 'observe'\nrepository.url = 'https://git.example.org/acme/infra'").unwrap();
    }

    #[test]
    fn the_variables_of_the_standard_say_where_traces_go_too() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut sources = Sources {
            environment: vec![
                variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://tempo:4318"),
                variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                variable(
                    "BOWLINE_REPOSITORY__URL",
                    "https://git.example.org/acme/infra",
                ),
                variable("BOWLINE_CI__URL", "https://ci.example.org"),
            ],
            ..Sources::default()
        };
        let telemetry = Settings::load(&sources).unwrap().telemetry;
        assert_eq!(telemetry.otlp_endpoint.unwrap(), "http://tempo:4318");
        assert_eq!(telemetry.otlp_protocol, OtlpProtocol::Http);
        let ours = variable("BOWLINE_TELEMETRY__OTLP_ENDPOINT", "http://alloy:4318");
        sources.environment.push(ours);
        let telemetry = Settings::load(&sources).unwrap().telemetry;
        assert_eq!(telemetry.otlp_endpoint.unwrap(), "http://alloy:4318");
    }

    #[test]
    fn the_names_follow_from_the_address() {
        let settings = load(SMALL).unwrap();
        assert_eq!(settings.repository.name, "acme/infra");
        assert_eq!(settings.ci.repository, "acme/infra");
    }

    #[test]
    fn the_usual_variables_of_nats_are_read_and_ours_go_before() {
        let load = |environment: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), format!("{SMALL}nats.url = 'nats://file'")).unwrap();
            Settings::load(&Sources {
                file: Some(file.path().into()),
                environment: environment.iter().map(owned).collect(),
                ..Sources::default()
            })
            .unwrap()
        };
        let theirs = ("NATS_URL", "nats://theirs");
        let ours = ("BOWLINE_NATS__URL", "nats://ours");
        let url = |environment: &[_]| load(environment).nats.url.unwrap();
        assert_eq!(url(&[]), "nats://file");
        assert_eq!(url(&[theirs]), "nats://theirs");
        assert_eq!(url(&[theirs, ours]), "nats://ours");
        let program = load(&[("BOWLINE_NATS_SERVER", "/opt/nats-server")]).embedded;
        assert_eq!(program.nats_server, Some("/opt/nats-server".into()));
    }

    #[test]
    fn a_service_may_differ_from_the_rest() {
        let toml = format!(
            "{SMALL}[services.immich]\nalways_step = false\nmode = 'observe'\n\
             [services.vault]\nallow = false\nalways_step = true\n"
        );
        let settings = load(&toml).unwrap();
        assert_eq!(settings.mode_of("immich"), Mode::Observe);
        assert_eq!(settings.mode_of("shlink"), Mode::Auto);
        assert!(!settings.may_touch("vault") && settings.may_touch("shlink"));
        assert!(settings.always_steps("vault") && settings.always_steps("nextcloud"));
        assert!(!settings.always_steps("immich") && !settings.always_steps("shlink"));
    }

    #[test]
    fn the_users_chart_of_an_image_goes_before_the_catalogues() {
        let toml =
            format!("{SMALL}[charts]\n'traefik' = 'oci://registry.example.org/charts traefik'\n");
        let settings = load(&toml).unwrap();
        let of = |image| settings.chart_of(image).map(|chart| chart.repository);
        for (image, expected) in [
            (
                "docker.io/library/traefik",
                Some("oci://registry.example.org/charts"),
            ),
            (
                "ghcr.io/goauthentik/server",
                Some("https://charts.goauthentik.io/"),
            ),
            ("ghcr.io/acme/app", None),
        ] {
            assert_eq!(of(image), expected, "{image}");
        }
    }

    #[test]
    fn what_much_depends_on_needs_approval_unless_the_user_says_otherwise() {
        let toml = format!(
            "{SMALL}[services.traefik]\ncritical = false\n[services.vault]\napproval = false\n\
             [services.shop]\ncritical = true\n[services.blog]\napproval = true\n"
        );
        let settings = load(&toml).unwrap();
        let told = |name| (settings.is_critical(name), settings.needs_approval(name));
        for (service, expected) in [
            ("woodpecker", (true, true)),
            ("traefik", (false, false)),
            ("vault", (true, false)),
            ("shop", (true, true)),
            ("blog", (false, true)),
            ("immich", (false, false)),
        ] {
            assert_eq!(told(service), expected, "{service}");
        }
    }

    #[test]
    fn own_sources_go_before_the_catalogue() {
        let toml = format!(
            "{SMALL}[sources]\n'docker.io/shlinkio/shlink' = 'fork/shlink'\n\
             'https://charts.example.org' = 'gitlab.com/acme/charts'\n"
        );
        let settings = load(&toml).unwrap();
        let path = |name| settings.source_of(name).map(|source| source.path);
        assert_eq!(path("shlinkio/shlink"), Some("fork/shlink"));
        assert_eq!(path("https://charts.example.org/"), Some("acme/charts"));
        assert_eq!(path("phpipam/phpipam-www"), Some("phpipam/phpipam"));
        assert_eq!(
            path("https://traefik.github.io/charts"),
            Some("traefik/traefik-helm-chart")
        );
        assert_eq!(path("unknown/image"), None);
    }

    #[test]
    fn faults_of_reading_and_of_checking_come_together() {
        let toml = "instance = 'no good'\nrate.window = '0s'\n[ingest]\nlisten = 'here'\n\
                    [services.x]\nbackup = { engine = 'oracle' }\nnope = 1\n";
        let faults = load(toml).unwrap_err();
        let keys: Vec<_> = faults.iter().map(config::Fault::key).collect();
        let expected = [
            "ingest.listen",
            "services.x.backup.engine",
            "services.x.backup",
            "services.x.nope",
            "instance",
            "repository.url",
            "rate.window",
            "ci.url",
        ];
        for key in expected {
            let by_section = keys
                .iter()
                .any(|found| key == *found || key.starts_with(found));
            assert!(by_section, "{key} is missing in {keys:?}");
        }
    }
}
