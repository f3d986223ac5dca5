use wire::v1::LimitsView;

use super::*;
use crate::output::fixed;
use crate::sample;

fn asked(decision: &str, reason: &str, id: &str, image: &str) -> json::Asked {
    json::Asked {
        image: image.to_owned(),
        tag: "1.2.3".to_owned(),
        decision: decision.to_owned(),
        reason: json::some(reason),
        id: json::some(id),
    }
}

fn sent() -> Vec<json::Asked> {
    vec![
        asked("accepted", "", "1f3a9c0211223344", "ghcr.io/a/b"),
        asked("accepted", "", "2f3a9c0211223344", "ghcr.io/a/c"),
        asked(
            "duplicate",
            "upgrade 3f to this version is open already",
            "3f3a9c0211223344",
            "a/d",
        ),
        asked(
            "skipped",
            "`*postgres*` is on the skip list",
            "",
            "library/postgres",
        ),
    ]
}

fn known(max: u32, pauses: Vec<PauseView>) -> Known {
    let limits = LimitsView {
        max,
        window_seconds: 21_600,
        overridden: false,
        window_started_ms: sample::ago(3_600),
        admitted: vec!["1f3a9c0211223344".to_owned()],
        held: vec!["2f3a9c0211223344".to_owned(), "3f3a9c0211223344".to_owned()],
        shortest_seconds: Some(120),
    };
    let ours = estimate::ours(
        &limits,
        vec!["1f3a9c0211223344".to_owned(), "2f3a9c0211223344".to_owned()],
        vec!["3f3a9c0211223344".to_owned()],
    );
    Known {
        estimate: estimate(&limits, &ours, fixed().now.as_millisecond()),
        limits,
        pauses,
        spooled: 0,
    }
}

#[test]
fn each_line_and_what_is_to_be_expected() {
    let mut text: String = sent().iter().map(told).collect();
    text.push_str(&summary(&sent(), Some(&known(1, Vec::new())), &fixed()));
    insta::assert_snapshot!(text, @r"
    accepted   1f3a9c02  ghcr.io/a/b:1.2.3
    accepted   2f3a9c02  ghcr.io/a/c:1.2.3
    duplicate  3f3a9c02  a/d:1.2.3
    skipped    -         library/postgres:1.2.3
                         `*postgres*` is on the skip list

    4 sent: 2 accepted, 1 duplicate, 1 skipped.

    Estimate
      limit     1 upgrade in 6 h
      let in    1 now
      waiting   2; the last of them is let in at about 2026-11-24 01:00 UTC, in 11 h
      sooner    `bowline limits set --max N`, `bowline limits reset`
      ends      the last of all not before 2026-11-24 01:02 UTC, in 11 h 2 min: its admission and the
                shortest health window, 2 min
      An end is a lower bound, for what is carried out. Once let in, each takes its own time for backup,
      CI and watching, step by step; how many steps is known with its plan. `bowline watch` follows all
      of them.
    ");
}

#[test]
fn all_at_once_with_a_pause_in_force() {
    let pause = PauseView {
        scope: "all".to_owned(),
        by: "vera".to_owned(),
        why: "the disk is full".to_owned(),
        at_ms: sample::ago(60),
    };
    let text = summary(&sent(), Some(&known(50, vec![pause])), &fixed());
    insta::assert_snapshot!(text, @r"
    4 sent: 2 accepted, 1 duplicate, 1 skipped.

    Estimate
      limit     50 upgrades in 6 h
      let in    3 now
      ends      the last of all not before 2026-11-23 14:02 UTC, in 2 min: its admission and the
                shortest health window, 2 min
      paused    all, by vera (the disk is full): what it covers starts after `bowline resume`
      An end is a lower bound, for what is carried out. Once let in, each takes its own time for backup,
      CI and watching, step by step; how many steps is known with its plan. `bowline watch` follows all
      of them.
    ");
}

#[test]
fn a_limit_of_nothing_is_for_ever() {
    let text = summary(&sent(), Some(&known(0, Vec::new())), &fixed());
    assert!(text.contains("for ever"), "{text}");
}

#[test]
fn what_is_spooled_is_told_with_its_reason_and_not_estimated() {
    let mut sent = sent();
    sent.push(asked(
        "spooled",
        "NATS did not take it within 5s; it is kept on disk and goes on when NATS is back",
        "",
        "ghcr.io/e/f",
    ));
    assert!(told(&sent[4]).contains("\n                     NATS did not take it"));
    let known = Known {
        spooled: 1,
        ..known(50, Vec::new())
    };
    let text = summary(&sent, Some(&known), &fixed());
    assert!(text.contains(", 1 spooled."), "{text}");
    assert!(
        text.contains("  spooled   1; they queue when NATS is back"),
        "{text}"
    );
    assert_eq!(code(&sent[4..]), 0);
}

#[test]
fn the_end_of_the_last_one_is_told_as_far_as_it_is_known() {
    let ends = |known: &Known| {
        let text = summary(&sent(), Some(known), &fixed());
        text.lines()
            .find(|line| line.contains("  ends  "))
            .map(str::to_owned)
    };
    // Nobody waits: the window begins now.
    let known_to = |max, shortest_seconds| {
        let mut known = known(max, Vec::new());
        known.limits.shortest_seconds = shortest_seconds;
        known
    };
    let found = ends(&known_to(50, Some(120))).unwrap_or_default();
    assert!(
        found.contains("not before 2026-11-23 14:02 UTC, in 2 min"),
        "{found}"
    );
    assert_eq!(
        known_to(1, Some(600))
            .json()
            .last_ends_not_before
            .as_deref(),
        Some("2026-11-24T01:10:00Z")
    );
    let found = ends(&known_to(1, None)).unwrap_or_default();
    assert!(found.contains("unknown"), "{found}");
    assert_eq!(known_to(1, None).json().last_ends_not_before, None);
    // The line above says that it is never let in.
    assert_eq!(ends(&known_to(0, Some(120))), None);
}

#[test]
fn the_worst_answer_decides_the_exit_code() {
    let mut all = sent();
    assert_eq!(code(&all), REFUSED);
    assert_eq!(code(&all[..3]), 0);
    all.push(asked("failed", "no", "", "x/y"));
    assert_eq!(code(&all), FAILED);
}
