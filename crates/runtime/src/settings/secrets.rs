//! The secrets that the settings lead to.

use std::path::PathBuf;

use super::Settings;
use crate::secret::{Secret, SecretError, SecretSource};

/// Reads the secrets of an installation, each when it is asked for.
#[derive(Debug)]
pub struct Secrets<'a> {
    settings: &'a Settings,
    source: SecretSource,
}

impl Settings {
    /// The secrets of this process. Read them at start only.
    #[must_use]
    pub fn secrets(&self) -> Secrets<'_> {
        self.secrets_from(SecretSource::of_process())
    }

    /// The secrets as this environment gives them.
    #[must_use]
    pub fn secrets_from(&self, source: SecretSource) -> Secrets<'_> {
        Secrets {
            settings: self,
            source,
        }
    }
}

impl Secrets<'_> {
    /// The token that pushes.
    pub fn repository_token(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.repository.token_file;
        self.read(
            "repository token",
            file.as_ref(),
            "BOWLINE_SECRET_REPOSITORY_TOKEN",
        )
    }

    /// The last part of the webhook's path.
    pub fn webhook(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.ingest.secret_file;
        self.read("webhook secret", file.as_ref(), "BOWLINE_SECRET_WEBHOOK")
    }

    /// The token for release notes.
    pub fn github_token(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.github.token_file;
        self.read("GitHub token", file.as_ref(), "BOWLINE_SECRET_GITHUB_TOKEN")
    }

    /// The token for a configured git host besides GitHub.
    pub fn forge_token(&self, host: &str) -> Result<Option<Secret>, SecretError> {
        let forge = self.settings.forges.get(host);
        let file = forge.and_then(|forge| forge.token_file.as_ref());
        let variable = format!("BOWLINE_SECRET_FORGE_{}", in_variable(host));
        self.read(&format!("token for {host}"), file, &variable)
    }

    /// The password for a configured registry.
    pub fn registry_password(&self, host: &str) -> Result<Option<Secret>, SecretError> {
        let registry = self.settings.registries.get(host);
        let file = registry.and_then(|registry| registry.password_file.as_ref());
        let variable = format!("BOWLINE_SECRET_REGISTRY_{}", in_variable(host));
        self.read(&format!("password for {host}"), file, &variable)
    }

    /// The token for CI.
    pub fn ci_token(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.ci.token_file;
        self.read("CI token", file.as_ref(), "BOWLINE_SECRET_CI_TOKEN")
    }

    /// The URL that announcements are posted to.
    pub fn slack_webhook_url(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.slack.webhook_url_file;
        self.read(
            "Slack webhook URL",
            file.as_ref(),
            "BOWLINE_SECRET_SLACK_WEBHOOK_URL",
        )
    }

    /// The seed of the nkey that NATS is logged in to with.
    pub fn nats_nkey_seed(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.nats.nkey_seed_file;
        self.read(
            "NATS nkey seed",
            file.as_ref(),
            "BOWLINE_SECRET_NATS_NKEY_SEED",
        )
    }

    /// The API key for Uptime Kuma's metrics.
    pub fn kuma_api_key(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.verify.kuma.api_key_file;
        self.read(
            "Uptime Kuma API key",
            file.as_ref(),
            "BOWLINE_SECRET_KUMA_API_KEY",
        )
    }

    /// Headers for the OTLP receiver.
    pub fn otlp_headers(&self) -> Result<Option<Secret>, SecretError> {
        let file = &self.settings.telemetry.otlp_headers_file;
        self.read("OTLP headers", file.as_ref(), "BOWLINE_SECRET_OTLP_HEADERS")
    }

    fn read(
        &self,
        name: &str,
        file: Option<&PathBuf>,
        variable: &str,
    ) -> Result<Option<Secret>, SecretError> {
        self.source.read(name, file.map(PathBuf::as_path), variable)
    }
}

/// A host's name as variables spell it: in capitals, with `_` for all but letters and digits.
fn in_variable(host: &str) -> String {
    let capital = |c: char| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    host.chars().map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_has_its_own_variable() {
        let names = [
            "REPOSITORY_TOKEN",
            "WEBHOOK",
            "GITHUB_TOKEN",
            "CI_TOKEN",
            "SLACK_WEBHOOK_URL",
            "NATS_NKEY_SEED",
            "KUMA_API_KEY",
            "OTLP_HEADERS",
        ];
        let variable = |name| (format!("BOWLINE_SECRET_{name}"), format!("value of {name}"));
        let settings = Settings::default();
        let secrets = settings.secrets_from(SecretSource::of(names.map(variable)));
        let read = [
            secrets.repository_token(),
            secrets.webhook(),
            secrets.github_token(),
            secrets.ci_token(),
            secrets.slack_webhook_url(),
            secrets.nats_nkey_seed(),
            secrets.kuma_api_key(),
            secrets.otlp_headers(),
        ];
        for (secret, name) in read.into_iter().zip(names) {
            assert_eq!(
                secret.unwrap(),
                Some(Secret::new(format!("value of {name}")))
            );
        }
    }
}
