//! A message that kills its process, in real processes on a real server: this test starts itself.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{History, JetStream, Log, Outcome, Settings, Work, WorkError, run_owner};
use job::{Body, Command, Owner, Phase, Request, Source, UpgradeId};
use testkit::nats::NatsServer;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

/// Set in the processes that the test starts.
const URL: &str = "BOWLINE_POISON_URL";
const FOLDER: &str = "BOWLINE_POISON_FOLDER";
/// No death and no delivery takes longer, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);
const GUILTY: &str = "guilty";
const INNOCENT: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

fn settings() -> Settings {
    Settings {
        ack_wait: Duration::from_secs(1),
        progress: Duration::from_millis(200),
        retry_first: Duration::from_millis(50),
        ..Settings::new("test")
    }
}

fn id(tag: &str) -> UpgradeId {
    UpgradeId::derive("test", "infra", "docker.io/library/redis", tag, 1)
}

fn requested(tag: &str) -> Body {
    Body::Requested(Request {
        repository: "infra".into(),
        image: "docker.io/library/redis".into(),
        tag: tag.into(),
        chart: false,
        digest: None,
        status: "update".into(),
        source: Source::Diun,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    })
}

/// Admits everything, but for one upgrade that kills the process.
struct Deadly;

#[async_trait]
impl Work for Deadly {
    async fn carry_out(&self, history: &History, _: Command) -> Result<Outcome, WorkError> {
        if history.id == id(GUILTY) {
            std::process::abort();
        }
        // Long enough to be in hand when the process dies.
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(Outcome::Append(Body::Admitted))
    }
}

/// The process, if this is one; nothing otherwise.
#[tokio::test]
async fn acts_as_the_process_when_it_is_started_as_one() {
    let (Ok(url), Ok(folder)) = (std::env::var(URL), std::env::var(FOLDER)) else {
        return;
    };
    let settings = Settings {
        in_hand: Some(folder.into()),
        ..settings()
    };
    let log: Arc<dyn Log> = Arc::new(JetStream::connect(&url, settings).await.unwrap());
    let for_ever = CancellationToken::new();
    run_owner(log, Owner::Ingest, 8, Arc::new(Deadly), for_ever).await;
}

fn start(url: &str, folder: &Path) -> Child {
    tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "acts_as_the_process_when_it_is_started_as_one"])
        .env(URL, url)
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn names(log: &dyn Log, tag: &str) -> Vec<&'static str> {
    let history = log.read(&id(tag)).await.unwrap().unwrap();
    let bodies = history.entries.iter().map(|entry| entry.fact.body.name());
    bodies.collect()
}

#[tokio::test]
async fn a_message_that_kills_its_process_five_times_is_parked_and_others_go_on() {
    let server = NatsServer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = JetStream::connect(&server.url(), settings()).await.unwrap();
    log.set_up().await.unwrap();
    for tag in INNOCENT.into_iter().chain([GUILTY]) {
        log.append(&id(tag), None, requested(tag)).await.unwrap();
    }
    let phase = async |tag: &str| log.read(&id(tag)).await.unwrap().unwrap().state.phase;

    let mut deaths = 0;
    let mut process = start(&server.url(), folder.path());
    let over = async {
        while phase(GUILTY).await != Phase::Parked {
            let died = tokio::time::timeout(Duration::from_millis(50), process.wait()).await;
            if died.is_ok() {
                deaths += 1;
                process = start(&server.url(), folder.path());
            }
        }
        for tag in INNOCENT {
            while phase(tag).await != Phase::Admitted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(LIMIT, over).await.unwrap();
    assert_eq!(deaths, 5);
    let told = ["requested", "tried", "tried", "tried", "tried", "parked"];
    assert_eq!(names(&log, GUILTY).await, told);
    for tag in INNOCENT {
        // In hand at the first death as well, and then tried apart from the guilty one.
        let told = names(&log, tag).await;
        assert_eq!(told.last(), Some(&"admitted"));
        assert!(told.len() <= 4, "{told:?}");
    }
    process.kill().await.unwrap();
}
