//! Upgrades for the tests of screens.

use wire::v1::{FactView, Trouble, UpgradeView};

use crate::output::fixed;

/// So many seconds before the tests' now.
pub(crate) fn ago(seconds: i64) -> i64 {
    fixed().now.as_millisecond() - seconds * 1_000
}

fn fact(n: u64, name: &str, seconds_ago: i64, next: &str, text: &str) -> FactView {
    FactView {
        n,
        name: name.to_owned(),
        at_ms: ago(seconds_ago),
        next: next.to_owned(),
        text: text.to_owned(),
    }
}

/// Nobody has looked at it yet.
pub(crate) fn requested() -> UpgradeView {
    UpgradeView {
        id: "77c0ffee00112233".to_owned(),
        image: "docker.io/freikin/dawarich".to_owned(),
        to: "1.6.1".to_owned(),
        phase: "Requested".to_owned(),
        owner: "ingest".to_owned(),
        started_ms: ago(4),
        since_ms: ago(4),
        requested_by: "DIUN entry".to_owned(),
        facts: vec![fact(
            1,
            "requested",
            4,
            "ingest",
            "docker.io/freikin/dawarich:1.6.1",
        )],
        ..UpgradeView::default()
    }
}

/// In the second of four steps.
pub(crate) fn watching() -> UpgradeView {
    UpgradeView {
        id: "1f3a9c0211223344".to_owned(),
        service: "linkwarden".to_owned(),
        image: "ghcr.io/linkwarden/linkwarden".to_owned(),
        from: "v2.9.1".to_owned(),
        to: "v2.10.1".to_owned(),
        live: "v2.9.2".to_owned(),
        phase: "Watching".to_owned(),
        owner: "verifier".to_owned(),
        risk: "CAUTION".to_owned(),
        step: 2,
        steps: 4,
        waiting_for: "the health window".to_owned(),
        started_ms: ago(2_400),
        since_ms: ago(190),
        requested_by: "DIUN".to_owned(),
        facts: vec![
            fact(
                1,
                "requested",
                2_400,
                "ingest",
                "ghcr.io/linkwarden/linkwarden:v2.10.1",
            ),
            fact(2, "admitted", 2_399, "analyzer", ""),
            fact(
                3,
                "planned",
                2_390,
                "executor",
                "linkwarden v2.9.1 -> v2.10.1, CAUTION, 4 step(s)",
            ),
            fact(
                4,
                "verified",
                1_100,
                "executor",
                "ghcr.io/linkwarden/linkwarden:v2.9.2 is live in \
                 linkwarden/Deployment/linkwarden, its pods are ready, and \
                 https://links.example.org answered 200 for 10 min",
            ),
            fact(5, "healthy_since", 190, "verifier", ""),
        ],
        ..UpgradeView::default()
    }
}

/// Where an undo failed.
pub(crate) fn stuck() -> UpgradeView {
    UpgradeView {
        phase: "Stuck".to_owned(),
        owner: "none".to_owned(),
        waiting_for: "a person".to_owned(),
        reason: "the undo was pushed, and the old version is not healthy: Deployment \
                 linkwarden/linkwarden has 0 of 1 pods ready for 12 min \
                 (linkwarden-5c9d: CrashLoopBackOff, exit code 1, 7 restarts)"
            .to_owned(),
        started_ms: ago(27 * 3_600),
        since_ms: ago(26 * 3_600),
        pending: "retry".to_owned(),
        retry_of: "0011223344556677".to_owned(),
        facts: vec![
            fact(
                6,
                "rollback_requested",
                27 * 3_600,
                "undo",
                "Unhealthy: linkwarden/Deployment/linkwarden: pod linkwarden-5c9d: \
                 CrashLoopBackOff",
            ),
            fact(
                9,
                "stuck",
                26 * 3_600,
                "none",
                "the old version is not healthy",
            ),
        ],
        ..watching()
    }
}

/// Held back by the rate window.
pub(crate) fn held() -> UpgradeView {
    UpgradeView {
        id: "99aa00bb11cc22dd".to_owned(),
        image: "ghcr.io/paperless-ngx/paperless-ngx".to_owned(),
        phase: "Held".to_owned(),
        owner: "none".to_owned(),
        waiting_for: "the rate window".to_owned(),
        since_ms: ago(7_500),
        to: "2.20.14".to_owned(),
        ..requested()
    }
}

/// Before its plan, which a limit delays.
pub(crate) fn limited() -> UpgradeView {
    UpgradeView {
        phase: "Admitted".to_owned(),
        owner: "analyzer".to_owned(),
        since_ms: ago(1_500),
        trouble: Some(Trouble {
            why:
                "the notes of Freika/dawarich: https://api.github.com/ has limited us, and is not \
                  asked until that is over"
                    .to_owned(),
            again_ms: ago(-2_160),
        }),
        ..requested()
    }
}

/// Through.
pub(crate) fn succeeded() -> UpgradeView {
    UpgradeView {
        id: "5ca1ab1e5ca1ab1e".to_owned(),
        service: "url".to_owned(),
        image: "docker.io/shlinkio/shlink".to_owned(),
        from: "4.3.4".to_owned(),
        to: "5.0.2".to_owned(),
        live: "5.0.2".to_owned(),
        phase: "Ended(Succeeded)".to_owned(),
        owner: "none".to_owned(),
        risk: "CAUTION".to_owned(),
        step: 1,
        steps: 1,
        reason: "docker.io/shlinkio/shlink:5.0.2 is live and was healthy for 10 min".to_owned(),
        since_ms: ago(3 * 86_400),
        started_ms: ago(3 * 86_400 + 1_300),
        requested_by: "vera".to_owned(),
        waiting_for: String::new(),
        facts: vec![
            fact(1, "requested", 3 * 86_400 + 1_300, "ingest", ""),
            fact(
                2,
                "succeeded",
                3 * 86_400,
                "none",
                "5.0.2 was healthy for 10 min",
            ),
        ],
        ..UpgradeView::default()
    }
}
