//! What is special about single services.

use std::collections::BTreeMap;
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
    /// What has to change in its settings together with its version.
    pub changes: Vec<Change>,
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
            changes: Vec::new(),
        }
    }
}

/// Settings of the containers that run the upgraded image, which change in the same commit as the
/// version, and are undone with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Due with the first version that is this one or newer.
    pub to: String,
    /// Only for an upgrade from this version or a newer one; else from any.
    pub from: Option<String>,
    /// Variables of the environment that bear another name, from the old name to the new.
    pub rename_env: BTreeMap<String, String>,
    /// Variables that are set to this value unless they are set.
    pub set_env: BTreeMap<String, String>,
    /// The memory limit is raised to this, if it is lower.
    pub memory: Option<String>,
}

impl Change {
    /// What is wrong with it: the key below it, and why.
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut add = |key: &str, why: &str| faults.push((key.to_owned(), why.to_owned()));
        if self.to.is_empty() {
            add(
                "to",
                "is empty: the version with which the change is due is needed",
            );
        }
        if self.rename_env.is_empty() && self.set_env.is_empty() && self.memory.is_none() {
            add(
                "to",
                "stands alone: one of rename_env, set_env and memory is needed",
            );
        }
        let renamed = self.rename_env.iter().flat_map(|(from, to)| [from, to]);
        for name in renamed.filter(|name| !is_variable(name)) {
            add("rename_env", &format!("`{name}` is no name of a variable"));
        }
        for (name, value) in &self.set_env {
            if !is_variable(name) {
                add("set_env", &format!("`{name}` is no name of a variable"));
            }
            let special = value.contains(['"', '\\', '\n', '\r', '\0']);
            if special || value.contains("${") || value.contains("%{") {
                add(
                    &format!("set_env.{name}"),
                    "holds a quote, a backslash, a line break or an interpolation, which cannot be \
                     written into Terraform as it is",
                );
            }
        }
        if self
            .memory
            .as_deref()
            .is_some_and(|limit| !is_memory(limit))
        {
            add("memory", "is no quantity such as 2Gi or 512Mi");
        }
        faults
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn is_memory(limit: &str) -> bool {
    let number = limit.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let units = ["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];
    number.parse::<u64>().is_ok_and(|number| number > 0)
        && limit
            .strip_prefix(number)
            .is_some_and(|unit| units.contains(&unit))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let change: Change = toml::from_str(text).unwrap();
        let faults = change.faults().into_iter();
        faults.map(|(key, why)| format!("{key} {why}")).collect()
    }

    #[test]
    fn a_change_says_when_and_what_in_what_can_be_written() {
        for text in [
            "to = '2.20.0'\nmemory = '2Gi'",
            "to = '2'\nfrom = '1'\nrename_env = { OLD = 'NEW_1' }",
            "to = '2'\nset_env = { A = 'größer: 1, 2' }",
        ] {
            assert_eq!(faults(text), [""; 0], "{text}");
        }
        for (text, key) in [
            ("memory = '2Gi'", "to is empty"),
            ("to = '2'", "to stands alone"),
            ("to = '2'\nmemory = '2 GB'", "memory"),
            ("to = '2'\nmemory = 'Gi'", "memory"),
            ("to = '2'\nrename_env = { 'A B' = 'C' }", "rename_env"),
            ("to = '2'\nset_env = { '1A' = 'C' }", "set_env"),
            ("to = '2'\nset_env = { A = 'x${y}' }", "set_env.A"),
            ("to = '2'\nset_env = { A = \"x\\\"y\" }", "set_env.A"),
        ] {
            let found = faults(text);
            assert!(
                found.len() == 1 && found[0].starts_with(key),
                "{text}: {found:?}"
            );
        }
    }
}
