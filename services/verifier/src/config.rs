//! What the verifier has to be told.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use runtime::Settings;
use runtime::settings::Turn;

use crate::kuma::KumaAddress;
use crate::woodpecker::Repository;
use crate::work::Times;

/// A tick is mostly waiting for others.
const WORKERS: usize = 16;

/// The verifier's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// CI by the configured name of the infrastructure repository.
    pub repositories: BTreeMap<String, Repository>,
    /// The addresses of clusters by configured name; none: the pod's own, or the kubeconfig's.
    pub clusters: BTreeMap<String, Option<String>>,
    /// How long an answer of CI may take.
    pub ci_timeout: Duration,
    /// How long an answer of a cluster may take.
    pub cluster_timeout: Duration,
    /// How long a service may take to answer an HTTP check.
    pub http_timeout: Duration,
    /// Uptime Kuma, if there is one.
    pub kuma: Option<KumaAddress>,
    /// Upgrades take turns between push and the end of CI.
    pub serial: bool,
    /// The intervals and limits.
    pub times: Times,
    /// How many upgrades are looked at at once.
    pub workers: usize,
}

impl Config {
    /// What the settings say to the verifier; reads the CI token.
    ///
    /// # Errors
    /// The address of CI or its token is missing or cannot be read.
    pub fn from_settings(settings: &Settings) -> anyhow::Result<Config> {
        let url = settings
            .ci
            .url
            .clone()
            .context("`ci.url` is missing: the verifier asks CI")?;
        let token = settings
            .secrets()
            .ci_token()?
            .context("the CI token is missing: set `ci.token_file` or `BOWLINE_SECRET_CI_TOKEN`")?;
        let repository = Repository {
            url,
            name: settings.ci.repository.clone(),
            token,
            branch: settings.repository.branch.clone(),
            workflow: settings.ci.workflow.clone(),
            may_restart: settings.ci.restart_superseded,
        };
        let kuma = &settings.verify.kuma;
        let kuma = match &kuma.url {
            Some(url) => Some(KumaAddress {
                url: url.clone(),
                status_page: kuma.status_page.clone(),
                api_key: settings.secrets().kuma_api_key()?,
                poll: kuma.poll,
                timeout: kuma.timeout,
            }),
            None => None,
        };
        Ok(Config {
            repositories: BTreeMap::from([(settings.repository.name.clone(), repository)]),
            clusters: BTreeMap::from([(
                settings.repository.cluster.clone(),
                settings.kubernetes.url.clone(),
            )]),
            ci_timeout: settings.ci.timeout,
            cluster_timeout: settings.kubernetes.timeout,
            http_timeout: settings.verify.http_timeout,
            kuma,
            serial: settings.ci.turn == Turn::Serial,
            times: Times {
                ci_poll: settings.ci.poll,
                ci_appear_within: settings.ci.appear_within,
                interval: settings.verify.interval,
                observed_every: settings.verify.observed_every,
                unknown_limit: settings.verify.unknown_limit,
                monitor_interval: settings.verify.kuma.monitor_interval,
                monitor_wait: settings.verify.kuma.wait_at_most,
            },
            workers: WORKERS,
        })
    }
}
