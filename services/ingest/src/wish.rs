//! What people can want of one upgrade. Pure: a wish and a state become a fact, a new attempt, or
//! a refusal that says what can be done instead.

use job::{Body, Cause, End, Fact, Phase, State};

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It may go on.
    Approve,
    /// It shall stop; what it has pushed is undone.
    Cancel,
    /// It shall go on where it stopped, or be tried again after its end.
    Retry,
    /// Every step of it shall be undone.
    Rollback,
    /// It is settled by hand, and this version is live.
    Resolve {
        /// As the person saw it.
        now_at: String,
    },
}

/// What a granted wish leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Granted {
    /// This fact is appended.
    Fact(Box<Body>),
    /// The next attempt is opened.
    Attempt,
}

impl Wish {
    /// One of each, for what can be done.
    fn all() -> [Wish; 5] {
        [
            Wish::Approve,
            Wish::Cancel,
            Wish::Retry,
            Wish::Rollback,
            Wish::Resolve {
                now_at: String::new(),
            },
        ]
    }

    /// As in a refusal: "cannot be …".
    fn participle(&self) -> &'static str {
        match self {
            Wish::Approve => "approved",
            Wish::Cancel => "cancelled",
            Wish::Retry => "retried",
            Wish::Rollback => "rolled back",
            Wish::Resolve { .. } => "resolved",
        }
    }

    /// What to type, and what it does.
    fn offer(&self, state: &State) -> String {
        let id = &state.id;
        let (command, effect) = match self {
            Wish::Approve => (format!("bowline approve {id}"), "lets it go on"),
            Wish::Cancel if state.pushed.is_some() => {
                (format!("bowline cancel {id}"), "undoes and ends it")
            }
            Wish::Cancel => (format!("bowline cancel {id}"), "stops it"),
            Wish::Retry if state.phase.is_end() => {
                (format!("bowline retry {id}"), "opens another attempt")
            }
            Wish::Retry => (
                format!("bowline retry {id}"),
                "lets it go on where it stopped",
            ),
            Wish::Rollback => (format!("bowline rollback {id}"), "undoes all of it"),
            Wish::Resolve { .. } => (
                format!("bowline resolve {id} --now-at TAG"),
                "ends it, with the version that you saw live",
            ),
        };
        format!("`{command}` {effect}")
    }

    /// Judges the wish against the state that the log folds to.
    ///
    /// # Errors
    /// A sentence: what state it is in, and what can be done instead.
    pub(crate) fn judge(&self, state: &State, by: &str) -> Result<Granted, String> {
        self.grant(state, by).ok_or_else(|| self.refusal(state))
    }

    fn grant(&self, state: &State, by: &str) -> Option<Granted> {
        let by = by.to_owned();
        let body = match self {
            Wish::Approve => Body::Approved { by },
            Wish::Cancel => Body::CancelRequested { by },
            Wish::Retry => match state.phase {
                Phase::Ended(End::Aborted | End::RolledBack | End::Cancelled | End::Skipped) => {
                    return Some(Granted::Attempt);
                }
                _ => Body::RetryRequested { by },
            },
            Wish::Rollback if state.phase == Phase::Ended(End::Succeeded) => {
                Body::RollbackRequested {
                    cause: Cause::Person,
                    evidence: format!("asked for by {by}"),
                }
            }
            // What is under way is undone by a cancel.
            Wish::Rollback => return None,
            Wish::Resolve { now_at } => Body::Resolved {
                to: now_at.clone(),
                by,
            },
        };
        let fact = Fact {
            id: String::new(),
            step: state.step,
            at_ms: state.since_ms,
            min_reader: Fact::READER,
            body,
        };
        let legal = job::step(&state.id, Some(state), &fact).is_ok();
        legal.then(|| Granted::Fact(Box::new(fact.body)))
    }

    fn refusal(&self, state: &State) -> String {
        let mut text = format!("upgrade {} cannot be {}: ", state.id, self.participle());
        text.push_str(&standing(state));
        let offers: Vec<String> = Wish::all()
            .iter()
            .filter(|wish| wish.grant(state, "").is_some())
            .map(|wish| wish.offer(state))
            .collect();
        text.push_str("; ");
        if offers.is_empty() {
            text.push_str(instead(state));
        } else {
            text.push_str(&offers.join(", "));
        }
        text
    }

    /// What happens now, after it was granted.
    pub(crate) fn answer(&self, state: &State) -> String {
        match self {
            Wish::Approve => "it is approved, and waits for its service's slot".to_owned(),
            Wish::Cancel if state.pushed.is_some() || state.phase == Phase::Pushing => format!(
                "what it has pushed is taken back to {} and watched; what cannot land any more is \
                 dropped",
                state.undo_to()
            ),
            Wish::Cancel => "nothing of the step is pushed; it ends as cancelled".to_owned(),
            Wish::Retry if state.facts == 1 => format!(
                "attempt {} is open as {}; a version that was rolled back before is allowed",
                state.request.attempt, state.id
            ),
            Wish::Retry => "it goes on where it stopped".to_owned(),
            Wish::Rollback => format!(
                "all of it is taken back to {} as one commit, and watched",
                state.undo_to()
            ),
            Wish::Resolve { now_at } => {
                format!("it is over at {now_at}, and its service is open again")
            }
        }
    }
}

