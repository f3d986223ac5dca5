//! What people want while the executor is at it: a cancel around the push, and pauses.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{Entry, History, JetStream, Log, Outcome, Pause, Scope, Work as _};
use executor::{Executor, Landed, PortError, Refound, Repository};
use job::{Baseline, Body, Claim, Command, Fact, Owner, Site};
use testkit::nats::NatsServer;

use crate::common;

/// A branch that answers as it was told.
#[derive(Clone)]
struct Branch {
    head: &'static str,
    landed: bool,
    push: Landed,
}

#[async_trait]
impl Repository for Branch {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(self.head.to_owned())
    }
    async fn refind(&self, _head: &str, _sites: &[Site]) -> Result<Refound, PortError> {
        Ok(Refound::Ready)
    }
    async fn at_or_beyond(&self, _head: &str, _sites: &[Site]) -> Result<bool, PortError> {
        Ok(false)
    }
    async fn build(
        &self,
        head: &str,
        _sites: &[Site],
        _message: &str,
        _commit_at: i64,
    ) -> Result<String, PortError> {
        Ok(format!("on-{head}"))
    }
    async fn push(&self, _commit: &str, base: &str) -> Result<Landed, PortError> {
        if self.head != base {
            return Ok(Landed::Moved(self.head.to_owned()));
        }
        Ok(self.push.clone())
    }
    async fn find_trailer(
        &self,
        _base: &str,
        _head: &str,
        _key: &str,
        _value: &str,
    ) -> Result<Option<String>, PortError> {
        Ok(self.landed.then(|| "ours".to_owned()))
    }
    async fn subject(&self, _commit: &str) -> Result<String, PortError> {
        Ok("upgrade".to_owned())
    }
}

struct Bench {
    log: Arc<JetStream>,
    _nats: NatsServer,
}

impl Bench {
    async fn start() -> Bench {
        runtime::tls::install();
        let nats = NatsServer::start().await.expect("a server");
        let settings = bus::Settings::new("test");
        let log = JetStream::connect(&nats.url(), settings)
            .await
            .expect("a log");
        log.set_up().await.expect("set up");
        Bench {
            log: Arc::new(log),
            _nats: nats,
        }
    }

    fn executor(&self, branch: Branch) -> Executor {
        let log: Arc<dyn Log> = Arc::<JetStream>::clone(&self.log);
        common::executor(&log, branch)
    }

    /// What the executor answers to the command that these facts lead to.
    async fn answer(&self, branch: Branch, facts: Vec<Body>, expected: Command) -> Outcome {
        let history = history(facts);
        assert_eq!(history.state.command(), Some(expected));
        let executor = self.executor(branch);
        let outcome = executor.carry_out(&history, expected).await;
        outcome.expect("an answer")
    }

    async fn pause(&self) {
        let pause = Pause {
            scope: Scope::All,
            by: "alice".to_owned(),
            why: "a holiday".to_owned(),
            at_ms: 1,
        };
        let paused = bus::pause(self.log.as_ref(), &pause).await;
        paused.expect("a pause");
    }
}

/// An upgrade of which these facts are known, from its plan on.
fn history(facts: Vec<Body>) -> History {
    let id = common::id("1.0.1");
    let opening = [
        Body::Requested(common::request("1.0.1")),
        Body::Admitted,
        Body::Planned(common::plan("1.0.0", &["1.0.1"])),
    ];
    let mut entries: Vec<Entry> = Vec::new();
    for (n, body) in (1_u64..).zip(opening.into_iter().chain(facts)) {
        entries.push(Entry {
            sequence: n,
            n,
            next: Owner::None,
            fact: Fact {
                id: n.to_string(),
                step: u32::from(n > 3),
                at_ms: 1_000,
                min_reader: 1,
                body,
            },
            traceparent: None,
        });
    }
    let folded = History::fold(&id, entries);
    folded.expect("legal facts").expect("a history")
}

