//! What is special about single services.

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
}

impl Default for Service {
    fn default() -> Self {
        Self {
            url: None,
            backup: None,
            always_step: None,
            mode: None,
            allow: true,
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

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MySQL, or what speaks like it.
    Mysql,
}