/// What can be done where no wish can be granted.
fn instead(state: &State) -> &'static str {
    match state.phase {
        Phase::Ended(_) => "`bowline upgrade IMAGE TAG` asks for a version anew",
        phase if phase.is_undo() => "an undo goes on until it is verified or a person is needed",
        _ if state.pending.is_some() => "the cancel is answered as soon as it is safe",
        _ => "it goes on by itself",
    }
}

/// Where it stands, in words.
fn standing(state: &State) -> String {
    if state.pending.is_some() {
        return "a cancel of it is waiting to be answered".to_owned();
    }
    let because = |what: &str| match state.outcome.lines().next() {
        Some(why) if !why.is_empty() => format!("{what} ({})", short(why)),
        _ => what.to_owned(),
    };
    match state.phase {
        Phase::Requested => "it was only asked for".to_owned(),
        Phase::Held => "it waits for the rate window".to_owned(),
        Phase::Admitted | Phase::Replanning => "it is being planned".to_owned(),
        Phase::AwaitingApproval => "it awaits approval".to_owned(),
        Phase::Planned | Phase::Approved => "it waits for its service's slot".to_owned(),
        Phase::Started | Phase::BackingUp => "it has started, and is before its push".to_owned(),
        Phase::BackedUp
        | Phase::SteppedBack
        | Phase::Ready
        | Phase::Baselined
        | Phase::Verified => "it is before the push of a step".to_owned(),
        Phase::Pushing => "it is being pushed".to_owned(),
        Phase::Pushed => "it is pushed, and CI runs".to_owned(),
        Phase::CiPassed | Phase::CiAbsent => "it is pushed, and being applied".to_owned(),
        Phase::Watching => "it is live, and being watched".to_owned(),
        phase if phase.is_undo() => "it is being undone".to_owned(),
        Phase::Stuck => because("it is stuck"),
        Phase::Parked => because("it is set aside"),
        Phase::Ended(End::Succeeded) => "it has succeeded".to_owned(),
        Phase::Ended(End::Skipped) => because("it was skipped"),
        Phase::Ended(End::Aborted) => because("it was aborted"),
        Phase::Ended(End::RolledBack) => format!("it was rolled back to {}", state.live()),
        Phase::Ended(End::Cancelled) => "it was cancelled".to_owned(),
        Phase::Ended(End::Superseded) => "a newer one took its place".to_owned(),
        Phase::Ended(End::Split) => "it became several upgrades".to_owned(),
        Phase::Ended(End::Resolved) => "a person has settled it".to_owned(),
        other => format!("it is {other:?}"),
    }
}

fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(200).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Why another upgrade stands against undoing `mine`, which has succeeded; none if it does not.
///
/// What the other has changed on the same service is either newer, and would be lost, or under way.
pub(crate) fn against_rollback(mine: &State, other: &State) -> Option<String> {
    let service = |state: &State| state.plan.as_ref().map(|plan| plan.service.clone());
    let same_image = mine.request.repository == other.request.repository
        && mine.request.image == other.request.image;
    let same_service = mine.request.repository == other.request.repository
        && service(mine).is_some()
        && service(mine) == service(other);
    if mine.id == other.id || !(same_service || same_image) {
        return None;
    }
    let id = &other.id;
    if !other.phase.is_end() {
        return Some(format!(
            "upgrade {id} of the same service to {} is open; cancel it first with \
             `bowline cancel {id}`",
            other.request.tag
        ));
    }
    let since = other.since_ms >= mine.since_ms;
    (same_image && other.started && since && other.live() != mine.live()).then(|| {
        format!(
            "{} is live since upgrade {id}, so there is nothing of this one to undo; \
             `bowline rollback {id}` undoes that one first, if it has succeeded",
            other.live()
        )
    })
}

