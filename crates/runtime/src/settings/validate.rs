//! What a type cannot say about the settings. No message shows an address: it may hold a password.

use std::time::Duration;

use super::{Mode, Settings};
use crate::catalogue::{Chart, Source};
use crate::config::Faults;
use crate::telemetry;

/// With less than this the log would soon be full: 64 MiB.
const LEAST_STORE: u64 = 64 * 1024 * 1024;

pub(super) const HTTP: &[&str] = &["http", "https"];
/// Room for any request.
const LEAST_SPOOL: u64 = 16 * 1024;

impl Settings {
    /// Reports everything that is wrong, by key path.
    pub fn validate(&self, faults: &mut Faults) {
        if !is_name(&self.instance) {
            faults.add("instance", "must be 1 to 32 of a-z, 0-9 and `-`");
        }
        self.validate_repository(faults);
        self.validate_outside(faults);
        self.validate_services(faults);
        self.validate_durations(faults);
        if self.rate.max_upgrades_per_window == 0 {
            faults.add("rate.max_upgrades_per_window", "must be at least 1");
        }
        if self.embedded.max_store_bytes < LEAST_STORE {
            faults.add("embedded.max_store_bytes", "must be at least 67108864");
        }
        if let Some(address) = self.embedded.monitoring
            && !address.ip().is_loopback()
        {
            let message = "must be a loopback address: it asks for no login";
            faults.add("embedded.monitoring", message);
        }
        if self.executor.max_in_flight == Some(0) {
            let message = "must be at least 1; leave it out to have no limit";
            faults.add("executor.max_in_flight", message);
        }
        if self.executor.circuit_undos == 0 {
            faults.add("executor.circuit_undos", "must be at least 1");
        }
        if self.ingest.max_body_bytes == 0 {
            faults.add("ingest.max_body_bytes", "must be at least 1");
        }
        if self.ingest.spool_max_bytes < LEAST_SPOOL {
            let message = format!("must be at least {LEAST_SPOOL}: one request needs so much");
            faults.add("ingest.spool_max_bytes", message);
        }
        for (key, list) in [
            ("ingest.skip_images", &self.ingest.skip_images),
            ("repository.allow_bases", &self.repository.allow_bases),
            ("risk.words", &self.risk.words),
            ("risk.always_step", &self.risk.always_step),
        ] {
            if list.iter().any(|item| item.trim().is_empty()) {
                faults.add(key, "holds an empty entry");
            }
        }
        if self.ingest.statuses.is_empty() {
            faults.add(
                "ingest.statuses",
                "is empty: nothing would ever be upgraded",
            );
        }
        self.telemetry.validate(faults);
        if let Err(error) = telemetry::check_filter(&self.log.filter) {
            faults.add("log.filter", error.to_string());
        }
    }

    fn validate_repository(&self, faults: &mut Faults) {
        let repository = &self.repository;
        if repository.url.is_empty() {
            faults.add(
                "repository.url",
                "is missing: the address of the Terraform repository",
            );
        } else if has_password(&repository.url) {
            let message = "holds a password: put it into `repository.token_file` instead";
            faults.add("repository.url", message);
        } else if repository.url.contains(char::is_whitespace) {
            faults.add("repository.url", "is no address: it holds white space");
        } else if !repository.name.contains('/') {
            faults.add("repository.name", "must be `owner/name`");
        }
        for (key, text) in [
            ("repository.branch", &repository.branch),
            ("repository.user", &repository.user),
            ("repository.author_name", &repository.author_name),
            ("repository.author_email", &repository.author_email),
        ] {
            if text.trim().is_empty() || text.contains(['<', '>', '\n']) {
                faults.add(key, "must be a line without `<` and `>`");
            }
        }
        if !is_name(&repository.cluster) {
            faults.add("repository.cluster", "must be 1 to 32 of a-z, 0-9 and `-`");
        }
        let leaves = repository
            .stacks
            .split('/')
            .any(|part| part.is_empty() || part == "..");
        if leaves {
            faults.add(
                "repository.stacks",
                "must be a folder inside the repository",
            );
        }
    }

    fn validate_outside(&self, faults: &mut Faults) {
        check_url(faults, "nats.url", self.nats.address(), &["nats", "tls"]);
        if ![1, 3, 5].contains(&self.nats.replicas) {
            faults.add("nats.replicas", "must be 1, 3 or 5");
        }
        check_url(faults, "github.url", &self.github.url, HTTP);
        if let Some(url) = &self.kubernetes.url {
            check_url(faults, "kubernetes.url", url, HTTP);
        }
        let platform = self.kubernetes.platform.split_once('/');
        if !platform.is_some_and(|(os, architecture)| !os.is_empty() && is_name(architecture)) {
            let message = "must be an operating system and an architecture, such as `linux/arm64`";
            faults.add("kubernetes.platform", message);
        }
        match &self.ci.url {
            Some(url) => check_url(faults, "ci.url", url, HTTP),
            None if self.carries_out() => {
                let message = "is missing: the address of Woodpecker (or set `mode = \"observe\"`)";
                faults.add("ci.url", message);
            }
            None => {}
        }
        self.validate_kuma(faults);
        if self.ci.workflow.trim().is_empty() {
            faults.add("ci.workflow", "is empty: name the workflow that applies");
        }
    }

