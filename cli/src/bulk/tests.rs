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
    }
}

#[test]
fn each_line_and_what_is_to_be_expected() {
    let mut text: String = sent()
        .iter()
        .map(|asked| told(asked, asked.decision != "skipped"))
        .collect();
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
      Once let in, each takes its own time for backup, CI and watching, step by step; how many steps is
      known with its plan. `bowline watch` follows all of them.
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
      paused    all, by vera (the disk is full): what it covers starts after `bowline resume`
      Once let in, each takes its own time for backup, CI and watching, step by step; how many steps is
      known with its plan. `bowline watch` follows all of them.
    ");
}

#[test]
fn a_limit_of_nothing_is_for_ever() {
    let text = summary(&sent(), Some(&known(0, Vec::new())), &fixed());
    assert!(text.contains("for ever"), "{text}");
}

#[test]
fn the_worst_answer_decides_the_exit_code() {
    let mut all = sent();
    assert_eq!(code(&all), REFUSED);
    assert_eq!(code(&all[..3]), 0);
    all.push(asked("failed", "no", "", "x/y"));
    assert_eq!(code(&all), FAILED);
}
