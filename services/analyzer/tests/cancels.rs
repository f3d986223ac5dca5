//! A person's cancel is answered before anything is planned.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use analyzer::{Analyzer, Home, PortError, Release, Releases, Repository};
use async_trait::async_trait;
use bus::{History, Log, Memory, Outcome, Work as _};
use job::{Body, Claim, Command, Phase};
use runtime::settings::Mode;
use terraform::{Options, Tree};

/// A repository with one service and releases without notes; counts who asks.
#[derive(Clone, Default)]
struct Outside(Arc<AtomicUsize>);

impl Outside {
    fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Repository for Outside {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(common::newest())
    }
}

#[async_trait]
impl Releases for Outside {
    async fn all(&self, _: &Home) -> Result<Option<Vec<Release>>, PortError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }
}

fn analyzer(log: &Arc<dyn Log>, outside: &Outside, mode: Mode) -> Analyzer {
    let settings = runtime::Settings {
        mode,
        ..runtime::Settings::default()
    };
    Analyzer::new(
        analyzer::rules(&settings),
        Options::default(),
        Arc::clone(log),
        Arc::new(outside.clone()),
        Arc::new(outside.clone()),
    )
}

fn request() -> job::Request {
    common::request("1.3.0", "new")
}

async fn append(log: &Arc<dyn Log>, history: &History, body: Body) -> History {
    log.append(&history.id, Some(history), body).await.unwrap()
}

#[tokio::test]
async fn a_cancel_is_answered_and_nothing_is_planned() {
    let replan = || Body::Replan("it holds 1.2.1".to_owned());
    for (mode, more, phase, normal, live) in [
        (Mode::Auto, None, Phase::Admitted, Command::Plan, ""),
        (
            Mode::Auto,
            Some(vec![Body::Started, replan()]),
            Phase::Replanning,
            Command::Plan,
            "1.2.0",
        ),
        (
            Mode::Observe,
            Some(vec![]),
            Phase::Planned,
            Command::ReportObserve,
            "1.2.0",
        ),
    ] {
        let log: Arc<dyn Log> = Arc::new(Memory::new(bus::Settings::new("test"), 1));
        let outside = Outside::default();
        let analyzer = analyzer(&log, &outside, mode);
        let id = request().id("test");
        let opened = log.append(&id, None, Body::Requested(request())).await;
        let mut history = append(&log, &opened.unwrap(), Body::Admitted).await;
        if let Some(more) = more {
            let outcome = analyzer.carry_out(&history, Command::Plan).await;
            let Ok(Outcome::Append(planned @ Body::Planned(_))) = outcome else {
                panic!("{outcome:?}")
            };
            for body in [planned].into_iter().chain(more) {
                history = append(&log, &history, body).await;
            }
        }
        let state = &history.state;
        assert_eq!((state.phase, state.command()), (phase, Some(normal)));
        let asked = outside.asked();

        let by = "alice".to_owned();
        let history = append(&log, &history, Body::CancelRequested { by }).await;
        let command = history.state.command().unwrap();
        // Also when the answer was lost.
        for _ in 0..2 {
            let outcome = analyzer.carry_out(&history, command).await;
            let Ok(Outcome::Append(Body::Cancelled { at })) = outcome else {
                panic!("{outcome:?} to {command:?} while {phase:?}");
            };
            assert_eq!(at, live, "{phase:?}");
        }
        assert_eq!(outside.asked(), asked, "{phase:?}");
        let at = live.to_owned();
        let ended = append(&log, &history, Body::Cancelled { at }).await.state;
        assert_eq!(ended.command(), None);
        if let Some(slot) = Claim::slot(&ended) {
            assert!(!job::needs(&slot, ended.step, &ended), "{phase:?}");
        }
    }
}
