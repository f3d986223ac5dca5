//! From a wanted version to an open upgrade; the same request twice is one upgrade.

use bus::{AppendError, History, Log, Unavailable};
use job::{Body, End, Request, Source, UpgradeId};
use tracing::Instrument as _;

use crate::archive::{self, Ended};
use crate::view;

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
    Duplicate(UpgradeId, String),
    Refused(UpgradeId, String),
}

/// The newest attempt at a version.
struct Newest {
    id: UpgradeId,
    /// None while it is open.
    ended: Option<Ended>,
    /// What it was split into.
    children: Vec<String>,
}

/// Opens an upgrade, or finds the one that is open.
///
/// A request that was kept since `received_ms` may come once more after it was accepted. It does
/// not open a second upgrade then, however the first one may have ended.
///
/// # Errors
/// [`Unavailable`] if the log cannot be read or written now; nothing was accepted.
pub async fn accept(
    log: &dyn Log,
    instance: &str,
    request: &Request,
    received_ms: Option<i64>,
) -> Result<Decision, Unavailable> {
    let mut request = request.clone();
    request.attempt = 1;
    let mut newest: Option<Newest> = None;
    loop {
        let id = request.id(instance);
        let (ended, children) = match log.read(&id).await? {
            Some(history) if opened_for(&history, &request, received_ms) => {
                let why = format!("upgrade {id} was opened for this request");
                return Ok(Decision::Duplicate(id, why));
            }
            Some(history) => (Ended::of(&history), view::split_into(&history.entries)),
            None => match archive::summary(log, &id).await? {
                Some(summary) => (Some(summary.end), Vec::new()),
                None => {
                    // Nobody has made this attempt: the one before it says whether it may be made.
                    let verdict = match newest.take() {
                        None => Next::Attempt,
                        Some(newest) => judged(log, newest, &request).await?,
                    };
                    match verdict {
                        Next::Attempt => {}
                        Next::Duplicate(id, why) => return Ok(Decision::Duplicate(id, why)),
                        Next::Refused(id, why) => return Ok(Decision::Refused(id, why)),
                    }
                    match open(log, &id, &request).await {
                        Ok(_) => return Ok(Decision::Opened(id)),
                        // Another replica opened it in between: look again.
                        Err(AppendError::Conflict) => {
                            request.attempt = 1;
                            continue;
                        }
                        Err(AppendError::Unavailable(error)) => return Err(error),
                        Err(AppendError::Illegal(illegal)) => {
                            return Err(Unavailable::because(
                                format!("failed to open upgrade {id}"),
                                illegal,
                            ));
                        }
                    }
                }
            },
        };
        newest = Some(Newest {
            id,
            ended,
            children,
        });
        request.attempt += 1;
    }
}

/// Whether the upgrade was opened by this very request, which came in at that time.
fn opened_for(history: &History, request: &Request, received_ms: Option<i64>) -> bool {
    let opened_ms = history.entries.first().map(|entry| entry.fact.at_ms);
    let before = &history.state.request;
    received_ms.is_some_and(|received_ms| opened_ms >= Some(received_ms))
        && (before.source, &before.digest) == (request.source, &request.digest)
}

/// What the newest attempt says, or what its parts say if it was split.
async fn judged(log: &dyn Log, newest: Newest, request: &Request) -> Result<Next, Unavailable> {
    if newest.children.is_empty() {
        return Ok(next(newest, request));
    }
    split(log, newest, request).await
}

/// What the newest attempts of a split upgrade's children say together: it is open while one of
/// them is, and there is another attempt if one of them lets there be one.
async fn split(log: &dyn Log, parent: Newest, request: &Request) -> Result<Next, Unavailable> {
    let Newest { id, children, .. } = parent;
    let why = format!("upgrade {id} to this version is done");
    let mut done = Next::Duplicate(id.clone(), why);
    let mut again = false;
    for child in children {
        let Ok(child) = UpgradeId::parse(&child) else {
            continue;
        };
        let part = newest_part(log, child).await?;
        if part.ended.is_none() {
            let why = format!(
                "upgrade {id} to this version was split, and its part {} is open",
                part.id
            );
            return Ok(Next::Duplicate(id, why));
        }
        match next(part, request) {
            Next::Attempt => again = true,
            refused @ Next::Refused(..) => done = refused,
            Next::Duplicate(..) => {}
        }
    }
    Ok(if again { Next::Attempt } else { done })
}

