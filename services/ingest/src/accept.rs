//! From a wanted version to an open upgrade; the same request twice is one upgrade.

use bus::{AppendError, History, Log, Unavailable};
use job::{Body, End, Phase, Request, SkipReason, Source, Transience, UpgradeId};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It opened this upgrade.
    Opened(UpgradeId),
    /// This upgrade answers it already.
    Duplicate(UpgradeId, String),
    /// It is refused because of how this upgrade ended.
    Refused(UpgradeId, String),
}

/// Whether the end of an attempt lets this request open the next one.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Attempt,
    Duplicate(String),
    Refused(String),
}

/// Opens an upgrade, or finds the one that is open.
///
/// # Errors
/// [`Unavailable`] if the log cannot be read or written now; nothing was accepted.
pub async fn accept(
    log: &dyn Log,
    instance: &str,
    request: &Request,
) -> Result<Decision, Unavailable> {
    let mut request = request.clone();
    request.attempt = 1;
    loop {
        let id = UpgradeId::derive(
            instance,
            &request.repository,
            &request.image,
            &request.tag,
            request.attempt,
        );
        let next = match log.read(&id).await? {
            Some(history) => next(&history, &request),
            None if log.archived(&id).await?.is_some() => Next::Attempt,
            None => match log
                .append(&id, None, Body::Requested(request.clone()))
                .await
            {
                Ok(_) => return Ok(Decision::Opened(id)),
                // Another replica opened it in between: look again.
                Err(AppendError::Conflict) => continue,
                Err(AppendError::Unavailable(error)) => return Err(error),
                Err(AppendError::Illegal(illegal)) => {
                    return Err(Unavailable::because(
                        format!("failed to open upgrade {id}"),
                        illegal,
                    ));
                }
            },
        };
        match next {
            Next::Attempt => request.attempt += 1,
            Next::Duplicate(why) => return Ok(Decision::Duplicate(id, why)),
            Next::Refused(why) => return Ok(Decision::Refused(id, why)),
        }
    }
}

fn next(history: &History, request: &Request) -> Next {
    let id = &history.id;
    let Phase::Ended(end) = history.state.phase else {
        return Next::Duplicate(format!("upgrade {id} to this version is open already"));
    };
    let person = request.source == Source::Person;
    // Who names no digest says nothing about it.
    let other_digest = matches!(
        (&history.state.request.digest, &request.digest),
        (Some(before), Some(now)) if before != now
    );
    let last = history.entries.last().map(|entry| &entry.fact.body);
    match end {
        End::Superseded | End::Split => Next::Attempt,
        End::Succeeded | End::Resolved if other_digest || person => Next::Attempt,
        End::Succeeded | End::Resolved => {
            Next::Duplicate(format!("upgrade {id} to this version is done"))
        }
        End::RolledBack if person => Next::Attempt,
        End::RolledBack => Next::Refused(format!(
            "upgrade {id} to this version was rolled back; if it is to be tried again, ask for it with `bowline upgrade`"
        )),
        End::Cancelled if person => Next::Attempt,
        End::Cancelled => Next::Refused(format!("a person cancelled upgrade {id} to this version")),
        End::Aborted => match last {
            Some(Body::Aborted {
                transience: Transience::Transient,
                ..
            }) => Next::Attempt,
            _ if person || other_digest => Next::Attempt,
            _ => Next::Refused(format!(
                "upgrade {id} to this version was aborted ({}); mend that and ask for it again",
                history.state.outcome
            )),
        },
        End::Skipped => match last {
            Some(Body::Skipped(SkipReason::AlreadyThere | SkipReason::SameTagRebuilt))
                if !person && !other_digest =>
            {
                Next::Duplicate(format!("upgrade {id} found this version in place"))
            }
            _ => Next::Attempt,
        },
    }
}

#[cfg(test)]
mod tests {
    use bus::Entry;
    use job::{Fact, Owner, State};

    use super::*;

