//! Controls: what people have set beside the log. A pause keeps upgrades from starting and pushing;
//! an override changes the rate window above the configuration.

use job::State;
use serde::{Deserialize, Serialize};

use crate::{Bucket, Log, PutError, Unavailable, WindowSettings};

/// How often a value that others change at the same time is read again.
const ATTEMPTS: usize = 50;
const PAUSES: &str = "pause/";
const LIMITS: &str = "limits/";

/// Whom a pause holds back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    All,
    /// A repository.
    Repository(String),
    /// A service of a repository.
    Service {
        /// The repository.
        repository: String,
        /// The service.
        service: String,
    },
}

impl Scope {
    fn key(&self) -> String {
        let rest = match self {
            Scope::All => "all".to_owned(),
            Scope::Repository(repository) => format!("repository/{}", job::key(&[repository])),
            Scope::Service {
                repository,
                service,
            } => format!("service/{}", job::key(&[repository, service])),
        };
        format!("{PAUSES}{rest}")
    }

    /// Whether the upgrade is within the scope; before the plan it has no service.
    #[must_use]
    pub fn covers(&self, state: &State) -> bool {
        match self {
            Scope::All => true,
            Scope::Repository(repository) => *repository == state.request.repository,
            Scope::Service {
                repository,
                service,
            } => {
                *repository == state.request.repository
                    && state
                        .plan
                        .as_ref()
                        .is_some_and(|plan| plan.service == *service)
            }
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Repository(repository) => write!(f, "repository {repository}"),
            Scope::Service { service, .. } => write!(f, "service {service}"),
        }
    }
}

/// A pause that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Whom it holds back.
    pub scope: Scope,
    /// Who asked for it.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl std::fmt::Display for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "paused by {}", self.by)?;
        if self.why.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.why)
        }
    }
}

/// Pauses a scope; one that is paused already gets the new name and reason.
///
/// # Errors
/// [`Unavailable`] if it cannot be read or written.
pub async fn pause(log: &dyn Log, pause: &Pause) -> Result<(), Unavailable> {
    write(log, &pause.scope.key(), pause).await
}

/// Ends the pause of exactly this scope; whether there was one.
///
/// # Errors
/// [`Unavailable`] if it cannot be read or written.
pub async fn resume(log: &dyn Log, scope: &Scope) -> Result<bool, Unavailable> {
    remove(log, &scope.key()).await
}

/// Every pause that is in force, the widest scope first.
///
/// # Errors
/// [`Unavailable`] if they cannot be read. Nobody may go on then: one of them may hold.
pub async fn pauses(log: &dyn Log) -> Result<Vec<Pause>, Unavailable> {
    let mut found = Vec::new();
    for (key, bytes) in log.list(Bucket::Controls).await? {
        if key.starts_with(PAUSES) {
            found.push(read(&key, &bytes)?);
        }
    }
    found.sort_by_cached_key(|pause: &Pause| {
        let width = match pause.scope {
            Scope::All => 0,
            Scope::Repository(_) => 1,
            Scope::Service { .. } => 2,
        };
        (width, pause.scope.to_string())
    });
    Ok(found)
}

/// The pause that holds the upgrade back, if there is one.
///
/// # Errors
/// As [`pauses`].
pub async fn paused(log: &dyn Log, state: &State) -> Result<Option<Pause>, Unavailable> {
    let pauses = pauses(log).await?;
    Ok(pauses.into_iter().find(|pause| pause.scope.covers(state)))
}

/// Limits that a person has set above the configuration; what is unset is as configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Admitted in one window at most.
    pub max: Option<usize>,
    /// The window's length, in seconds.
    pub window_seconds: Option<u64>,
}

impl Limits {
    /// The configured limits under these.
    #[must_use]
    pub fn over(self, configured: WindowSettings) -> WindowSettings {
        WindowSettings {
            max: self.max.unwrap_or(configured.max),
            length: self
                .window_seconds
                .map_or(configured.length, std::time::Duration::from_secs),
        }
    }
}

/// What was set for the repository.
///
/// # Errors
/// [`Unavailable`] if it cannot be read.
pub async fn limits(log: &dyn Log, repository: &str) -> Result<Limits, Unavailable> {
    let key = limits_key(repository);
    match log.get(Bucket::Controls, &key).await? {
        None => Ok(Limits::default()),
        Some((_, bytes)) => read(&key, &bytes),
    }
}

/// Sets limits of the repository; what is unset stays as it is.
///
/// # Errors
/// [`Unavailable`] if it cannot be read or written.
pub async fn set_limits(
    log: &dyn Log,
    repository: &str,
    wanted: Limits,
) -> Result<(), Unavailable> {
    let key = limits_key(repository);
    for _ in 0..ATTEMPTS {
        let (revision, before) = match log.get(Bucket::Controls, &key).await? {
            None => (0, Limits::default()),
            Some((revision, bytes)) => (revision, read(&key, &bytes)?),
        };
        let after = Limits {
            max: wanted.max.or(before.max),
            window_seconds: wanted.window_seconds.or(before.window_seconds),
        };
        if after == before || put(log, &key, revision, &after).await? {
            return Ok(());
        }
    }
    Err(busy(&key))
}