/// The newest attempt at a child.
async fn newest_part(log: &dyn Log, child: UpgradeId) -> Result<Newest, Unavailable> {
    let Some(mut history) = log.read(&child).await? else {
        return match archive::summary(log, &child).await? {
            Some(summary) => Ok(Newest {
                id: child,
                ended: Some(summary.end),
                children: Vec::new(),
            }),
            None => Err(Unavailable::new(format!("upgrade {child} is not here yet"))),
        };
    };
    loop {
        let mut request = history.state.request.clone();
        request.attempt += 1;
        let later = match (&request.parent, &request.service) {
            (Some(parent), Some(service)) => {
                log.read(&UpgradeId::child(parent, service, request.attempt))
                    .await?
            }
            _ => None,
        };
        match later {
            Some(later) => history = later,
            None => {
                return Ok(Newest {
                    ended: Ended::of(&history),
                    id: history.id,
                    children: Vec::new(),
                });
            }
        }
    }
}

/// Appends the first fact. Its span is the upgrade's own, and everything that follows hangs on it.
async fn open(log: &dyn Log, id: &UpgradeId, request: &Request) -> Result<History, AppendError> {
    let span = tracing::info_span!(
        "upgrade",
        upgrade.id = %id,
        bowline.image = request.image,
        bowline.tag = request.tag,
    );
    let appended = log.append(id, None, Body::Requested(request.clone()));
    let opened = appended.instrument(span.clone()).await;
    match &opened {
        Ok(_) => {}
        Err(AppendError::Conflict) => bus::trace::waits(&span),
        Err(error) => bus::trace::failed(&span, error),
    }
    opened
}

fn next(newest: Newest, request: &Request) -> Next {
    let Newest { id, ended, .. } = newest;
    let other = request.retry_of.as_deref().filter(|of| *of != id.as_str());
    let Some(ended) = ended else {
        let why = match other {
            Some(of) => format!("upgrade {id} tries again what {of} tried"),
            None => format!("upgrade {id} to this version is open already"),
        };
        return Next::Duplicate(id, why);
    };
    if let Some(of) = other {
        let why = format!("upgrade {id} has tried again since what {of} tried; retry that one");
        return Next::Refused(id, why);
    }
    let person = request.source == Source::Person;
    // Who names no digest says nothing about it.
    let other_digest = matches!(
        (&ended.digest, &request.digest),
        (Some(before), Some(now)) if before != now
    );
    let Some(end) = ended.end() else {
        let why = format!("upgrade {id} to this version ended in a way that this build lacks");
        return Next::Refused(id, why);
    };
    match end {
        End::Superseded | End::Split => Next::Attempt,
        End::Succeeded | End::Resolved if other_digest || person => Next::Attempt,
        End::Succeeded | End::Resolved => {
            let why = format!("upgrade {id} to this version is done");
            Next::Duplicate(id, why)
        }
        End::RolledBack if person => Next::Attempt,
        End::RolledBack => {
            let why = format!(
                "upgrade {id} to this version was rolled back; to try it again, run \
                 `bowline retry {id}`"
            );
            Next::Refused(id, why)
        }
        End::Cancelled if person => Next::Attempt,
        End::Cancelled => {
            let why = format!(
                "a person cancelled upgrade {id} to this version; to try it again, run \
                 `bowline retry {id}`"
            );
            Next::Refused(id, why)
        }
        End::Aborted if ended.transient || person || other_digest => Next::Attempt,
        End::Aborted => {
            let why = format!(
                "upgrade {id} to this version was aborted ({}); mend that, then run \
                 `bowline retry {id}`",
                ended.why
            );
            Next::Refused(id, why)
        }
        End::Skipped if ended.in_place && !person && !other_digest => {
            let why = format!("upgrade {id} found this version in place");
            Next::Duplicate(id, why)
        }
        End::Skipped => Next::Attempt,
    }
}

#[cfg(test)]
mod tests {
    use bus::Entry;
    use job::{Fact, Owner, Phase, SkipReason, State, Transience};

    use super::*;
    use crate::archive::Summary;

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
            by: String::new(),
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
            traceparent: None,
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

    async fn accepted(log: &dyn Log, asked: &Request) -> Decision {
        accept(log, "test", asked, None).await.expect("a decision")
    }

    /// Appends facts to the log of an upgrade that is open.
    async fn tell(log: &dyn Log, id: &UpgradeId, facts: impl IntoIterator<Item = Body>) {
        let mut history = log.read(id).await.expect("a log").expect("facts");
        for fact in facts {
            history = log.append(id, Some(&history), fact).await.expect("legal");
        }
    }

