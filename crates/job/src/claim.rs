use crate::{Command, Phase, Plan, State};

/// Something that only one upgrade may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Claim {
    /// One upgrade at a time per service.
    Slot {
        /// The repository.
        repository: String,
        /// The cluster.
        cluster: String,
        /// The service.
        service: String,
    },
    /// One backup Job at a time per `CronJob`.
    Backup {
        /// The cluster.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// The `CronJob`.
        cronjob: String,
    },
    /// One upgrade at a time between push and the end of CI.
    Turn {
        /// The repository.
        repository: String,
    },
}

impl Claim {
    /// The slot of an upgrade's service; none before the plan.
    #[must_use]
    pub fn slot(state: &State) -> Option<Claim> {
        state.plan.as_ref().map(|plan| Claim::Slot {
            repository: plan.repository.clone(),
            cluster: plan.cluster.clone(),
            service: plan.service.clone(),
        })
    }

    /// The backup target of an upgrade; none if no backup is planned.
    #[must_use]
    pub fn backup(state: &State) -> Option<Claim> {
        let plan = state.plan.as_ref()?;
        plan.backup.as_ref().map(|target| Claim::Backup {
            cluster: plan.cluster.clone(),
            namespace: target.namespace.clone(),
            cronjob: target.cronjob.clone(),
        })
    }

    /// The CI turn of an upgrade's repository.
    #[must_use]
    pub fn turn(state: &State) -> Claim {
        Claim::Turn {
            repository: state.request.repository.clone(),
        }
    }

    /// The claim's key in its bucket. Parts are escaped, so that no two claims share a key.
    #[must_use]
    pub fn key(&self) -> String {
        let (kind, parts) = match self {
            Claim::Slot {
                repository,
                cluster,
                service,
            } => ("slot", vec![repository, cluster, service]),
            Claim::Backup {
                cluster,
                namespace,
                cronjob,
            } => ("backup", vec![cluster, namespace, cronjob]),
            Claim::Turn { repository } => ("turn", vec![repository]),
        };
        let parts: Vec<&str> = parts.into_iter().map(String::as_str).collect();
        format!("{kind}.{}", key(&parts))
    }
}

/// The key under which a version that was rolled back is fenced off for the plan's service.
#[must_use]
pub fn fence(plan: &Plan, image: &str, version: &str) -> String {
    key(&[&plan.repository, &plan.service, image, version])
}

/// Joins names to one key of a bucket, so that different names never share a key.
#[must_use]
pub fn key(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| escaped(part)).collect();
    parts.join("/")
}

/// Keeps letters, digits and `-`; anything else becomes `_` and two hexadecimal digits.
fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            text.push(char::from(byte));
        } else {
            text.push('_');
            text.push_str(&hex::encode([byte]));
        }
    }
    text
}

/// Whether the upgrade still needs the claim, as holder or in its queue, at the given step.
///
/// A claim whose holder does not need it is free, whatever its record says: whoever meets it
/// removes it, so that a lost release cannot leak.
#[must_use]
pub fn needs(claim: &Claim, step: u32, state: &State) -> bool {
    match claim {
        Claim::Slot { .. } => Claim::slot(state).as_ref() == Some(claim) && needs_slot(state),
        Claim::Backup { .. } => {
            Claim::backup(state).as_ref() == Some(claim)
                && state.step == step
                // Also while it is cancelled: until that is answered its Job may still dump.
                && (state.phase == Phase::BackingUp
                    || state.command() == Some(Command::BeginBackup))
        }
        Claim::Turn { .. } => {
            Claim::turn(state) == *claim && state.step == step && needs_turn(state)
        }
    }
}

/// Whether the upgrade counts among those that change the cluster now, or is about to begin. What
/// waits for a person does not.
#[must_use]
pub fn in_flight(state: &State) -> bool {
    match state.phase {
        Phase::Planned | Phase::Approved => state.command() == Some(Command::TakeSlots),
        Phase::Requested
        | Phase::Held
        | Phase::Admitted
        | Phase::AwaitingApproval
        | Phase::Replanning
        | Phase::Stuck
        | Phase::Parked
        | Phase::Ended(_) => false,
        _ => true,
    }
}

/// From the queue until the end; what is stuck keeps its service closed.
fn needs_slot(state: &State) -> bool {
    match state.phase {
        Phase::Requested | Phase::Held | Phase::Admitted => false,
        // A new plan may need approval in the middle of the way: the service stays closed.
        Phase::AwaitingApproval => state.started,
        Phase::Planned => state.command() == Some(Command::TakeSlots),
        Phase::Ended(_) => false,
        _ => true,
    }
}

/// From its queue until CI has ended; a failed upgrade keeps it for its own revert.
fn needs_turn(state: &State) -> bool {
    match state.phase {
        Phase::BackingUp => state
            .backup
            .as_ref()
            .is_some_and(|backup| backup.keeps_turn),
        Phase::Started | Phase::Verified | Phase::BackedUp | Phase::SteppedBack => {
            state.command() == Some(Command::TakeTurn)
        }
        Phase::Ready
        | Phase::Baselined
        | Phase::Pushing
        | Phase::Pushed
        | Phase::RollbackRequested
        | Phase::Reverting => true,
        Phase::Reverted => !matches!(state.reverted, Some((None, _))),
        _ => false,
    }
}