/// Back to what is configured.
///
/// # Errors
/// [`Unavailable`] if it cannot be read or written.
pub async fn forget_limits(log: &dyn Log, repository: &str) -> Result<(), Unavailable> {
    remove(log, &limits_key(repository)).await.map(|_was| ())
}

fn limits_key(repository: &str) -> String {
    format!("{LIMITS}{}", job::key(&[repository]))
}

fn read<T: for<'a> Deserialize<'a>>(key: &str, bytes: &[u8]) -> Result<T, Unavailable> {
    serde_json::from_slice(bytes)
        .map_err(|error| Unavailable::because(format!("the control {key} cannot be read"), error))
}

async fn write(log: &dyn Log, key: &str, value: &impl Serialize) -> Result<(), Unavailable> {
    for _ in 0..ATTEMPTS {
        let revision = log
            .get(Bucket::Controls, key)
            .await?
            .map_or(0, |(revision, _)| revision);
        if put(log, key, revision, value).await? {
            return Ok(());
        }
    }
    Err(busy(key))
}

/// False if another was faster.
async fn put(
    log: &dyn Log,
    key: &str,
    revision: u64,
    value: &impl Serialize,
) -> Result<bool, Unavailable> {
    let bytes = serde_json::to_vec(value).map_err(|error| {
        Unavailable::because(format!("the control {key} cannot be written"), error)
    })?;
    match log.put(Bucket::Controls, key, revision, &bytes).await {
        Ok(_revision) => Ok(true),
        Err(PutError::Conflict) => Ok(false),
        Err(PutError::Unavailable(error)) => Err(error),
    }
}

/// Whether there was something.
async fn remove(log: &dyn Log, key: &str) -> Result<bool, Unavailable> {
    for _ in 0..ATTEMPTS {
        let Some((revision, _)) = log.get(Bucket::Controls, key).await? else {
            return Ok(false);
        };
        match log.delete(Bucket::Controls, key, revision).await {
            Ok(()) => return Ok(true),
            Err(PutError::Conflict) => {}
            Err(PutError::Unavailable(error)) => return Err(error),
        }
    }
    Err(busy(key))
}

fn busy(key: &str) -> Unavailable {
    Unavailable::new(format!("the control {key} is changed too often"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample::{id, planned, requested};

    fn state(service: Option<&str>) -> State {
        let bodies = [
            Some(requested("7")),
            service.map(|service| planned(service, "7")),
        ];
        let admitted = service.map(|_| job::Body::Admitted);
        let [opening, plan] = bodies;
        let facts: Vec<job::Fact> = [opening, admitted, plan]
            .into_iter()
            .flatten()
            .map(|body| job::Fact {
                id: String::new(),
                step: 0,
                at_ms: 1,
                min_reader: 1,
                body,
            })
            .collect();
        job::fold(&id("7"), &facts).unwrap().unwrap()
    }

    #[test]
    fn a_scope_covers_what_it_names() {
        let service = |repository: &str, service: &str| Scope::Service {
            repository: repository.to_owned(),
            service: service.to_owned(),
        };
        let repository = |name: &str| Scope::Repository(name.to_owned());
        let (planned, new) = (state(Some("redis")), state(None));
        for (scope, covers) in [
            (Scope::All, (true, true)),
            (repository("infra"), (true, true)),
            (repository("other"), (false, false)),
            (service("infra", "redis"), (true, false)),
            (service("infra", "web"), (false, false)),
            (service("other", "redis"), (false, false)),
        ] {
            let found = (scope.covers(&planned), scope.covers(&new));
            assert_eq!(found, covers, "{scope}");
        }
    }

    #[test]
    fn no_two_scopes_share_a_key() {
        let repository = |name: &str| Scope::Repository(name.to_owned());
        let service = |repository: &str, service: &str| Scope::Service {
            repository: repository.to_owned(),
            service: service.to_owned(),
        };
        let scopes = [
            Scope::All,
            repository("all"),
            repository("a/b"),
            repository("a_2fb"),
            service("a", "b"),
            service("a/b", "c"),
            service("a", "b/c"),
        ];
        let keys: std::collections::HashSet<String> = scopes.iter().map(Scope::key).collect();
        assert_eq!(keys.len(), scopes.len(), "{keys:?}");
    }

    #[test]
    fn what_is_unset_stays_as_configured() {
        let configured = WindowSettings {
            max: 5,
            length: std::time::Duration::from_secs(60),
        };
        assert_eq!(Limits::default().over(configured), configured);
        let max = Limits {
            max: Some(9),
            window_seconds: None,
        };
        assert_eq!(max.over(configured).max, 9);
        assert_eq!(max.over(configured).length, configured.length);
    }
}
