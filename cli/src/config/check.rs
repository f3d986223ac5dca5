//! `bowline config check`: whether a configuration is right, and what it puts in force.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use runtime::config::{Faults, Sources};
use runtime::settings::{Mode, Service};
use runtime::{Secret, SecretSource, Settings};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::output::{Format, Out, paragraph, span};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration, a TOML file; the environment goes before it, as for the services.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// One setting, such as rate.window=1h; goes before all else.
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::setting)]
    set: Vec<(String, String)>,
}

pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let named = args.config.is_some();
    let sources = Sources::of_process(args.config.as_deref(), args.set);
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(faults) => {
            if out.format == Format::Json {
                out.answer(|_| String::new(), || Json::wrong(&faults))?;
            }
            return Err(Failure::usage(wrong(&faults, named)));
        }
    };
    let secrets = secrets(&settings, SecretSource::of_process());
    out.answer(
        |_| text(&settings, &secrets),
        || Json::right(&settings, &secrets),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn wrong(faults: &Faults, named: bool) -> String {
    let mut text = format!("the configuration is not right:\n{faults}");
    if !named {
        text.push_str("\nNo file was read: name one with --config.");
    }
    text
}

/// What programs read.
#[derive(Debug, Serialize)]
pub(crate) struct Json {
    /// Empty if the configuration is right.
    faults: Vec<Fault>,
    #[serde(flatten)]
    in_force: Option<InForce>,
}

#[derive(Debug, Serialize)]
struct Fault {
    key: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct InForce {
    mode: &'static str,
    instance: String,
    repository: String,
    branch: String,
    stacks: String,
    data_dir: String,
    nats: Option<String>,
    webhook_listen: String,
    grpc_listen: String,
    health_listen: Option<String>,
    max: u32,
    window_seconds: u64,
    ci: Option<String>,
    services: Vec<String>,
    secrets: Vec<Found>,
}

/// A secret as far as it may be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Found {
    name: &'static str,
    is_set: bool,
    variable: &'static str,
    file_key: &'static str,
    /// Who does not start without it.
    needed_by: Option<&'static str>,
    /// Why the one that was announced is not there.
    error: Option<String>,
}

impl Json {
    fn wrong(faults: &Faults) -> Json {
        let fault = |fault: &runtime::config::Fault| Fault {
            key: fault.key().to_owned(),
            text: fault.to_string(),
        };
        Json {
            faults: faults.iter().map(fault).collect(),
            in_force: None,
        }
    }

    fn right(settings: &Settings, secrets: &[Found]) -> Json {
        let nats = settings.nats.url.is_some();
        Json {
            faults: Vec::new(),
            in_force: Some(InForce {
                mode: match settings.mode {
                    Mode::Auto => "auto",
                    Mode::Observe => "observe",
                },
                instance: settings.instance.clone(),
                repository: settings.repository.name.clone(),
                branch: settings.repository.branch.clone(),
                stacks: settings.repository.stacks.clone(),
                data_dir: settings.data_dir.display().to_string(),
                nats: nats.then(|| settings.nats.shown().to_owned()),
                webhook_listen: settings.ingest.listen.to_string(),
                grpc_listen: settings.ingest.grpc_listen.to_string(),
                health_listen: settings.health.listen.map(|address| address.to_string()),
                max: settings.rate.max_upgrades_per_window,
                window_seconds: settings.rate.window.as_secs(),
                ci: settings.ci.url.clone(),
                services: settings.services.keys().cloned().collect(),
                secrets: secrets.to_vec(),
            }),
        }
    }

    /// One with every field, for the test of their description.
    #[cfg(test)]
    pub(crate) fn sample() -> [Json; 2] {
        let mut faults = Faults::default();
        faults.add("repository.url", "is missing");
        let settings = Settings::default();
        let secrets = secrets(&settings, SecretSource::default());
        [Json::wrong(&faults), Json::right(&settings, &secrets)]
    }
}

/// What is there of all secrets that the settings lead to.
fn secrets(settings: &Settings, source: SecretSource) -> Vec<Found> {
    let secrets = settings.secrets_from(source);
    let verifies = settings.carries_out().then_some("verifier");
    vec![
        found(
            "webhook",
            ["BOWLINE_SECRET_WEBHOOK", "ingest.secret_file"],
            Some("ingest"),
            secrets.webhook(),
        ),
        found(
            "repository",
            ["BOWLINE_SECRET_REPOSITORY_TOKEN", "repository.token_file"],
            None,
            secrets.repository_token(),
        ),
        found(
            "GitHub",
            ["BOWLINE_SECRET_GITHUB_TOKEN", "github.token_file"],
            None,
            secrets.github_token(),
        ),
        found(
            "CI",
            ["BOWLINE_SECRET_CI_TOKEN", "ci.token_file"],
            verifies,
            secrets.ci_token(),
        ),
        found(
            "Uptime Kuma",
            ["BOWLINE_SECRET_KUMA_API_KEY", "verify.kuma.api_key_file"],
            None,
            secrets.kuma_api_key(),
        ),
        found(
            "Slack",
            ["BOWLINE_SECRET_SLACK_WEBHOOK_URL", "slack.webhook_url_file"],
            None,
            secrets.slack_webhook_url(),
        ),
        found(
            "NATS nkey",
            ["BOWLINE_SECRET_NATS_NKEY_SEED", "nats.nkey_seed_file"],
            None,
            secrets.nats_nkey_seed(),
        ),
        found(
            "OTLP headers",
            ["BOWLINE_SECRET_OTLP_HEADERS", "telemetry.otlp_headers_file"],
            None,
            secrets.otlp_headers(),
        ),
    ]
}

fn found<E: Error + Send + Sync + 'static>(
    name: &'static str,
    [variable, file_key]: [&'static str; 2],
    needed_by: Option<&'static str>,
    read: Result<Option<Secret>, E>,
) -> Found {
    Found {
        name,
        is_set: matches!(read, Ok(Some(_))),
        variable,
        file_key,
        needed_by,
        error: read
            .err()
            .map(|error| format!("{:#}", anyhow::Error::from(error))),
    }
}

impl Found {
    fn text(&self) -> String {
        if self.is_set {
            return "set".to_owned();
        }
        let mut text = match &self.error {
            Some(error) => format!("not set: {error}"),
            None => format!("not set ({} or {})", self.variable, self.file_key),
        };
        if let Some(service) = self.needed_by {
            text.push_str(&format!("; `{service}` does not start without it"));
        }
        text
    }
}

fn text(settings: &Settings, secrets: &[Found]) -> String {
    let mut text = String::from("The configuration is right. In force:\n\n");
    let mut line = |label: &str, value: &str| {
        text.push_str(&paragraph(&format!("  {label:<12}  "), value));
    };
    let repository = &settings.repository;
    line("mode", super::mode(settings));
    line(
        "repository",
        &format!(
            "{}, branch {}, folder {}",
            repository.name, repository.branch, repository.stacks
        ),
    );
    line("CI", settings.ci.url.as_deref().unwrap_or("none (ci.url)"));
    line(
        "webhook",
        &format!("http://{}/webhook/<secret>", settings.ingest.listen),
    );
    line("gRPC", &format!("http://{}", settings.ingest.grpc_listen));
    match settings.health.listen {
        Some(address) => line("health", &format!("http://{address}/readyz")),
        None => line("health", "not served (health.listen)"),
    }
    line("data", &settings.data_dir.display().to_string());
    match settings.nats.url {
        Some(_) => line("NATS", &format!("{} (nats.url)", settings.nats.shown())),
        None => line(
            "NATS",
            &format!(
                "`bowline up` runs a server of its own; a single service asks {}",
                settings.nats.shown()
            ),
        ),
    }
    let seconds =
        |time: std::time::Duration| span(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    line(
        "rate",
        &format!(
            "{} upgrades in {}",
            settings.rate.max_upgrades_per_window,
            seconds(settings.rate.window)
        ),
    );
    line(
        "health for",
        &format!(
            "{} if it is safe, {} with caution, {} without release notes",
            seconds(settings.verify.safe),
            seconds(settings.verify.caution),
            seconds(settings.verify.unknown)
        ),
    );
    let services: Vec<String> = settings
        .services
        .iter()
        .map(|(name, service)| named(name, service))
        .collect();
    if services.is_empty() {
        line("services", "nothing special about any");
    } else {
        line("services", &services.join(", "));
    }
    text.push_str("\nSecrets, for this user in this environment:\n\n");
    for secret in secrets {
        text.push_str(&paragraph(
            &format!("  {:<12}  ", secret.name),
            &secret.text(),
        ));
    }
    text
}

/// A service that has a section, and how far it is from the others.
fn named(name: &str, service: &Service) -> String {
    let mut differs = Vec::new();
    if !service.allow {
        differs.push("not touched");
    }
    match service.mode {
        Some(Mode::Auto) => differs.push("auto"),
        Some(Mode::Observe) => differs.push("observe"),
        None => {}
    }
    if service.approval == Some(true) {
        differs.push("asks for approval");
    }
    if differs.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({})", differs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_shows_no_secret() {
        let mut settings = Settings {
            mode: Mode::Observe,
            ..Settings::default()
        };
        settings.repository.name = "acme/infra".to_owned();
        settings.nats.url = Some("nats://me:hush@nats.example.org:4222".to_owned());
        settings.repository.token_file = Some("/nowhere/token".into());
        for (name, change) in [
            ("immich", (true, Some(Mode::Auto), None)),
            ("linkwarden", (true, None, Some(true))),
            ("url", (true, None, None)),
            ("vault", (false, None, None)),
        ] {
            let (allow, mode, approval) = change;
            let service = Service {
                allow,
                mode,
                approval,
                ..Service::default()
            };
            settings.services.insert(name.to_owned(), service);
        }
        let variable = |name: &str| (format!("BOWLINE_SECRET_{name}"), "hush".to_owned());
        let source = SecretSource::of([variable("WEBHOOK"), variable("SLACK_WEBHOOK_URL")]);
        let secrets = secrets(&settings, source);
        let text = text(&settings, &secrets);
        insta::assert_snapshot!(text, @r"
        The configuration is right. In force:

          mode          observe: upgrades are planned, and nothing is touched but services in mode auto
          repository    acme/infra, branch main, folder stacks
          CI            none (ci.url)
          webhook       http://127.0.0.1:8080/webhook/<secret>
          gRPC          http://127.0.0.1:8081
          health        not served (health.listen)
          data          data
          NATS          nats.example.org:4222 (nats.url)
          rate          5 upgrades in 6 h
          health for    2 min if it is safe, 10 min with caution, 2 min without release notes
          services      immich (auto), linkwarden (asks for approval), url, vault (not touched)

        Secrets, for this user in this environment:

          webhook       set
          repository    not set: failed to read the repository token from /nowhere/token: No such file or
                        directory (os error 2)
          GitHub        not set (BOWLINE_SECRET_GITHUB_TOKEN or github.token_file)
          CI            not set (BOWLINE_SECRET_CI_TOKEN or ci.token_file); `verifier` does not start
                        without it
          Uptime Kuma   not set (BOWLINE_SECRET_KUMA_API_KEY or verify.kuma.api_key_file)
          Slack         set
          NATS nkey     not set (BOWLINE_SECRET_NATS_NKEY_SEED or nats.nkey_seed_file)
          OTLP headers  not set (BOWLINE_SECRET_OTLP_HEADERS or telemetry.otlp_headers_file)
        ");
        let json = serde_json::to_string(&Json::right(&settings, &secrets)).expect("JSON");
        assert!(!json.contains("hush") && !text.contains("hush"), "{json}");
    }
}
