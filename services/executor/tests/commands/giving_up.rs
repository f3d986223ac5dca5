//! What can never succeed ends, or goes to a person; it does not wait with its claims held.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{History, Log, Outcome, Work as _};
use job::{Body, Command, Transience};

use crate::common;

fn facts() -> Vec<Body> {
    let text = String::new;
    let commit = |letter: &str| letter.repeat(40);
    vec![
        Body::Admitted,
        Body::Planned(common::plan("1", &["2"])),
        Body::Started,
        Body::Ready,
        Body::Baselined(job::Baseline::default()),
        Body::Pushing {
            base: commit("b"),
            commit_at: 1,
            commit: commit("c"),
        },
        Body::Pushed {
            commit: commit("c"),
        },
        Body::CiPassed(job::CiRun {
            number: 1,
            workflow: text(),
            url: text(),
        }),
        Body::Applied {
            images: BTreeMap::new(),
        },
        Body::RollbackRequested {
            cause: job::Cause::Unhealthy,
            evidence: text(),
        },
        Body::Reverting {
            base: commit("b"),
            commit_at: 1,
            commit: commit("d"),
        },
    ]
}

/// What the executor answers after the fact of this name.
async fn answer(log: &Arc<dyn Log>, last: &str, command: Command) -> Body {
    let id = common::id(last);
    let opened = Body::Requested(common::request(last));
    let mut history: History = log.append(&id, None, opened).await.expect("opened");
    for body in facts() {
        let name = body.name();
        history = log.append(&id, Some(&history), body).await.expect(name);
        if name == last {
            break;
        }
    }
    assert_eq!(history.state.command(), Some(command), "after {last}");
    let executor = common::executor(log, common::Branch::default());
    let Ok(Outcome::Append(body)) = executor.carry_out(&history, command).await else {
        unreachable!("no answer after {last}")
    };
    log.append(&id, Some(&history), body.clone())
        .await
        .expect("the answer is legal");
    body
}

#[tokio::test]
async fn a_commit_that_cannot_be_built_aborts_and_a_revert_goes_to_a_person() {
    let (_server, log) = common::log().await;
    for (last, command) in [
        ("baselined", Command::BuildCommit),
        ("pushing", Command::FinishPush),
    ] {
        let body = answer(&log, last, command).await;
        let Body::Aborted {
            why, transience, ..
        } = body
        else {
            panic!("{body:?}")
        };
        assert_eq!(transience, Transience::Lasting);
        assert!(why.contains("two sites overlap"), "{why}");
    }
    for (last, command) in [
        ("rollback_requested", Command::BuildRevert),
        ("reverting", Command::FinishRevert),
    ] {
        let body = answer(&log, last, command).await;
        let Body::Stuck(why) = body else {
            panic!("{body:?}")
        };
        assert!(why.contains("two sites overlap"), "{why}");
    }
}
