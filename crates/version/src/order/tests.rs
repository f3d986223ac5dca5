use proptest::prelude::*;

use super::*;
use crate::between::{between, notes_between, releases_between};

fn check(from: &str, to: &str) -> Result<Jump, Refusal> {
    upgrade(&Tag::parse(from), &Tag::parse(to))
}

#[test]
fn a_jump_is_known_also_where_there_is_no_upgrade() {
    for (from, to, expected) in [
        ("1.9.0", "2.0.0-rc1", Some(Jump::Major)),
        ("1.9.0", "2.0", Some(Jump::Major)),
        ("1.9.0", "2", Some(Jump::Major)),
        ("1.9.3", "1.10.0-rc1", Some(Jump::Minor)),
        ("v1.9.3", "1.9.4-alpine", Some(Jump::Patch)),
        ("2.0.0", "1.9.0", Some(Jump::Major)),
        ("latest", "2.0.0", None),
    ] {
        let found = jump(&Tag::parse(from), &Tag::parse(to));
        assert_eq!(found, expected, "{from} -> {to}");
    }
}

#[test]
fn real_upgrades_have_their_jump() {
    for (from, to, jump) in [
        ("v2.7.4", "v2.7.5", Jump::Patch),
        ("0.9.9", "1.0.1", Jump::Major),
        ("0.8.1", "0.9.0", Jump::Minor),
        ("0.37.1", "1.6.1", Jump::Major),
        ("4.6.3-r1", "4.10.0-r1", Jump::Minor),
        ("4.6.3-r1", "4.6.3-r2", Jump::Patch),
        ("4.6.3-r9", "4.6.3-r10", Jump::Patch),
        ("2025.6.3", "2025.8.1", Jump::Minor),
        ("2025.12.3", "2026.1.0", Jump::Major),
        ("v1.125.0", "v1.151.0", Jump::Minor),
        ("2026.2.6-patch3", "2026.5.6-patch3", Jump::Minor),
        ("v5", "v6", Jump::Major),
        ("8-alpine", "9-alpine", Jump::Major),
        ("2.32.1", "2.33.1", Jump::Minor),
        ("v0.7.2", "v0.8.12", Jump::Minor),
        ("4.3.4", "5.0.2", Jump::Major),
        ("v1.7.0", "v1.7.4", Jump::Patch),
        ("2.16.4", "2.20.14", Jump::Minor),
        ("v1.0.31.9", "v1.0.32.0", Jump::Patch),
        ("1.0.0-rc.2", "1.0.0-rc10", Jump::Patch),
        ("1.0.0-rc.2", "1.0.0", Jump::Patch),
        ("0.17.0-beta1-tensorrt", "0.17.0-tensorrt", Jump::Patch),
        (
            "RELEASE.2024-01-31T03-04-05Z",
            "RELEASE.2024-03-01T00-00-00Z",
            Jump::Minor,
        ),
        ("20240131", "20240201", Jump::Minor),
        (
            "2026.05.14.1326-nightly",
            "2026.05.15.0200-nightly",
            Jump::Patch,
        ),
        ("16.2.0-debian-12-r3", "16.2.0-debian-12-r11", Jump::Patch),
        ("3.12", "3.13", Jump::Minor),
    ] {
        assert_eq!(check(from, to), Ok(jump), "{from} -> {to}");
        assert!(check(to, from).is_err(), "{to} -> {from}");
    }
}