fn to_the_push() -> Vec<Body> {
    vec![
        Body::Started,
        Body::Ready,
        Body::Baselined(Baseline::default()),
        Body::Pushing {
            base: "b".to_owned(),
            commit_at: 1,
            commit: "c".to_owned(),
        },
    ]
}

fn branch(head: &'static str, landed: bool, push: Landed) -> Branch {
    Branch { head, landed, push }
}

#[tokio::test]
async fn a_cancel_around_the_push_ends_it_only_when_it_can_never_land() {
    let bench = Bench::start().await;
    let moved = || Landed::Moved("other".to_owned());
    let refused = || Landed::Refused("protected branch".to_owned());
    let cancel = Body::CancelRequested {
        by: "alice".to_owned(),
    };
    for (branch, cancelled, wanted) in [
        // It has landed before: it has to be undone.
        (branch("other", true, moved()), "pushed", "pushed"),
        // The branch has moved past its base without it.
        (branch("other", false, moved()), "cancelled", "pushing"),
        // A push of ours may still be on its way: it is finished.
        (branch("b", false, Landed::Yes), "pushed", "pushed"),
        (branch("b", false, moved()), "cancelled", "pushing"),
        (branch("b", false, refused()), "cancelled", "aborted"),
    ] {
        for (more, command, expected) in [
            (None, Command::FinishPush, wanted),
            (Some(cancel.clone()), Command::CancelPush, cancelled),
        ] {
            let facts = to_the_push().into_iter().chain(more).collect();
            let outcome = bench.answer(branch.clone(), facts, command).await;
            let Outcome::Append(body) = outcome else {
                panic!("{outcome:?} to {command:?}");
            };
            assert_eq!(body.name(), expected, "{command:?} on {}", branch.head);
        }
    }
}

#[tokio::test]
async fn a_pause_is_heeded_on_the_way_forward_only() {
    let bench = Bench::start().await;
    let any = || branch("b", false, Landed::Yes);
    let log = bench.log.as_ref();
    let (slot, turn) = {
        let state = history(vec![Body::Started]).state;
        (Claim::slot(&state).expect("a slot"), Claim::turn(&state))
    };
    let facts = vec![Body::Started];
    let outcome = bench.answer(any(), facts, Command::TakeTurn).await;
    assert!(matches!(outcome, Outcome::Append(Body::Ready)));
    let held = bus::holder(log, &turn).await.expect("a record");
    assert!(held.is_some(), "the turn is taken before the pause");
    bench.pause().await;

    let outcome = bench.answer(any(), vec![], Command::TakeSlots).await;
    assert!(matches!(outcome, Outcome::Wait(_)), "{outcome:?}");
    assert_eq!(bus::holder(log, &slot).await.expect("a record"), None);

    let facts = vec![Body::Started];
    let outcome = bench.answer(any(), facts, Command::TakeTurn).await;
    assert!(matches!(outcome, Outcome::Wait(_)), "{outcome:?}");
    assert_eq!(bus::holder(log, &turn).await.expect("a record"), None);

    let facts = vec![
        Body::Started,
        Body::Ready,
        Body::Baselined(Baseline::default()),
    ];
    let outcome = bench.answer(any(), facts, Command::BuildCommit).await;
    let Outcome::Append(Body::SteppedBack(why)) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(why, "paused by alice: a holiday");

    // What is on its way is landed, and an undo does not wait.
    let outcome = bench
        .answer(any(), to_the_push(), Command::FinishPush)
        .await;
    assert!(
        matches!(outcome, Outcome::Append(Body::Pushed { .. })),
        "{outcome:?}"
    );
    let undo = [
        Body::Pushed {
            commit: "c".to_owned(),
        },
        Body::RollbackRequested {
            cause: job::Cause::Unhealthy,
            evidence: String::new(),
        },
    ];
    let facts = to_the_push().into_iter().chain(undo).collect();
    let outcome = bench.answer(any(), facts, Command::BuildRevert).await;
    assert!(
        matches!(outcome, Outcome::Append(Body::Reverting { .. })),
        "{outcome:?}"
    );
}