    #[tokio::test]
    async fn a_split_upgrade_is_as_open_or_as_over_as_the_newest_attempts_at_its_parts() {
        let server = testkit::nats::NatsServer::start().await.expect("a server");
        let settings = bus::Settings::new("test");
        let log = bus::JetStream::connect(&server.url(), settings).await;
        let log = log.expect("a log");
        log.set_up().await.expect("set up");
        let webhook = request(Source::Diun, Some("a"));
        let Decision::Opened(parent) = accepted(&log, &webhook).await else {
            panic!("it is new")
        };
        let parts = ["x", "y"].map(|service| webhook.for_service(&parent, service));
        for part in &parts {
            let opened = accepted(&log, part).await;
            assert_eq!(opened, Decision::Opened(part.id("test")));
        }
        let [x, y] = parts.each_ref().map(|part| part.id("test"));
        let split = Body::Split {
            children: vec![x.to_string(), y.to_string()],
        };
        tell(&log, &parent, [Body::Admitted, split]).await;

        let skipped = || [Body::Admitted, Body::Skipped(SkipReason::AlreadyThere)];
        let open = |decision: Decision, part: &UpgradeId| match decision {
            Decision::Duplicate(id, why) => {
                assert!(id == parent && why.contains(part.as_str()), "{id}: {why}");
            }
            other => panic!("{other:?}"),
        };
        open(accepted(&log, &webhook).await, &x);
        tell(&log, &x, skipped()).await;
        open(accepted(&log, &webhook).await, &y);
        let aborted = Body::Aborted {
            at: String::new(),
            why: String::new(),
            transience: Transience::Transient,
        };
        tell(&log, &y, [Body::Admitted, aborted]).await;

        // The sweep tries a part again: that attempt counts, and no other part is opened.
        let Decision::Opened(again) = accepted(&log, &parts[1]).await else {
            panic!("it may be tried again")
        };
        assert_eq!(again, UpgradeId::child(parent.as_str(), "y", 2));
        open(accepted(&log, &webhook).await, &again);
        tell(&log, &again, skipped()).await;
        let done = accepted(&log, &webhook).await;
        assert!(
            matches!(&done, Decision::Duplicate(id, why) if *id == parent && why.contains("done")),
            "{done:?}"
        );
        let other_digest = request(Source::Diun, Some("b"));
        let next = UpgradeId::derive("test", "acme/infra", "docker.io/a/b", "1.0.1", 2);
        assert_eq!(accepted(&log, &other_digest).await, Decision::Opened(next));
    }

    #[test]
    fn a_request_that_comes_again_from_the_spool_finds_what_it_opened() {
        // Opened at 1; as a new request it would get another attempt.
        let ended = history(
            Phase::Ended(End::Skipped),
            Body::Skipped(SkipReason::NotFound(String::new())),
        );
        let (same, person) = (
            request(Source::Diun, Some("a")),
            request(Source::Person, None),
        );
        let other = request(Source::Diun, Some("b"));
        for (asker, received_ms, expected) in [
            (&same, Some(0), true),
            (&same, Some(1), true),
            (&same, Some(2), false),
            (&same, None, false),
            (&person, Some(0), false),
            (&other, Some(0), false),
        ] {
            let found = opened_for(&ended, asker, received_ms);
            assert_eq!(found, expected, "{asker:?} received at {received_ms:?}");
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
            (skipped(SkipReason::NotFound(text())), "AAAA"),
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
            let decided = |ended: &Option<Ended>| -> String {
                askers
                    .iter()
                    .map(|asker| {
                        let id = history.id.clone();
                        let ended = ended.clone();
                        match next(
                            Newest {
                                id,
                                ended,
                                children: Vec::new(),
                            },
                            asker,
                        ) {
                            Next::Attempt => 'A',
                            Next::Duplicate(..) => 'D',
                            Next::Refused(..) => 'R',
                        }
                    })
                    .collect()
            };
            assert_eq!(
                decided(&Ended::of(&history)),
                expected,
                "{phase:?} after {last:?}"
            );
            // Its summary says the same when its facts are gone.
            if let Some(summary) = Summary::of(&history) {
                let kept = serde_json::to_vec(&summary).unwrap();
                let summary: Summary = serde_json::from_slice(&kept).unwrap();
                assert_eq!(decided(&Some(summary.end)), expected, "archived {phase:?}");
            }
        }
    }
}