    fn validate_kuma(&self, faults: &mut Faults) {
        let kuma = &self.verify.kuma;
        if let Some(url) = &kuma.url {
            check_url(faults, "verify.kuma.url", url, HTTP);
        }
        for (key, said) in [
            ("status_page", kuma.status_page.is_some()),
            ("api_key_file", kuma.api_key_file.is_some()),
        ] {
            if said && kuma.url.is_none() {
                let message = "needs `verify.kuma.url`, the address of Uptime Kuma";
                faults.add(format!("verify.kuma.{key}"), message);
            }
        }
        let slug = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
        match &kuma.status_page {
            Some(page) if page.is_empty() || !page.chars().all(slug) => {
                let message = "must be the last part of the page's address, such as `home`";
                faults.add("verify.kuma.status_page", message);
            }
            None if kuma.url.is_some() && kuma.poll < Duration::from_secs(2) => {
                let message = "must be at least 2s: /metrics answers 60 requests a minute";
                faults.add("verify.kuma.poll", message);
            }
            Some(_) | None => {}
        }
    }

    /// Whether anything is carried out at all, not only planned.
    #[must_use]
    pub fn carries_out(&self) -> bool {
        self.mode == Mode::Auto
            || self
                .services
                .values()
                .any(|service| service.mode == Some(Mode::Auto))
    }

    fn validate_services(&self, faults: &mut Faults) {
        for (name, service) in &self.services {
            if let Some(url) = &service.url {
                check_url(faults, &format!("services.{name}.url"), url, HTTP);
            }
            let monitors = service.monitors.iter().flatten();
            if monitors.clone().any(|monitor| monitor.trim().is_empty()) {
                faults.add(format!("services.{name}.monitors"), "holds an empty entry");
            }
            if service.settle == Some(Duration::ZERO) {
                let message = "must be longer than nothing";
                faults.add(format!("services.{name}.settle"), message);
            }
            for (at, change) in service.changes.iter().enumerate() {
                for (key, why) in change.faults() {
                    faults.add(format!("services.{name}.changes.{at}.{key}"), &why);
                }
            }
            let Some(backup) = &service.backup else {
                continue;
            };
            for (key, text) in [
                ("namespace", &backup.namespace),
                ("cronjob", &backup.cronjob),
            ] {
                if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                    faults.add(format!("services.{name}.backup.{key}"), "is empty");
                }
            }
        }
        for (host, forge) in &self.forges {
            if let Some(url) = &forge.url {
                check_url(faults, &format!("forges.{host}.url"), url, HTTP);
            }
            let named = !host.is_empty() && !host.contains(['/', ' ', '@']) && host.contains('.');
            if !named || host == "github.com" {
                let message = "must be the name of a git host other than github.com, without \
                               scheme and path";
                faults.add(format!("forges.{host}"), message);
            }
        }
        for (host, registry) in &self.registries {
            if let Some(url) = &registry.url {
                check_url(faults, &format!("registries.{host}.url"), url, HTTP);
            }
            if host.is_empty() || host.contains(['/', ' ', '@']) {
                let message = "must be the name of a registry, without scheme and path";
                faults.add(format!("registries.{host}"), message);
            }
        }
        for (name, source) in &self.sources {
            if Source::parse(source).is_none() {
                let message = "must be `owner/name` (on GitHub) or `host/path`";
                faults.add(format!("sources.{name}"), message);
            }
        }
        for (image, chart) in &self.charts {
            let key = format!("charts.{image}");
            if Chart::parse(chart).is_none() {
                let message = "must be `repository chart`, with a repository that begins with \
                               https:// or oci:// and has no credentials in it";
                faults.add(key.clone(), message);
            }
            let name = image.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || name.contains([':', '@']) {
                faults.add(key, "must be an image without a tag");
            }
        }
    }

    fn validate_durations(&self, faults: &mut Faults) {
        for (key, duration) in [
            ("grace", self.grace),
            ("ingest.nats_wait", self.ingest.nats_wait),
            ("rate.window", self.rate.window),
            ("github.timeout", self.github.timeout),
            ("helm.timeout", self.helm.timeout),
            ("backup.timeout", self.backup.timeout),
            ("backup.max_age", self.backup.max_age),
            ("backup.poll", self.backup.poll),
            ("executor.circuit_within", self.executor.circuit_within),
            ("ci.appear_within", self.ci.appear_within),
            ("ci.patience", self.ci.patience),
            ("ci.undo_patience", self.ci.undo_patience),
            ("ci.poll", self.ci.poll),
            ("ci.timeout", self.ci.timeout),
            ("verify.safe", self.verify.safe),
            ("verify.caution", self.verify.caution),
            ("verify.unknown", self.verify.unknown),
            ("verify.interval", self.verify.interval),
            ("verify.settle", self.verify.settle),
            ("verify.observed_every", self.verify.observed_every),
            ("verify.unknown_limit", self.verify.unknown_limit),
            ("verify.http_timeout", self.verify.http_timeout),
            ("verify.kuma.poll", self.verify.kuma.poll),
            ("verify.kuma.timeout", self.verify.kuma.timeout),
            (
                "verify.kuma.monitor_interval",
                self.verify.kuma.monitor_interval,
            ),
            ("verify.kuma.wait_at_most", self.verify.kuma.wait_at_most),
            ("kubernetes.timeout", self.kubernetes.timeout),
            ("slack.timeout", self.slack.timeout),
            ("telemetry.otlp_timeout", self.telemetry.otlp_timeout),
            ("telemetry.otlp_every", self.telemetry.otlp_every),
            ("bus.backlog_every", self.bus.backlog_every),
            ("bus.ack_wait", self.bus.ack_wait),
            ("bus.progress", self.bus.progress),
            ("bus.head_retry", self.bus.head_retry),
            ("bus.queue_retry", self.bus.queue_retry),
            ("bus.lock_ttl", self.bus.lock_ttl),
            ("bus.sweep", self.bus.sweep),
            ("embedded.start_within", self.embedded.start_within),
            ("embedded.stop_within", self.embedded.stop_within),
            ("embedded.restart_first", self.embedded.restart_first),
            ("embedded.restart_cap", self.embedded.restart_cap),
            ("bus.archive_after", self.bus.archive_after),
        ] {
            if duration.is_zero() {
                faults.add(key, "must be longer than nothing");
            }
        }
        let (progress, ack_wait) = (self.bus.progress, self.bus.ack_wait);
        if progress > Duration::ZERO && progress >= ack_wait {
            faults.add("bus.progress", "must be shorter than `bus.ack_wait`");
        }
        // An archived upgrade gives its place in the rate window back.
        if self.bus.archive_after < self.rate.window {
            faults.add(
                "bus.archive_after",
                "must not be shorter than `rate.window`",
            );
        }
    }
}