    fn request(source: Source, digest: Option<&str>) -> Request {
        Request {
            repository: "acme/infra".to_owned(),
            image: "docker.io/a/b".to_owned(),
            tag: "1.0.1".to_owned(),
            chart: false,
            digest: digest.map(str::to_owned),
            status: "new".to_owned(),
            source,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
        }
    }

    /// An upgrade with digest `a` that stands in `phase` after `last`.
    fn history(phase: Phase, last: Body) -> History {
        let id = UpgradeId::derive("test", "acme/infra", "docker.io/a/b", "1.0.1", 1);
        let entry = |n, body| Entry {
            sequence: n,
            n,
            next: Owner::None,
            fact: Fact {
                id: n.to_string(),
                step: 0,
                at_ms: 1,
                min_reader: 1,
                body,
            },
        };
        let opening = entry(1, Body::Requested(request(Source::Diun, Some("a"))));
        let state = job::fold(&id, [&opening.fact])
            .expect("legal")
            .expect("a state");
        History {
            id,
            state: State { phase, ..state },
            entries: vec![opening, entry(2, last)],
        }
    }

    #[test]
    fn the_end_of_an_attempt_decides_on_the_next_one() {
        let aborted = |transience| Body::Aborted {
            at: String::new(),
            why: "no".to_owned(),
            transience,
        };
        let text = String::new;
        let succeeded = Body::Succeeded { report: text() };
        let rolled_back = Body::RolledBack {
            to: text(),
            report: text(),
        };
        let cancelled = Body::Cancelled { at: text() };
        let superseded = Body::Superseded { by: text() };
        let resolved = Body::Resolved {
            to: text(),
            by: text(),
        };
        let split = Body::Split { children: vec![] };
        let skipped = |reason| (Phase::Ended(End::Skipped), Body::Skipped(reason));
        let ended = |end, body| (Phase::Ended(end), body);
        // Per row: the same webhook again, a person, another digest, a webhook without digest.
        let table = [
            ((Phase::Requested, Body::Nudged), "DDDD"),
            ((Phase::Held, Body::Held), "DDDD"),
            ((Phase::Watching, Body::Nudged), "DDDD"),
            ((Phase::Stuck, Body::Stuck(text())), "DDDD"),
            ((Phase::Parked, Body::Parked(text())), "DDDD"),
            (ended(End::Succeeded, succeeded), "DAAD"),
            (ended(End::Resolved, resolved), "DAAD"),
            (ended(End::RolledBack, rolled_back), "RARR"),
            (ended(End::Cancelled, cancelled), "RARR"),
            (ended(End::Superseded, superseded), "AAAA"),
            (ended(End::Split, split), "AAAA"),
            (ended(End::Aborted, aborted(Transience::Transient)), "AAAA"),
            (ended(End::Aborted, aborted(Transience::Lasting)), "RAAR"),
            (skipped(SkipReason::NotFound), "AAAA"),
            (skipped(SkipReason::Observe(text())), "AAAA"),
            (skipped(SkipReason::Refused(text())), "AAAA"),
            (skipped(SkipReason::Fenced(text())), "AAAA"),
            (skipped(SkipReason::SeveralServices(vec![])), "AAAA"),
            (skipped(SkipReason::AlreadyThere), "DAAD"),
            (skipped(SkipReason::SameTagRebuilt), "DAAD"),
        ];
        let askers = [
            request(Source::Diun, Some("a")),
            request(Source::Person, None),
            request(Source::Diun, Some("b")),
            request(Source::DiunEntry, None),
        ];
        for ((phase, last), expected) in table {
            let history = history(phase, last.clone());
            let found: String = askers
                .iter()
                .map(|asker| match next(&history, asker) {
                    Next::Attempt => 'A',
                    Next::Duplicate(_) => 'D',
                    Next::Refused(_) => 'R',
                })
                .collect();
            assert_eq!(found, expected, "{phase:?} after {last:?}");
        }
    }
}
