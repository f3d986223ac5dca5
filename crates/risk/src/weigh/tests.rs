use super::*;

fn told(body: &str) -> Vec<(Kind, Option<&'static str>)> {
    let note = Note {
        version: "2.0.0".to_owned(),
        title: None,
        body: body.to_owned(),
        url: String::new(),
    };
    let told = weigh(&[note]).into_iter();
    told.map(|line| (line.kind, line.lowered)).collect()
}

#[test]
fn what_wants_something_of_people_counts() {
    for (line, kind) in [
        ("You must now set SITE_SECRET.", Kind::Action),
        ("The port moved from 3000 to 8080.", Kind::Breaking),
        ("This release requires PostgreSQL 14.", Kind::Action),
        ("feat!: sessions in Redis", Kind::Breaking),
        ("BREAKING CHANGE: tokens are short-lived", Kind::Breaking),
        ("The option `legacy_auth` was removed.", Kind::Removed),
        ("The option `a` was re\u{200b}mo\u{ad}ved.", Kind::Removed),
        ("`OLD_NAME` -> `NEW_NAME`", Kind::Renamed),
        (
            "The first start may take hours while tables are rebuilt.",
            Kind::Database,
        ),
        ("Back up your data before upgrading.", Kind::Action),
        ("- No longer supports MySQL 5.7", Kind::Removed),
        (
            "- No more support for PHP 7, support for it was dropped",
            Kind::Removed,
        ),
        ("- Needs manual intervention", Kind::Action),
        ("- **Action** required: x", Kind::Action),
        ("- action&nbsp;required: x", Kind::Action),
        ("- a database\u{a0}migration runs", Kind::Database),
        ("- None of the old settings work any more", Kind::Removed),
        ("- No more support for PHP 7", Kind::Removed),
        ("- `foo` removed", Kind::Removed),
        ("- Config option foo removed", Kind::Removed),
        ("- flag removed", Kind::Removed),
        (
            "No breaking changes, except that FOO was removed",
            Kind::Breaking,
        ),
        ("Upgrade to 2.5 first, then to 3.0.", Kind::Migration),
    ] {
        let found = told(line);
        let counts = found.iter().any(|(_, lowered)| lowered.is_none());
        assert!(counts, "{line}: {found:?}");
        assert!(kind == found[0].0 || counts, "{line}: {found:?}");
    }
}