/// Part of names in NATS and in Kubernetes.
fn is_name(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    (1..=32).contains(&text.len()) && text.chars().all(plain)
}

pub(super) fn check_url(faults: &mut Faults, key: &str, url: &str, schemes: &[&str]) {
    let parts = url.split_once("://");
    let Some((_, rest)) = parts.filter(|(scheme, _)| schemes.contains(scheme)) else {
        let expected = schemes.join("://… or ");
        faults.add(
            key,
            format!("must be an address that starts with {expected}://…"),
        );
        return;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.contains(char::is_whitespace) {
        faults.add(
            key,
            "is no address: the host is missing or it holds white space",
        );
    } else if has_password(url) && schemes == HTTP {
        faults.add(
            key,
            "holds a user or password: credentials come from a file or variable",
        );
    }
}

/// Whether there is a password before the host; a user alone, as in `ssh://git@…`, is none.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    host.rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Settings), expected: &[&str]) {
        let mut settings = Settings::default();
        settings.repository.url = "https://git.example.org/acme/infra".to_owned();
        settings.repository.name = "acme/infra".to_owned();
        settings.ci.url = Some("https://ci.example.org".to_owned());
        change(&mut settings);
        let mut faults = Faults::default();
        settings.validate(&mut faults);
        let keys: Vec<_> = faults.iter().map(|fault| fault.key()).collect();
        assert_eq!(keys, expected, "{faults}");
    }

    #[test]
    fn the_defaults_are_fine() {
        check(|_| {}, &[]);
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        let with_password = "https://me:hush@git.example.org/acme/infra";
        check(
            |settings| settings.repository.url = with_password.into(),
            &["repository.url"],
        );
        check(
            |settings| settings.ci.url = Some(with_password.into()),
            &["ci.url"],
        );
        let mut settings = Settings::default();
        settings.repository.url = with_password.to_owned();
        let mut faults = Faults::default();
        settings.validate(&mut faults);
        assert!(!faults.to_string().contains("hush"), "{faults}");
    }

    #[test]
    fn the_user_of_an_ssh_address_is_no_password() {
        check(
            |settings| settings.repository.url = "ssh://git@host:22/acme/infra".into(),
            &[],
        );
        check(
            |settings| settings.repository.url = "git@host:acme/infra.git".into(),
            &[],
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        check(
            |settings| settings.nats.url = Some("127.0.0.1:4222".into()),
            &["nats.url"],
        );
        check(
            |settings| settings.github.url = "https://".into(),
            &["github.url"],
        );
        check(
            |settings| settings.kubernetes.url = Some("a b".into()),
            &["kubernetes.url"],
        );
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        check(|settings| settings.ci.poll = Duration::ZERO, &["ci.poll"]);
        check(
            |settings| settings.bus.progress = settings.bus.ack_wait,
            &["bus.progress"],
        );
    }

    #[test]
    fn a_status_page_needs_an_address_and_metrics_are_not_asked_too_often() {
        let kuma = |settings: &mut Settings| {
            settings.verify.kuma.url = Some("https://status.example.org".into());
        };
        check(kuma, &[]);
        let page = |settings: &mut Settings| {
            settings.verify.kuma.status_page = Some("home".into());
        };
        check(page, &["verify.kuma.status_page"]);
        let often = |settings: &mut Settings| {
            kuma(settings);
            settings.verify.kuma.poll = Duration::from_secs(1);
        };
        check(often, &["verify.kuma.poll"]);
        let with_page = |settings: &mut Settings| {
            often(settings);
            page(settings);
        };
        check(with_page, &[]);
        let path = |settings: &mut Settings| {
            kuma(settings);
            settings.verify.kuma.status_page = Some("status/home".into());
        };
        check(path, &["verify.kuma.status_page"]);
        let service = |settings: &mut Settings| {
            let service = crate::settings::Service {
                monitors: Some(vec![" ".into()]),
                settle: Some(Duration::ZERO),
                ..crate::settings::Service::default()
            };
            settings.services.insert("x".into(), service);
        };
        check(service, &["services.x.monitors", "services.x.settle"]);
    }

    #[test]
    fn names_lists_and_numbers_are_checked() {
        check(
            |settings| settings.instance = "Bow.line".into(),
            &["instance"],
        );
        check(|settings| settings.nats.replicas = 2, &["nats.replicas"]);
        check(
            |settings| settings.ingest.spool_max_bytes = 1_000,
            &["ingest.spool_max_bytes"],
        );
        check(
            |settings| settings.executor.max_in_flight = Some(0),
            &["executor.max_in_flight"],
        );
        check(
            |settings| settings.risk.words.push(" ".into()),
            &["risk.words"],
        );
        check(
            |settings| settings.repository.stacks = "../x".into(),
            &["repository.stacks"],
        );
        check(
            |settings| settings.log.filter = "info,=".into(),
            &["log.filter"],
        );
    }

    #[test]
    fn the_own_nats_server_has_room_and_is_not_seen_from_outside() {
        check(
            |settings| settings.embedded.max_store_bytes = 1,
            &["embedded.max_store_bytes"],
        );
        check(
            |settings| settings.embedded.monitoring = Some(([0, 0, 0, 0], 8222).into()),
            &["embedded.monitoring"],
        );
        check(
            |settings| settings.embedded.restart_cap = Duration::ZERO,
            &["embedded.restart_cap"],
        );
    }

    #[test]
    fn where_traces_go_is_checked() {
        use crate::settings::OtlpProtocol::Http;
        let to = |endpoint: &str| Some(endpoint.to_owned());
        let key = "telemetry.otlp_endpoint";
        check(
            |settings| settings.telemetry.otlp_endpoint = to("http://tempo:4317"),
            &[],
        );
        check(
            |settings| settings.telemetry.otlp_endpoint = to("https://tempo:4317"),
            &[key],
        );
        check(
            |settings| {
                settings.telemetry.otlp_endpoint = to("https://tempo:4318");
                settings.telemetry.otlp_protocol = Http;
            },
            &[],
        );
        check(
            |settings| settings.telemetry.otlp_endpoint = to("tempo:4317"),
            &[key],
        );
        check(
            |settings| settings.telemetry.sample_ratio = 1.5,
            &["telemetry.sample_ratio"],
        );
    }

    #[test]
    fn a_source_that_is_no_repository_is_refused() {
        let add = |settings: &mut Settings| {
            settings
                .sources
                .insert("a/b".into(), "https://github.com/a/b".into());
        };
        check(add, &["sources.a/b"]);
    }

    #[test]
    fn a_chart_needs_a_repository_and_an_image_without_tag() {
        let add = |image: &str, chart: &str| {
            let (image, chart) = (image.to_owned(), chart.to_owned());
            move |settings: &mut Settings| {
                settings.charts.insert(image, chart);
            }
        };
        let charts = "oci://registry.example.org/charts app";
        check(add("registry.example.org:5000/a/b", charts), &[]);
        check(add("a/b:1", charts), &["charts.a/b:1"]);
        check(add("a/b", "app"), &["charts.a/b"]);
    }
}