/// Whether a text can be a version that somebody saw live.
pub(crate) fn is_plausible(tag: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(&byte);
    tag.len() <= 128
        && tag.bytes().all(legal)
        && tag.bytes().any(|byte| byte.is_ascii_digit())
        && !tag.starts_with(['.', '-', '+'])
}

#[cfg(test)]
pub(crate) mod sample {
    use job::{Level, Limits, Plan, PlanStep, Policy, Risk, Windows};

    /// A plan of one step for `app`.
    pub(crate) fn plan() -> Plan {
        Plan {
            service: "app".to_owned(),
            repository: "acme/infra".to_owned(),
            cluster: "default".to_owned(),
            from: "1.0.0".to_owned(),
            from_app: None,
            head: "b".to_owned(),
            steps: vec![PlanStep {
                to: "1.0.1".to_owned(),
                app: None,
                sites: Vec::new(),
            }],
            targets: Vec::new(),
            monitors: None,
            risk: Risk {
                level: Level::Safe,
                reasons: Vec::new(),
                excerpts: Vec::new(),
            },
            backup: None,
            windows: Windows {
                forward_seconds: 1,
                undo_seconds: 1,
            },
            limits: Limits {
                ci_patience_seconds: 1,
                settle_seconds: 1,
                backup_seconds: 1,
                backup_max_age_seconds: 1,
            },
            policy: Policy::default(),
            summary: String::new(),
            releases: 1,
            source_url: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use job::{Pending, Plan, Request, Source, Stopped, UpgradeId};

    use super::sample::plan;
    use super::*;

    /// An upgrade of a service in a phase that it could be in.
    fn state(service: &str, image: &str, tag: &str, phase: Phase) -> State {
        let request = Request {
            repository: "acme/infra".to_owned(),
            image: image.to_owned(),
            tag: tag.to_owned(),
            chart: false,
            digest: None,
            status: "new".to_owned(),
            source: Source::Diun,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
            by: String::new(),
        };
        let id = UpgradeId::derive("test", "acme/infra", image, tag, 1);
        let opening = Fact {
            id: String::new(),
            step: 0,
            at_ms: 1_000,
            min_reader: 1,
            body: Body::Requested(request),
        };
        let opened = job::fold(&id, [&opening]).unwrap().unwrap();
        let planned = !matches!(phase, Phase::Requested | Phase::Held | Phase::Admitted);
        let stopped = matches!(phase, Phase::Stuck | Phase::Parked).then(|| Stopped {
            phase: Phase::Watching,
            why: "not applied".to_owned(),
        });
        State {
            phase,
            step: u32::from(planned),
            plan: planned.then(|| Plan {
                service: service.to_owned(),
                ..plan()
            }),
            outcome: stopped
                .as_ref()
                .map_or_else(String::new, |stopped| stopped.why.clone()),
            stopped,
            started: planned,
            ..opened
        }
    }

    /// Per phase, who is heard: approve, cancel, retry (`+` for another attempt), rollback, resolve.
    #[test]
    fn every_phase_hears_what_can_be_done_in_it() {
        for phase in Phase::ALL {
            let state = state("app", "a/b", "1.0.1", phase);
            let heard: String = Wish::all()
                .iter()
                .zip("acrbs".chars())
                .map(|(wish, letter)| match wish.judge(&state, "alice") {
                    Ok(Granted::Fact(_)) => letter,
                    Ok(Granted::Attempt) => '+',
                    Err(_) => '-',
                })
                .collect();
            let expected = match phase {
                Phase::AwaitingApproval => "ac---",
                Phase::Stuck | Phase::Parked => "--r-s",
                Phase::Ended(End::Succeeded) => "---b-",
                Phase::Ended(End::Aborted | End::RolledBack | End::Cancelled | End::Skipped) => {
                    "--+--"
                }
                Phase::Ended(End::Superseded | End::Split | End::Resolved) => "-----",
                phase if phase.is_undo() => "-----",
                _ => "-c---",
            };
            assert_eq!(heard, expected, "{phase:?}");
        }
    }

    #[test]
    fn a_refusal_says_where_it_stands_and_what_can_be_done() {
        let id = state("app", "a/b", "1.0.1", Phase::Held).id;
        let check = |wish: &Wish, phase, expected: &str| {
            let state = state("app", "a/b", "1.0.1", phase);
            assert_eq!(wish.judge(&state, "alice").unwrap_err(), expected);
        };
        check(
            &Wish::Cancel,
            Phase::Stuck,
            &format!(
                "upgrade {id} cannot be cancelled: it is stuck (not applied); `bowline retry {id}` \
                 lets it go on where it stopped, `bowline resolve {id} --now-at TAG` ends it, with \
                 the version that you saw live"
            ),
        );
        check(
            &Wish::Approve,
            Phase::Watching,
            &format!(
                "upgrade {id} cannot be approved: it is live, and being watched; `bowline cancel \
                 {id}` stops it"
            ),
        );
        check(
            &Wish::Rollback,
            Phase::Reverting,
            &format!(
                "upgrade {id} cannot be rolled back: it is being undone; an undo goes on until it \
                 is verified or a person is needed"
            ),
        );
        check(
            &Wish::Retry,
            Phase::Ended(End::Superseded),
            &format!(
                "upgrade {id} cannot be retried: a newer one took its place; `bowline upgrade IMAGE \
                 TAG` asks for a version anew"
            ),
        );
        let waiting = State {
            pending: Some(Pending::Cancel("bob".to_owned())),
            ..state("app", "a/b", "1.0.1", Phase::Watching)
        };
        let again = Wish::Cancel.judge(&waiting, "alice").unwrap_err();
        assert!(again.contains("a cancel of it is waiting"), "{again}");
    }

    #[test]
    fn what_stands_against_a_rollback() {
        let succeeded = Phase::Ended(End::Succeeded);
        let mine = State {
            settled: Some("1.0.1".to_owned()),
            since_ms: 5_000,
            ..state("app", "a/b", "1.0.1", succeeded)
        };
        let other = |service: &str, image: &str, phase, since_ms, live: &str| State {
            settled: Some(live.to_owned()),
            since_ms,
            ..state(service, image, "1.0.2", phase)
        };
        let against = |other: &State| against_rollback(&mine, other);
        assert_eq!(against(&mine), None, "itself");
        // Open: of the service, or of the image while no plan names the service.
        assert!(against(&other("app", "a/b", Phase::Watching, 6_000, "1.0.1")).is_some());
        assert!(against(&other("app", "c/d", Phase::Watching, 6_000, "7")).is_some());
        assert!(against(&other("", "a/b", Phase::Held, 4_000, "")).is_some());
        assert!(against(&other("app", "a/b", Phase::Stuck, 6_000, "1.0.1")).is_some());
        assert_eq!(
            against(&other("web", "c/d", Phase::Watching, 6_000, "7")),
            None
        );
        // Over: only what has moved the same image since.
        let newer = against(&other("app", "a/b", succeeded, 6_000, "1.0.2")).unwrap();
        assert!(newer.contains("1.0.2 is live since"), "{newer}");
        assert_eq!(
            against(&other("app", "a/b", succeeded, 4_000, "1.0.0")),
            None
        );
        assert_eq!(against(&other("app", "c/d", succeeded, 6_000, "7")), None);
        let undone = other("app", "a/b", Phase::Ended(End::RolledBack), 6_000, "1.0.1");
        assert_eq!(against(&undone), None);
    }

    #[test]
    fn a_live_version_looks_like_one() {
        for good in [
            "1.0.1",
            "v2",
            "2024-01-31",
            "RELEASE.2024",
            "4.6.3-r1",
            "a1b2c3",
        ] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in [
            "",
            "latest",
            "1.0 1",
            "1;2",
            "-1",
            ".5",
            "1\n2",
            "a/b:1",
            &"1".repeat(129),
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