#[test]
fn what_is_no_upgrade_is_refused_with_its_reason() {
    for (from, to, reason) in [
        ("latest", "1.2.3", "`latest` is a floating tag"),
        ("1.2.3", "main", "`main` is a floating tag"),
        ("nightly", "canary", "`nightly` is a floating tag"),
        ("62e2162", "62e2163", "commit id"),
        ("62e2162", "1.0.0", "commit id"),
        ("1.2.3", "1.2.3", "already the tag in use"),
        ("1.7.4", "v1.0.32.0", "prefix `v` instead of none"),
        ("1.7.4", "v1.7.5", "prefix `v` instead of none"),
        ("8-alpine", "8.0.6-alpine", "3 numbers instead of 1"),
        ("2.7.5", "2.7.5-cuda", "flavour `cuda` instead of none"),
        ("2.7.4-cuda", "2.7.5", "flavour none instead of `cuda`"),
        ("24", "24.0.2", "3 numbers instead of 1"),
        ("24.0.2", "25", "1 number instead of 3"),
        ("11.0.14", "1.18", "2 numbers instead of 3"),
        ("11.0.14", "1.18.0", "not newer"),
        ("1.80.5", "0.1.2", "not newer"),
        ("1.35.7", "1.21.0", "not newer"),
        ("24", "20240131", "3 numbers instead of 1"),
        ("2024.01.31", "2024-02-01", "kept apart in another way"),
        ("4.6.3", "4.6.4-r1", "revision counter `-r` instead of none"),
        ("3.12-alpine3.20", "3.13-alpine3.21", "flavour"),
        ("1.0.0", "1.1.0-rc1", "is a prerelease"),
        ("1.0.0-rc1", "1.0.0-beta2", "not newer"),
        ("1.2.0", "1.02.0", "not newer"),
        ("1.2.3+up1", "1.2.3+up2", "not newer"),
    ] {
        let refusal = check(from, to)
            .expect_err(&format!("{from} -> {to}"))
            .to_string();
        assert!(refusal.contains(reason), "{from} -> {to}: {refusal}");
    }
}

#[test]
fn between_is_sorted_by_version_and_keeps_the_style() {
    let candidates = [
        "v2.10.0",
        "v2.9.1",
        "v2.9.2",
        "latest",
        "2.9.3",
        "v2.10.0-rc.1",
        "v2.9.10",
        "v2.11.0",
        "v2.9",
        "v2.10.0",
        "v2.9.3-alpine",
        "v2.8.0",
    ];
    let from = Tag::parse("v2.9.1");
    let to = Tag::parse("v2.10.0");
    let listed = || candidates.iter().map(|&tag| tag.to_owned());
    assert_eq!(
        between(&from, &to, listed()),
        ["v2.9.2", "v2.9.10", "v2.10.0"]
    );
    assert!(between(&to, &from, listed()).is_empty());
    assert_eq!(
        between(&Tag::parse("v2.10.0-beta1"), &to, listed()),
        ["v2.10.0-rc.1", "v2.10.0"]
    );
}

#[test]
fn releases_are_found_whatever_the_image_adds_to_them() {
    let releases = [
        "4.10.0",
        "v4.7.0",
        "4.6.3",
        "4.11.0",
        "docs",
        "4.8.0-rc1",
        "4.6.2",
    ];
    let listed = || releases.iter().map(|&release| release.to_owned());
    assert_eq!(
        releases_between(&Tag::parse("4.6.3-r1"), &Tag::parse("4.10.0-r1"), listed()),
        ["v4.7.0", "4.10.0"]
    );
    assert_eq!(
        releases_between(&Tag::parse("4.6"), &Tag::parse("4.7"), listed()),
        ["v4.7.0"]
    );
    assert!(releases_between(&Tag::parse("latest"), &Tag::parse("4.7"), listed()).is_empty());
}

#[test]
fn the_notes_of_a_beta_are_no_releases() {
    let releases = ["v0.107.0-b.3", "v0.107.0", "v0.107.1-b.1", "v0.107.1"];
    let listed = || releases.iter().map(|&release| release.to_owned());
    let (from, to) = (Tag::parse("v0.106.0"), Tag::parse("v0.107.1"));
    assert_eq!(
        releases_between(&from, &to, listed()),
        ["v0.107.0", "v0.107.1"]
    );
    assert_eq!(between(&from, &to, listed()), ["v0.107.0", "v0.107.1"]);
}