#[test]
fn what_is_harmless_is_told_with_its_reason() {
    for (line, reason) in [
        (
            "There are no breaking changes in this release.",
            "it says that there is none",
        ),
        (
            "Bump pg from 8.11 to 8.12, which drops support for Node 16, by @dependabot",
            "it is about a dependency",
        ),
        (
            "chore(deps)!: update dependency x to v2",
            "it is about a dependency",
        ),
        (
            "- removed unused helper class for settings",
            "it is about internals or looks",
        ),
        ("> The option `a` was removed.", "it quotes somebody else"),
        ("```\nThe option `a` was removed.\n```", "it stands in code"),
        (
            "- Fix removed option `a` being read",
            "it tells what was mended",
        ),
        (
            "The setting `a` will be removed in a future release.",
            "it announces something for later",
        ),
        (
            "The option `a` was renamed to `b`; the old name still works.",
            "the old way goes on",
        ),
        ("Fixes CVE-2026-1234.", "it closes a weakness"),
        (
            "No breaking changes. Parsing works except for tabs.",
            "it says that there is none",
        ),
        (
            "No breaking changes, but many fixes",
            "it says that there is none",
        ),
        (
            "It does not need manual intervention.",
            "it says that there is none",
        ),
    ] {
        let found = told(line);
        assert_eq!(
            found.first().and_then(|(_, lowered)| *lowered),
            Some(reason),
            "{line}"
        );
        assert!(
            found.iter().all(|(_, lowered)| lowered.is_some()),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn the_heading_above_weighs_with_a_line() {
    assert_eq!(
        told("## Breaking changes\n- sessions live in Redis\n"),
        [
            (Kind::Breaking, Some("it is a heading")),
            (Kind::BreakingSection, None)
        ]
    );
    assert!(
        told("## Breaking changes\n\nNone.\n")
            .iter()
            .all(|(_, lowered)| lowered.is_some())
    );
    assert!(
        told("## Breaking changes\n\n## Features\n- more of it\n")
            .iter()
            .all(|(_, lowered)| lowered.is_some())
    );
    assert_eq!(
        told("### Removed\n- the export to Gopher\n"),
        [(Kind::Removed, None)]
    );
}

#[test]
fn code_hides_what_it_holds_and_nothing_else() {
    let gone = "- The option `a` was removed.\n";
    for before in [
        "```docker pull x:1```",
        "````\nx\n````",
        "- ```yaml\n  a: b\n  ```",
        "1. ```bash\n   x\n   ```",
        "API\n~~~\n",
        "```",
        "<!-- oops",
        "<!-- a -->",
        "<!-- a\n-->",
    ] {
        let found = told(&format!("{before}\n{gone}"));
        assert_eq!(found, [(Kind::Removed, None)], "{before}");
        let hidden = told(&format!("{before}\n```\n{gone}```\n"));
        let reason = Some("it stands in code");
        let expected = if before == "```" { None } else { reason };
        assert_eq!(hidden, [(Kind::Removed, expected)], "{before}");
    }
    assert_eq!(told(&format!("<!-- x -->{gone}")), [(Kind::Removed, None)]);
}

#[test]
fn sentences_end_at_a_mark_before_a_space() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(sentences(text).collect::<Vec<_>>(), expected, "{text}");
    };
    check("a. b! c", &["a. ", "b! ", "c"]);
    check("a.b; c?", &["a.b; ", "c?"]);
    check("甲。乙", &["甲。", "乙"]);
    check("", &[]);
    // Quadratic time would show here.
    assert_eq!(sentences(&"a. ".repeat(300_000)).count(), 300_000);
    for text in ["](", "<a ", "<!", "<img"] {
        assert_eq!(
            without_markup(&text.repeat(300_000)).len(),
            text.len() * 300_000
        );
    }
}

#[test]
fn what_is_gone_denies_nothing_of_its_section() {
    let found = told(
        "### Breaking\n- No longer supports MySQL 5.7\n- Old sessions are dropped from the store\n",
    );
    let counting = found.iter().filter(|(_, lowered)| lowered.is_none());
    assert_eq!(counting.count(), 2, "{found:?}");
}

#[test]
fn headings_are_read_by_whole_words() {
    for heading in [
        "Latest changes",
        "Special notes",
        "Rebuilding the index",
        "Specification",
        "Social login",
        "Official builds",
        "Debugging",
    ] {
        let found = told(&format!("### {heading}\n- The setting `foo` was removed\n"));
        assert_eq!(found.last(), Some(&(Kind::Removed, None)), "{heading}");
    }
    for heading in ["Tests", "CI", "Build system", "Refactoring", "Dependencies"] {
        let found = told(&format!("### {heading}\n- The setting `foo` was removed\n"));
        let reason = Some("it stands among what concerns developers");
        assert_eq!(found, [(Kind::Removed, reason)], "{heading}");
    }
    assert_eq!(
        told("### Major Changes\n- abc1234: Switch to ESM\n"),
        [(Kind::BreakingSection, None)]
    );
}

#[test]
fn only_the_blocks_of_bumps_quote_somebody_else() {
    let gone = "- The setting `foo` was removed";
    for (before, quoted) in [
        ("<details><summary>Full changelog</summary>", false),
        ("<details>\n<summary>Release notes</summary>", false),
        (
            "Bumps [x](https://x.example) from 1.2 to 2.0.\n\n<details>\n<summary>Release notes</summary>",
            true,
        ),
        (
            "- chore(deps): bump x from 1 to 2\n<details><summary>Commits</summary>\na\n</details>\n\
             <details><summary>Changelog</summary>",
            true,
        ),
        (
            "<details>\n<summary>acme/thing (docker.io/acme/thing)</summary>",
            true,
        ),
        (
            "<details><summary>Changelog</summary>\n<p>Sourced from x's changelog</p>",
            true,
        ),
        (
            "Bumps x from 1.2 to 2.0.\n\nOur own:\n\n<details><summary>Changelog</summary>",
            false,
        ),
    ] {
        let found = told(&format!("{before}\n\n{gone}\n\n</details>\n"));
        let reason = quoted.then_some("it quotes somebody else");
        assert_eq!(found, [(Kind::Removed, reason)], "{before}");
        let again = gone.replace("foo", "bar");
        let found = told(&format!("{before}\n\n{gone}</details>\n{again}"));
        assert_eq!(
            found,
            [(Kind::Removed, reason), (Kind::Removed, None)],
            "{before}"
        );
    }
}

/// The lines that count, of notes that begin at 1.0.0.
fn counting(body: &str) -> Vec<String> {
    let note = Note {
        version: "1.0.0".to_owned(),
        title: None,
        body: body.to_owned(),
        url: String::new(),
    };
    let told = weigh(&[note]).into_iter();
    let counts = told.filter(|line| line.lowered.is_none());
    counts.map(|line| line.quote).collect()
}

#[test]
fn the_number_of_a_change_says_the_same_before_it_and_behind_it() {
    for lead in [
        "",
        "[#12](https://a/b/pull/12) ",
        "[#12](https://a/b/pull/12) - ",
        "[1234](https://a/b/pull/1234) **someone** ",
        "[1234](https://a/b/pull/1234): ",
        "#12 ",
        "PR #12: ",
        "0a1b2c3d ",
    ] {
        for rest in [
            "Remove the legacy api",
            "feat!: sessions in Redis",
            "Breaking change on tokens. Find out what has to be done",
        ] {
            let line = format!("- {lead}{rest}");
            assert_eq!(counting(&line).len(), 1, "{line}");
        }
        let line = format!("- {lead}Remove an unused helper class");
        assert!(counting(&line).is_empty(), "{line}");
    }
}

#[test]
fn what_is_filed_under_breakage_counts_however_it_begins() {
    for line in [
        "Fix: tokens end after an hour as they did before",
        "Fixed the default: it is five seconds",
        "refactor: drop python 3.8",
        "docs: the page moved",
        "Improve the layout of the file",
    ] {
        let body = format!("### Breaking Changes\n\n- {line}\n");
        assert_eq!(counting(&body), [format!("- {line}")], "{line}");
    }
    assert!(counting("### Breaking Changes\n\n- chore(deps): bump a from 1 to 2\n").is_empty());
}

#[test]
fn an_item_may_be_the_heading_of_those_within_it() {
    let body = "* BREAKING\n  * Sessions last one hour\n* FEATURES\n  * Boards have colours\n\
                * BUGFIXES\n  * Boards close\n";
    assert_eq!(counting(body), ["* Sessions last one hour"]);
    let body = "- Breaking changes:\n  - Sessions last one hour\n\nThe team wishes you well.\n";
    assert_eq!(counting(body), ["- Sessions last one hour"]);
    let body = "* **Breaking** news widget\n  * Boards have colours\n";
    assert!(counting(body).is_empty(), "{:?}", counting(body));
    // It stands in each release, and what is within it does not.
    let notes: Vec<Note> = ["1.1.0", "1.2.0", "1.3.0"]
        .map(|version| Note {
            version: version.to_owned(),
            title: None,
            body: format!("* BREAKING\n  * Sessions last {version} hours\n"),
            url: String::new(),
        })
        .into();
    let counts = weigh(&notes).into_iter();
    let counts = counts.filter(|line| line.lowered.is_none()).count();
    assert_eq!(counts, 3);
}

#[test]
fn what_breaks_may_have_headings_beside_the_one_that_says_so() {
    let body = "### Breaking changes\n\n### Boards are private from now on\n\nEach of them has an owner.\n\n\
                ### Sessions are short from now on\n\nThey last an hour at most.\n\n\
                ### Deprecations\n\nThe second look is going away.\n";
    let counts = counting(body);
    for line in ["Each of them has an owner.", "They last an hour at most."] {
        assert!(counts.iter().any(|quote| quote == line), "{counts:?}");
    }
    assert!(!counts.iter().any(|quote| quote.contains("second look")));
    let body = "### Breaking changes\n\n### Features\n\nEach board has an owner.\n";
    assert!(counting(body).is_empty(), "{:?}", counting(body));
}

#[test]
fn lines_of_real_projects_in_other_words() {
    for line in [
        // Names in plain quotes, several of them.
        "*) Change: the \"a_b\", \"c_d\", and\n   \"e_f\" directives have been removed.",
        "**Once more: before you run this version in production, make sure to read the guide.**",
        "### Deprecation\n\n- The flag `old`, deprecated since 0.9, has been removed.",
        "#### Removed\n\n- [#12](https://a/b/issues/12) Dropped support for PHP 7",
        "- The API key is no longer optional",
        "- There are some changes to defaults in the compose file",
        "- Renaming AllowList to PermitList",
        "This requires modification of the `CACHE` parameter.",
        "Please modify the `CACHE` parameter.",
        "### Bug Fixes\n\n- **core:** Remove --tunnel option",
        "Going back will delete all the data.",
        "As of 1.0.0, it requires Redis 7.",
        "* BREAKING: drop the second look ([#6](https://a/b/6))",
        "* **breaking** use the first look instead of the second (#7)",
        "- [#8](https://a/b/8) *: *breaking :warning:* Use histograms",
        "* Fix the look ([#9](https://a/b/9)). This is a breaking change.",
        "* [CHANGE] Store: blocks are read another way. #10",
        "* Boards have owners. Users with boards of their own must name one. #11",
        "> **Please make sure that the cluster is at least v1.21 before upgrading.**",
        "> Warning: it now requires **Postgres 12+**.",
        "> ⚠️ You must run the migration",
        "If upgrading from 0.9, build all indexes anew",
        "The images on the old registry are **deprecated**; only the images on the new one are supported.",
        "The receiver is on by default; `--receiver` is still available and MUST be set to `false`",
        "WARNING: Since version 1.0, the query is not executed",
        "Postgres 11 is not supported with this version.",
        "* It will now reject connections without a certificate",
        "- Change default interface of web from 0.0.0.0 to 127.0.0.1 (#12)",
        "### Removed\n\n- Tokens in addresses. Use `Authorization`. - [GHSA-x9p5-w45c-7ffc](https://a/b)",
        "- Removed the `token` parameter, use the header (CVE-2026-1234)",
        "- change default internal port to 5055",
        "It does not introduce any new requirements, but contains some breaking changes, see above.",
        "**BC break:** a name has 60 characters at most.",
        "- On `web` and `web-internal`: Remove the `SERVER_URL` environment variable.",
        "- Change `MAIL_SSL_VERIFY` to `MAIL_SSL_NO_VERIFY` (#1)",
        "- Depends on php7.3+",
        "### Various fixes & improvements\n\n- Removed support for PostgreSQL 12",
        "## Significant Changes\n\n### The gauge `a.b` does no longer exist (#12)\n\nIt was always 0.",
    ] {
        assert!(!counting(line).is_empty(), "{line}");
    }
    for line in [
        "*) Bugfix: connections might be dropped while the configuration was removed.",
        "- It was removed in 0.9 already",
        "- Fixed a crash that affects versions 0.9.0 or newer of the app",
        "> The old project said: the option `a` was removed.",
        "### Bug fixes\n\n- Removed support for a second click",
        "- Deny stage",
        "## Breaking changes\n\nTypically, no changes to the configuration are required.",
        "### Bug Fixes\n\n- A document is closed when its folder was deleted",
    ] {
        assert!(counting(line).is_empty(), "{line}: {:?}", counting(line));
    }
}

#[test]
fn a_title_that_says_so_makes_all_of_it_breakage() {
    let note = Note {
        version: "1.0.0".to_owned(),
        title: Some("Breaking in v1.0.0".to_owned()),
        body: "- The header is not set by the endpoint\n".to_owned(),
        url: String::new(),
    };
    let told = weigh(&[note]);
    assert!(
        told.iter()
            .any(|line| line.kind == Kind::BreakingSection && line.lowered.is_none()),
        "{told:?}"
    );
}

#[test]
fn a_line_that_stands_twice_in_a_release_is_told_once() {
    let body = "- The option `a` was removed.\n\n## All changes\n\n- The option `a` was removed.\n";
    assert_eq!(counting(body).len(), 1);
}
