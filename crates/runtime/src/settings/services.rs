//! What is special about single services.

use std::time::Duration;

use serde::Deserialize;

use super::Mode;

/// What is special about one service; what is not said is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Where it answers over HTTP; else its ingress host is asked.
    pub url: Option<String>,
    /// How its database is backed up; without it the service has none.
    pub backup: Option<BackupTarget>,
    /// Whether it goes through every version.
    pub always_step: Option<bool>,
    /// Its own mode.
    pub mode: Option<Mode>,
    /// Whether it may be touched at all.
    pub allow: bool,
    /// Its monitors in Uptime Kuma, by name; else those of its name or of its hosts. An empty list
    /// says that it has none.
    pub monitors: Option<Vec<String>>,
    /// HTTP checks of it accept a certificate that nobody vouches for.
    pub insecure_tls: Option<bool>,
    /// How long the cluster may take to show it well: its own `verify.settle`.
    #[serde(with = "humantime_serde")]
    pub settle: Option<Duration>,
    /// Whether much depends on it: it is upgraded while nothing else is.
    pub critical: Option<bool>,
    /// Whether a person has to approve each of its upgrades; what is critical needs that by default.
    pub approval: Option<bool>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            url: None,
            backup: None,
            always_step: None,
            mode: None,
            allow: true,
            monitors: None,
            insecure_tls: None,
            settle: None,
            critical: None,
            approval: None,
        }
    }
}

/// The database of a service, and the `CronJob` whose Job backs it up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTarget {
    /// The kind of database.
    pub engine: Engine,
    /// Its name in there; empty when the whole server is the service's own.
    #[serde(default)]
    pub database: String,
    /// The namespace of the `CronJob`; by default the service's own.
    pub namespace: Option<String>,
    /// The `CronJob`; by default `postgresql-backup` or `mysql-backup`, after the engine.
    pub cronjob: Option<String>,
}

impl BackupTarget {
    /// The `CronJob`, or the one that follows from the engine.
    #[must_use]
    pub fn cronjob_or_default(&self) -> String {
        self.cronjob
            .clone()
            .unwrap_or_else(|| format!("{}-backup", self.engine.as_str()))
    }
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MySQL, or what speaks like it.
    Mysql,
}

impl Engine {
    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Postgresql => "postgresql",
            Engine::Mysql => "mysql",
        }
    }
}