#[test]
fn counters_order_the_releases_that_carry_them_too() {
    for (from, to, releases, expected) in [
        (
            "4.6.3-r1",
            "4.6.3-r3",
            &["4.6.3-r3", "4.6.3-r1", "4.6.3-r4", "4.6.3-r2"][..],
            &["4.6.3-r2", "4.6.3-r3"][..],
        ),
        (
            "1.2.3-ls5",
            "1.2.4-ls7",
            &[
                "1.2.3-ls5",
                "1.2.3-ls6",
                "1.2.4-ls7",
                "1.2.4-ls8",
                "1.2.4-ls9",
            ],
            &["1.2.3-ls6", "1.2.4-ls7"],
        ),
        (
            "1.2.3-ls9",
            "1.2.3-ls11",
            &["v1.2.3-ls10"],
            &["v1.2.3-ls10"],
        ),
        (
            "1.2-ls5",
            "1.2-ls7",
            &["1.2.3-ls6", "1.2.3-ls8"],
            &["1.2.3-ls6"],
        ),
        (
            "11.3.0",
            "11.3.1",
            &[
                "v11.3.0",
                "v11.3.0-security-01",
                "v11.3.1",
                "v11.3.1-security-01",
            ],
            &["v11.3.0-security-01", "v11.3.1"],
        ),
        (
            "11.3.0-security-01",
            "11.3.1",
            &[
                "v11.3.0",
                "v11.3.0+security-01",
                "v11.3.0+security-02",
                "v11.3.1",
            ],
            &["v11.3.0+security-02", "v11.3.1"],
        ),
        (
            "11.2.0",
            "11.3.0-security-01",
            &["v11.3.0", "v11.3.1"],
            &["v11.3.0"],
        ),
        (
            "17.6.1-ce.0",
            "17.6.2-ce.0",
            &["v17.6.1", "v17.6.2", "v17.7.0"],
            &["v17.6.2"],
        ),
        // Where there is a release of just the tag's numbers, more numbers come after it.
        (
            "0.8.6",
            "0.8.8",
            &["v0.8.6", "v0.8.6.2", "v0.8.7", "v0.8.8", "v0.8.8.1"],
            &["v0.8.6.2", "v0.8.7", "v0.8.8"],
        ),
        (
            "26.02",
            "26.03.1",
            &["v26.02", "v26.02.1", "v26.03", "v26.03.1"],
            &["v26.02.1", "v26.03", "v26.03.1"],
        ),
        // Else they belong to the tag that contains them.
        (
            "4.0.14",
            "4.0.15",
            &["v4.0.14.2939", "v4.0.15.2941"],
            &["v4.0.15.2941"],
        ),
        // Where the names say nothing of the counter, or of another one, the numbers decide.
        ("4.6.3-r1", "4.6.3-r3", &["4.6.3"], &[]),
        ("4.6.3-r1", "4.7.0-r1", &["4.6.3", "4.7.0"], &["4.7.0"]),
        ("4.6.3-r1", "4.6.3-r3", &["4.6.3-p2"], &[]),
        ("4.6.3-r1", "4.7.0-r1", &["4.7.0-p2"], &["4.7.0-p2"]),
        ("4.6.3", "4.7.0", &["4.6.3-r2", "4.7.0-r2"], &["4.7.0-r2"]),
    ] {
        let listed = releases.iter().map(|&release| release.to_owned());
        let found = notes_between(&Tag::parse(from), &Tag::parse(to), listed);
        assert_eq!(found, expected, "{from} -> {to}");
    }
}

#[test]
fn a_release_and_its_tag_are_one_version_with_and_without_prefix() {
    for (a, b, same) in [
        ("v1.2.3", "1.2.3", true),
        ("version-1.2.3", "v1.2.3", true),
        ("Release-v1.2.3", "1.2.3", true),
        ("RELEASE.2024-01-31T03-04-05Z", "2024-01-31T03-04-05Z", true),
        ("1.2.3", "1.2.30", false),
        ("4.10.0-r1", "4.10.0", false),
        ("v1.2.3-rc1", "1.2.3", false),
    ] {
        assert_eq!(same_version(a, b), same, "{a} {b}");
    }
}

/// Versions of one style, close enough together that order and equality both occur.
fn versions_in(prefix: &'static str, parts: usize, tail: &'static str) -> BoxedStrategy<String> {
    (
        prop::collection::vec(0_u64..3, parts),
        prop::sample::select(vec![
            "",
            "-rc1",
            "-rc.2",
            "-beta",
            "-beta10",
            "-alpha.1",
            "-dev.3",
            "-nightly.20240101",
            "-next.1",
        ]),
        0_u64..12,
    )
        .prop_map(move |(parts, prerelease, revision)| {
            let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
            let revision = if tail.ends_with("-r") {
                revision.to_string()
            } else {
                String::new()
            };
            format!("{prefix}{}{prerelease}{tail}{revision}", parts.join("."))
        })
        .boxed()
}

fn styles() -> impl Strategy<Value = BoxedStrategy<String>> {
    (
        prop::sample::select(vec!["", "v", "release-", "php8.2-"]),
        1_usize..4,
        prop::sample::select(vec![
            "",
            "-alpine",
            "-r",
            "-alpine-r",
            "-security-1",
            "-security-r",
        ]),
    )
        .prop_map(|(prefix, parts, tail)| versions_in(prefix, parts, tail))
}

