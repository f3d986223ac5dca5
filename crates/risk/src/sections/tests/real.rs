//! Headings and pages as real projects write them.

use super::*;

#[test]
fn a_heading_is_told_without_addresses() {
    for (heading, told) in [
        ("[1.2.3](https://a/b) (2026-01-02)", "1.2.3 (2026-01-02)"),
        (
            "Changes in [2.8.1](https://a/b) - [x](y)",
            "Changes in 2.8.1 - x",
        ),
        ("[1.2.3] - 2026-01-02", "[1.2.3] - 2026-01-02"),
        ("1.2.3](x)", "1.2.3](x)"),
        ("[1.2.3](x", "[1.2.3](x"),
    ] {
        let text = format!("## {heading}\na\n");
        assert_eq!(sections(&text)[0].heading, told, "{heading}");
    }
}

#[test]
fn a_prerelease_may_be_set_apart_from_its_version() {
    for (heading, version) in [
        (
            "Redis 7.0 RC3   Released Tue Apr 5 12:00:00 UTC 2022",
            "7.0-rc3",
        ),
        ("Valkey 7.2.4 RC1  -  Released Tue 09 Apr 2024", "7.2.4-rc1"),
        ("2.0.0 RC1 - 2020-01-15", "2.0.0-rc1"),
        ("2.0.0 (RC1)", "2.0.0-rc1"),
        ("2.0.0 - RC 1", "2.0.0-rc1"),
        ("2.0.0 RC", "2.0.0-rc"),
        ("Version 1.1.0 Beta 2", "1.1.0-beta2"),
        ("v2.0.0 alpha1", "v2.0.0-alpha1"),
        ("2.0.0 Release Candidate 1", "2.0.0-rc1"),
        ("2.0.0-RC1", "2.0.0-RC1"),
        // Some call each release so.
        ("0.9.1 (beta)", "0.9.1"),
        ("2.0.0 Release", "2.0.0"),
    ] {
        let text = format!("## {heading}\na\n## 0.1.0\nold\n");
        let found = sections(&text);
        assert_eq!(found[0].version, version, "{heading}");
    }
    check(
        "## 2.0.0 - 2020-01-17\na\n## 2.0.0 RC1 - 2020-01-15\nb\n",
        &[("2.0.0", "a"), ("2.0.0-rc1", "b")],
    );
}

#[test]
fn ways_to_a_version_are_headings_where_there_are_no_others() {
    check(
        "= Upgrading\n=== Migrating to 14.0.0\n==== Policies\na\n=== Upgrading from 12.0 to 13.0.0\nb\n",
        &[("14.0.0", "==== Policies\na"), ("13.0.0", "b")],
    );
    check(
        "## 1.2.0\na\n### Upgrading to 1.2.0\nb\n## 1.1.0\nc\n",
        &[("1.2.0", "a\n### Upgrading to 1.2.0\nb"), ("1.1.0", "c")],
    );
    check("## Migrating to Postgres 14.1 is easy\na\n", &[]);
}

#[test]
fn the_title_of_a_page_about_a_line_is_no_release() {
    let page = "# Release notes for App 1.26\n\nHistory of changes.\n\n";
    check(
        &format!("{page}## Version 1.26.0-rc1\na\n"),
        &[("1.26.0-rc1", "a")],
    );
    check(
        &format!("{page}## Version 1.26.1\nb\n## Version 1.26.0\na\n"),
        &[("1.26.1", "b"), ("1.26.0", "a")],
    );
    check(
        "Redis 7.0 release notes\n=======================\n\nLOW: no need.\n\n\
         Redis 7.0.1 Released Wed\n========================\na\n\
         Redis 7.0.0 GA Released Wed\n===========================\nb\n",
        &[("7.0.1", "a"), ("7.0.0", "b")],
    );
    // With changes of its own it is one.
    check(
        "# Release notes 1.26\n- all new\n## 1.26.1\na\n",
        &[("1.26", "- all new"), ("1.26.1", "a")],
    );
}

#[test]
fn a_release_with_two_versions_is_found_by_both() {
    for (heading, other) in [
        ("1.1.0/0.9.7 (April 25th, 2018)", "0.9.7"),
        ("1.1.0 / 0.9.7", "0.9.7"),
        ("1.1.0, 0.9.7", "0.9.7"),
        ("1.1.0 and 0.9.7", "0.9.7"),
        ("[1.1.0 = 10.1.0.7] 20220205", "10.1.0.7"),
        ("1.1.0/v0.9.0-rc18", "v0.9.0-rc18"),
    ] {
        check(
            &format!("## 1.2.0\na\n## {heading}\nb\n## 1.0.0\nc\n"),
            &[("1.2.0", "a"), ("1.1.0", "b"), (other, "b"), ("1.0.0", "c")],
        );
    }
    check(
        "## v1.0.0-rc18/v0.9.1\na\n## v1.0.0-rc17/v0.9.0\nb\n",
        &[
            ("v1.0.0-rc18", "a"),
            ("v0.9.1", "a"),
            ("v1.0.0-rc17", "b"),
            ("v0.9.0", "b"),
        ],
    );
}

#[test]
fn a_version_that_is_not_chosen_yet_is_none() {
    check(
        "Version 2025.xxxx\n- new\n\nVersion 2025.2 (October 13th 2025)\n- a\n\nVersion 2025.1\n- b\n",
        &[("2025.2", "- a"), ("2025.1", "- b")],
    );
    check(
        "## v2025.x - unreleased\nnew\n## v2025.2\na\n",
        &[("v2025.2", "a")],
    );
}

#[test]
fn a_date_may_be_written_without_anything_between() {
    check(
        "## Changelog\nVersion 6.3.0 20181030\n * a\n\nVersion 6.2.1 20180905\n * b\n",
        &[("6.3.0", "* a"), ("6.2.1", "* b")],
    );
}

#[test]
fn what_stands_above_all_releases_ends_the_last() {
    check(
        "# Changelog\n## 1.2\na\n## 1.1\nb\n# Contributing\nYou must\n",
        &[("1.2", "a"), ("1.1", "b")],
    );
    // Some set the parts of a release higher than the release.
    check(
        "## 1.2\n# New\na\n## 1.1\n# New\nb\n",
        &[("1.2", "# New\na"), ("1.1", "# New\nb")],
    );
    check(
        "# Changelog\n## 1.2\na\n## 1.1\nb\n## Earlier\nc\n",
        &[("1.2", "a"), ("1.1", "b\n## Earlier\nc")],
    );
}
