//! What a type cannot say about the settings. No message shows an address: it may hold a password.

use std::time::Duration;

use super::{Mode, Settings};
use crate::catalogue::Source;
use crate::config::Faults;
use crate::telemetry;

const HTTP: &[&str] = &["http", "https"];

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
        if self.ingest.max_body_bytes == 0 {
            faults.add("ingest.max_body_bytes", "must be at least 1");
        }
        for (key, list) in [
            ("ingest.skip_images", &self.ingest.skip_images),
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
        check_url(faults, "nats.url", &self.nats.url, &["nats", "tls"]);
        if ![1, 3, 5].contains(&self.nats.replicas) {
            faults.add("nats.replicas", "must be 1, 3 or 5");
        }
        check_url(faults, "github.url", &self.github.url, HTTP);
        if let Some(url) = &self.kubernetes.url {
            check_url(faults, "kubernetes.url", url, HTTP);
        }
        match &self.ci.url {
            Some(url) => check_url(faults, "ci.url", url, HTTP),
            None if self.carries_out() => {
                let message = "is missing: the address of Woodpecker (or set `mode = \"observe\"`)";
                faults.add("ci.url", message);
            }
            None => {}
        }
        if self.ci.workflow.trim().is_empty() {
            faults.add("ci.workflow", "is empty: name the workflow that applies");
        }
    }

    fn carries_out(&self) -> bool {
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
        for (name, source) in &self.sources {
            if Source::parse(source).is_none() {
                let message = "must be `owner/name` (on GitHub) or `host/path`";
                faults.add(format!("sources.{name}"), message);
            }
        }
    }

    fn validate_durations(&self, faults: &mut Faults) {
        for (key, duration) in [
            ("grace", self.grace),
            ("ingest.nats_wait", self.ingest.nats_wait),
            ("rate.window", self.rate.window),
            ("github.timeout", self.github.timeout),
            ("backup.timeout", self.backup.timeout),
            ("backup.max_age", self.backup.max_age),
            ("backup.poll", self.backup.poll),
            ("ci.appear_within", self.ci.appear_within),
            ("ci.patience", self.ci.patience),
            ("ci.poll", self.ci.poll),
            ("ci.timeout", self.ci.timeout),
            ("verify.safe", self.verify.safe),
            ("verify.caution", self.verify.caution),
            ("verify.unknown", self.verify.unknown),
            ("verify.interval", self.verify.interval),
            ("verify.settle", self.verify.settle),
            ("verify.observed_every", self.verify.observed_every),
            ("slack.timeout", self.slack.timeout),
            ("bus.ack_wait", self.bus.ack_wait),
            ("bus.progress", self.bus.progress),
            ("bus.head_retry", self.bus.head_retry),
            ("bus.queue_retry", self.bus.queue_retry),
            ("bus.lock_ttl", self.bus.lock_ttl),
            ("bus.sweep", self.bus.sweep),
        ] {
            if duration.is_zero() {
                faults.add(key, "must be longer than nothing");
            }
        }
        let (progress, ack_wait) = (self.bus.progress, self.bus.ack_wait);
        if progress > Duration::ZERO && progress >= ack_wait {
            faults.add("bus.progress", "must be shorter than `bus.ack_wait`");
        }
    }
}

/// Part of names in NATS and in Kubernetes.
fn is_name(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    (1..=32).contains(&text.len()) && text.chars().all(plain)
}

fn check_url(faults: &mut Faults, key: &str, url: &str, schemes: &[&str]) {
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
            |settings| settings.nats.url = "127.0.0.1:4222".into(),
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
    fn names_lists_and_numbers_are_checked() {
        check(
            |settings| settings.instance = "Bow.line".into(),
            &["instance"],
        );
        check(|settings| settings.nats.replicas = 2, &["nats.replicas"]);
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
    fn a_source_that_is_no_repository_is_refused() {
        let add = |settings: &mut Settings| {
            settings
                .sources
                .insert("a/b".into(), "https://github.com/a/b".into());
        };
        check(add, &["sources.a/b"]);
    }
}