/// Versions of any of those styles.
fn versions() -> impl Strategy<Value = String> {
    styles().prop_flat_map(|style| style)
}

/// Several versions of one style.
fn siblings() -> impl Strategy<Value = Vec<String>> {
    styles().prop_flat_map(|style| prop::collection::vec(style, 2..12))
}

/// Nothing orders `next`, nor `dev` and `nightly` with each other.
fn unknown_order(a: &Tag, b: &Tag) -> bool {
    let says = |tag: &Tag, word: &str| tag.as_str().contains(word);
    let apart = |left, right| says(a, left) && says(b, right) || says(a, right) && says(b, left);
    says(a, "next") || says(b, "next") || apart("dev", "nightly")
}

proptest! {
    #[test]
    fn only_one_style_compares(a in versions(), b in versions()) {
        let (a, b) = (Tag::parse(&a), Tag::parse(&b));
        prop_assert!(compare(&a, &b).is_none() || a.style() == b.style());
        prop_assert_eq!(compare(&a, &b), compare(&b, &a).map(Ordering::reverse));
    }

    #[test]
    fn the_order_is_strict_within_a_style(tags in siblings()) {
        let tags: Vec<Tag> = tags.iter().map(|tag| Tag::parse(tag)).collect();
        for a in &tags {
            for b in &tags {
                prop_assert_eq!(compare(a, b) == Some(Ordering::Equal), a == b);
                prop_assert!(compare(a, b).is_some() || unknown_order(a, b), "{} {}", a, b);
                for c in &tags {
                    if compare(a, b) == Some(Ordering::Less) && compare(b, c) == Some(Ordering::Less) {
                        prop_assert_eq!(compare(a, c), Some(Ordering::Less));
                    }
                }
            }
        }
    }

    #[test]
    fn an_upgrade_goes_one_way_only(a in versions(), b in versions()) {
        let (a, b) = (Tag::parse(&a), Tag::parse(&b));
        if upgrade(&a, &b).is_ok() {
            prop_assert_eq!(compare(&a, &b), Some(Ordering::Less));
            prop_assert!(upgrade(&b, &a).is_err());
        }
    }

    #[test]
    fn any_two_texts_get_an_answer(a in ".{0,40}", b in ".{0,40}") {
        let _ = upgrade(&Tag::parse(&a), &Tag::parse(&b));
        let _ = same_version(&a, &b);
        let _ = crate::respelled(&a, &b);
        let _ = crate::is_of_line(&a, &b);
    }

    #[test]
    fn steps_rise_and_end_at_the_target(tags in siblings()) {
        let (from, to) = (Tag::parse(&tags[0]), Tag::parse(&tags[1]));
        let steps = between(&from, &to, tags.iter().cloned());
        let mut previous = from.clone();
        for step in &steps {
            let step = Tag::parse(step);
            prop_assert!(upgrade(&previous, &step).is_ok());
            previous = step;
        }
        if upgrade(&from, &to).is_ok() {
            prop_assert_eq!(steps.last().map(String::as_str), Some(to.as_str()));
        }
    }
}

/// Every row of `table.txt`; the way back of an upgrade is none.
#[test]
fn the_table_of_real_pairs_holds() {
    let rows = include_str!("table.txt").lines();
    let rows: Vec<&str> = rows
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
        .collect();
    assert!(rows.len() >= 200, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let mut words = row.split(' ');
        let (Some(from), Some(to), Some(expected), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            unreachable!("{row}")
        };
        let found = match check(from, to) {
            Ok(Jump::Patch) => "patch",
            Ok(Jump::Minor) => "minor",
            Ok(Jump::Major) => "major",
            Err(Refusal::SameTag { .. }) => "same",
            Err(Refusal::Floating { .. }) => "floating",
            Err(Refusal::Unordered { .. }) => "unordered",
            Err(Refusal::OtherStyle { .. }) => "style",
            Err(Refusal::Prerelease { .. }) => "early",
            Err(Refusal::NotNewer { .. }) => "older",
        };
        let back = check(from, to).is_ok() && check(to, from).is_ok();
        if found != expected || back {
            wrong.push(format!("{row}: {found}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
