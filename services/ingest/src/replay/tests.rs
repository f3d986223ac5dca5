use bus::{Memory, VirtualClock, WindowSettings};
use job::{Owner, Phase, Request, Source, UpgradeId};
use tokio::time::timeout;

use super::*;
use crate::filter::Filter;
use crate::work::Admission;

const REPOSITORY: &str = "acme/infra";
const NOW: i64 = 1_790_000_000_000;

#[test]
fn nobody_is_passed_over_while_the_log_is_away() {
    let cursor = |passed_over, doubted| Cursor {
        passed_over,
        doubted,
    };
    let refused = || Attempt::Refused("it cannot be read".to_owned());
    // Where it stands, what became of the attempt, whether it was passed over before, what then.
    let table = [
        (cursor(0, false), Attempt::Away, false, cursor(0, false)),
        (cursor(0, true), Attempt::Away, false, cursor(0, false)),
        (cursor(7, false), Attempt::Away, false, cursor(0, false)),
        (cursor(7, false), Attempt::Away, true, cursor(0, false)),
        // The outage may just have ended: once more.
        (cursor(0, false), refused(), false, cursor(0, true)),
        (cursor(0, true), refused(), false, cursor(1, false)),
        (cursor(3, true), refused(), false, cursor(4, false)),
        // It is known for this.
        (cursor(3, false), refused(), true, cursor(4, false)),
        // Those behind it have moved up.
        (cursor(0, false), Attempt::Done, false, cursor(0, false)),
        (cursor(3, true), Attempt::Done, true, cursor(3, false)),
        (cursor(0, false), Attempt::Kept, false, cursor(1, false)),
        (cursor(3, true), Attempt::Kept, true, cursor(4, false)),
    ];
    for (before, attempt, passed_before, expected) in table {
        let found = before.after(&attempt, passed_before);
        assert_eq!(found, expected, "{before:?} {attempt:?} {passed_before}");
    }
}

fn request(tag: &str) -> Request {
    Request {
        repository: REPOSITORY.to_owned(),
        image: "docker.io/a/b".to_owned(),
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
    }
}

fn id(tag: &str) -> UpgradeId {
    request(tag).id("test")
}

/// A log with its rate window, a spool that holds these tags, and what replays it.
struct Outage {
    log: Arc<Memory>,
    spool: Spool,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Outage {
    async fn with(tags: &[&str]) -> Outage {
        let settings = bus::Settings {
            clock: Arc::new(VirtualClock::starting_at(NOW)),
            ..bus::Settings::new("test")
        };
        let log = Arc::new(Memory::new(settings, 1));
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned(), 1_000_000);
        for (received_ms, tag) in (NOW..).zip(tags) {
            let request = request(tag);
            let record = Record {
                received_ms,
                request,
            };
            spool.put(record).await.unwrap();
        }
        Outage {
            log,
            spool,
            stop: CancellationToken::new(),
            _folder: folder,
        }
    }

    /// Replays until so many are left in the spool.
    async fn replayed_but(&self, left: usize) {
        let log: Arc<dyn Log> = Arc::<Memory>::clone(&self.log);
        let gate = Gate::new(
            Arc::clone(&log),
            "test".to_owned(),
            REPOSITORY.to_owned(),
            Filter {
                statuses: Vec::new(),
                skip_images: Vec::new(),
            },
            Duration::from_secs(5),
        );
        let window = WindowSettings {
            max: 1,
            length: Duration::from_secs(6 * 3_600),
        };
        let admission = Arc::new(Admission::new(Arc::clone(&log), window));
        let admitting = bus::run_owner(
            Arc::clone(&log),
            Owner::Ingest,
            1,
            admission,
            self.stop.clone(),
        );
        let replaying = run(
            self.spool.clone(),
            Arc::new(gate),
            Arc::clone(&log),
            self.stop.clone(),
        );
        let (spool, memory) = (self.spool.clone(), Arc::clone(&self.log));
        let until = async {
            while spool.standing().records > left || memory.unanswered(Owner::Ingest) > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            self.stop.cancel();
        };
        let all = Box::pin(async { tokio::join!(admitting, replaying, until) });
        timeout(Duration::from_secs(3_600), all)
            .await
            .expect("the spool is drained");
    }

    async fn phase(&self, tag: &str) -> Option<Phase> {
        let history = self.log.read(&id(tag)).await.unwrap();
        history.map(|history| history.state.phase)
    }
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_let_in_first_however_long_the_log_was_away() {
    let tags = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"];
    // Long enough for each number of failed attempts to come out.
    for seconds in (10..=60).step_by(5) {
        let outage = Outage::with(&tags).await;
        outage.log.faults().go_away(Duration::from_secs(seconds));
        outage.replayed_but(0).await;
        let mut places = Vec::new();
        for tag in tags {
            let history = outage
                .log
                .read(&id(tag))
                .await
                .unwrap()
                .expect("an upgrade");
            places.push(history.entries[0].sequence);
        }
        assert!(places.is_sorted(), "{seconds} s: {places:?}");
        assert_eq!(outage.phase("1.0.0").await, Some(Phase::Admitted));
        let settings = WindowSettings {
            max: 1,
            length: Duration::from_secs(6 * 3_600),
        };
        let window = bus::window(outage.log.as_ref(), REPOSITORY, settings).await;
        let held = window.unwrap().admission.held;
        assert_eq!(held, ["1.0.1", "1.0.2", "1.0.3"].map(id), "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_the_log_does_not_take_holds_up_nobody() {
    let outage = Outage::with(&["1.0.0", "1.0.1", "1.0.2"]).await;
    // Of a newer build: whether it may be tried again cannot be told by this one.
    let unreadable = outage.log.archive(&id("1.0.0"), b"?").await;
    unreadable.unwrap();
    outage.replayed_but(1).await;
    assert_eq!(outage.phase("1.0.0").await, None);
    assert_eq!(outage.phase("1.0.1").await, Some(Phase::Admitted));
    assert_eq!(outage.phase("1.0.2").await, Some(Phase::Held));
    let left = outage.spool.nth(0).await.unwrap();
    assert_eq!(left.map(|record| record.request), Some(request("1.0.0")));
}
