use super::*;
use proptest::prelude::*;

mod real;

fn found(text: &str) -> Vec<(String, String)> {
    let sections = sections(text).into_iter();
    sections
        .map(|section| (section.version, section.body.trim().to_owned()))
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(version, body)| ((*version).to_owned(), (*body).to_owned()))
        .collect();
    assert_eq!(found(text), expected, "{text}");
}

#[test]
fn one_version_is_not_taken_for_another_that_begins_like_it() {
    check(
        "# Changelog\n\n## 1.2.11\nc\n\n## 1.2.10\nb\n\n## 1.2.1\na\n",
        &[("1.2.11", "c"), ("1.2.10", "b"), ("1.2.1", "a")],
    );
}

#[test]
fn headings_are_found_in_every_usual_markup() {
    for (heading, version) in [
        ("## 1.2.3", "1.2.3"),
        ("## v1.2.3", "v1.2.3"),
        ("## [1.2.3]", "1.2.3"),
        ("## [1.2.3] - 2026-01-02", "1.2.3"),
        (
            "## [v1.2.3](https://example.org/compare/v1.2.2...v1.2.3) (2026-01-02)",
            "v1.2.3",
        ),
        ("# 2026-01-02 - 1.2.3", "1.2.3"),
        ("### Version 1.2.3 (January 2nd, 2026)", "1.2.3"),
        ("## 🚀 Release 1.2.3 🎉", "1.2.3"),
        ("## ~~1.2.3~~ [YANKED]", "1.2.3"),
        ("## **1.2.3**", "1.2.3"),
        ("**v1.2.3**", "v1.2.3"),
        ("__1.2.3__", "1.2.3"),
        ("**1.2.3:**", "1.2.3"),
        ("<h2>1.2.3</h2>", "1.2.3"),
        ("<h3 id=\"v1\">Version 1.2.3</h3>", "1.2.3"),
        ("1.2.3\n=====", "1.2.3"),
        (
            "Synapse 1.125.0 (2025-02-11)\n============================",
            "1.125.0",
        ),
        ("1.2.3 / 2026-01-02\n------------------", "1.2.3"),
        ("## app@1.2.3", "1.2.3"),
        ("## @scope/app@1.2.3", "1.2.3"),
        ("## app-v1.2.3", "v1.2.3"),
        ("## release/1.2", "1.2"),
        ("## version/2026.2.3", "2026.2.3"),
        ("## What's new in 2026.2", "2026.2"),
        ("## Changes in 4.7.0", "4.7.0"),
        ("## Home Assistant 2026.2.1", "2026.2.1"),
        ("## 4.6.3-r1", "4.6.3-r1"),
        ("## 1.2.0-rc.1 (2026-01-02)", "1.2.0-rc.1"),
        ("## 1.2.3 \"Dizzy Dolphin\"", "1.2.3"),
        ("## 1.2.3 - The Big One", "1.2.3"),
        ("## Version 12", "12"),
        ("## v12", "v12"),
        ("## v1.0.32.0", "v1.0.32.0"),
        ("## 1.2.3 ##", "1.2.3"),
        ("## `1.2.3`", "1.2.3"),
    ] {
        check(
            &format!("{heading}\ntext\n\n# 0.0.9\nold\n"),
            &[(version, "text"), ("0.0.9", "old")],
        );
    }
}

#[test]
fn what_only_looks_like_a_versions_heading_stays_in_its_section() {
    for inner in [
        "### Upgrading from 1.2.1",
        "### Migration to 2.0",
        "### Support for Python 3.12",
        "### PostgreSQL 14 is required",
        "### Changes since 1.2.0",
        "### 12 bugs fixed",
        "## 2.0 migration guide",
        "```\n## 9.9.9\n```",
        "~~~\n9.9.9\n=====\n~~~",
        "<!-- ## 9.9.9 -->",
        "<!--\n## 9.9.9\n-->",
        "> ## 9.9.9",
        "    ## 9.9.9",
        "1.0.0 was the last one with it.",
        "#9.9.9",
        "### 1.x",
    ] {
        let text = format!("## 1.2.3\na\n{inner}\nb\n\n## 1.2.2\nc\n");
        let sections = sections(&text);
        let versions: Vec<&str> = sections
            .iter()
            .map(|section| section.version.as_str())
            .collect();
        assert_eq!(versions, ["1.2.3", "1.2.2"], "{inner}");
        assert!(sections[0].body.contains(inner), "{inner}");
    }
}

#[test]
fn what_is_not_released_belongs_to_no_version() {
    check(
        "# Changelog\n## [Unreleased]\n- breaking\n## 1.2.3\na\n",
        &[("1.2.3", "a")],
    );
    check(
        "## 1.2.3\na\n## Unreleased\n- breaking\n## 1.2.2\nb\n",
        &[("1.2.3", "a"), ("1.2.2", "b")],
    );
    check("## 1.2.3\na\n# Next\nb\n", &[("1.2.3", "a")]);
    check(
        "# 1.3.0\n# Next steps\na\n# Deprecations in upcoming releases\nb\n# 1.2.0\nc\n",
        &[
            (
                "1.3.0",
                "# Next steps\na\n# Deprecations in upcoming releases\nb",
            ),
            ("1.2.0", "c"),
        ],
    );
}

#[test]
fn a_heading_without_a_version_ends_no_release() {
    for inner in [
        "# Breaking changes",
        "**Breaking changes**",
        "### Breaking",
        "Text before\n----\ncode\n----",
    ] {
        for [new, old] in [
            ["## 1.3.0", "## 1.2.0"],
            ["1.3.0 (2026-01-02)", "1.2.0 (2026-01-01)"],
            ["Version 1.3.0", "Version 1.2.0"],
            ["**v1.3.0**", "**v1.2.0**"],
            ["= 1.3.0 =", "= 1.2.0 ="],
            ["== 1.3.0", "== 1.2.0"],
            ["1.3.0\n=====", "1.2.0\n====="],
        ] {
            let text = format!("{new}\n\n{inner}\n\n- gone\n\n{old}\n\n{inner}\n- old\n");
            let bodies: Vec<String> = found(&text).into_iter().map(|(_, body)| body).collect();
            let expected = [format!("{inner}\n\n- gone"), format!("{inner}\n- old")];
            assert_eq!(bodies, expected, "{text}");
        }
    }
}

/// Headings of other things, some with a version that a release of the file could have.
const OTHER_THINGS: [&str; 34] = [
    "### Electron 28.1.0",
    "### OAuth 2.0",
    "### Go 1.22",
    "### Alpine 3.20",
    "### .NET 8.0",
    "### TLS 1.3",
    "### Auth v2",
    "### Compose v2",
    "**Vue 3.4**",
    "**Caddy v2.8.4**",
    "#### Chart: 5.2.0",
    "### App Version: 5.2.0",
    "### HTTP/1.1",
    "### `/api/v1`",
    "### docker-compose.v2.yml",
    "### Performance (1.5x)",
    "#### 127.0.0.1",
    "### Security release: CVE-2024-12345",
    "### Removal in 2.0",
    "### Coming in 2.0",
    "### Roadmap v2.0",
    "### Deprecation (2.0)",
    "### Known issue in 1.3.5",
    "### Planned for 1.3.1",
    "### 1.4.0 preview",
    "### v2",
    "### 2.0",
    "### Fixed in 1.0.9",
    "### Log4j-2.17.1",
    "### Frontend v2.1.0",
    "# OAuth 2.0",
    "# Electron 1.2.5",
    "Electron 28.1.0\n~~~~~~~~~~~~~~~",
    "Roadmap for 2.0\n===============",
];

#[test]
fn other_things_with_a_version_end_no_release() {
    let manners: [fn(&str) -> String; 7] = [
        |name| format!("## {name}"),
        |name| format!("# {name}"),
        |name| format!("# Acme {name}"),
        |name| format!("## app@{name}"),
        |name| format!("**{name}**"),
        |name| format!("Version {name}"),
        |name| format!("{name}\n=========="),
    ];
    for inner in OTHER_THINGS {
        for manner in manners {
            let body = format!("{inner}\n- x\n\n### Breaking\n- the flag was removed");
            let unreleased = manner("Unreleased")
                .replace("app@", "")
                .replace("Version ", "");
            let soon = if inner.starts_with("# ") { "" } else { inner };
            let [new, middle, old] = ["1.3.0", "1.2.0", "1.1.0"].map(manner);
            let text = format!(
                "# Changelog\n\n{unreleased}\n\n{soon}\n- soon\n\n\
                 {new}\n\n{body}\n\n{middle}\n\n{body}\n\n{old}\n- old\n"
            );
            let bodies: Vec<String> = sections(&text)
                .into_iter()
                .filter(|section| section.line > 6)
                .map(|section| section.body.trim().to_owned())
                .collect();
            let expected = [body.clone(), body, "- old".to_owned()];
            assert_eq!(bodies, expected, "{text}");
        }
        // Where nothing follows, this may be the project's former name.
        if inner == "# Electron 1.2.5" {
            continue;
        }
        let text = format!("# Changelog\n\n## 1.3.0\n{inner}\n- x\n# Breaking\n- removed\n");
        let found = sections(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

#[test]
fn a_project_with_a_new_name_goes_on() {
    check(
        "# Newname 1.3.0\nc\n# Newname 1.2.0\nb\n# Oldname 1.1.0\na\n# 1.0.0\nfirst\n",
        &[
            ("1.3.0", "c"),
            ("1.2.0", "b"),
            ("1.1.0", "a"),
            ("1.0.0", "first"),
        ],
    );
    check(
        "# 1.2.0\nc\n## 1.1.1\nb\n# 1.1.0\na\n## Fixed in 1.1.1\nx\n",
        &[
            ("1.2.0", "c"),
            ("1.1.1", "b"),
            ("1.1.0", "a"),
            ("1.1.1", "x"),
        ],
    );
}

#[test]
fn what_is_spoken_of_before_the_releases_does_not_hide_them() {
    let versions = |text: &str| -> Vec<String> {
        let sections = sections(text).into_iter();
        sections.map(|section| section.version).collect()
    };
    for front in [
        "### Python 3.8\n\n### Python 3.9\n",
        "## Python 3.8\n\n## Python 3.9\n",
        "**Python 3.8**\n\n**Python 3.9**\n",
    ] {
        for name in ["", "Acme "] {
            let text = format!(
                "# Changelog\n\n{front}\n## {name}1.3.0\nc\n\n## {name}1.2.0\nb\n\n## {name}1.1.0\na\n"
            );
            let found = versions(&text);
            assert!(
                found.ends_with(&["1.3.0", "1.2.0", "1.1.0"].map(str::to_owned)),
                "{text}: {found:?}"
            );
        }
    }
}

#[test]
fn code_and_comments_hide_headings_only_where_they_end() {
    for inner in [
        "```docker pull x:1```",
        "````\n## 9.9.9\n````",
        "- ```yaml\n  a: b\n  ```",
        "1. ```bash\n   ## 9.9.9\n   ```",
        "API\n~~~\n\ntext",
        "```",
        "````\n```",
        "<!-- oops",
    ] {
        check(
            &format!("## 1.3.0\n{inner}\n\n## 1.2.0\nb\n\n## 1.1.0\na\n"),
            &[("1.3.0", inner), ("1.2.0", "b"), ("1.1.0", "a")],
        );
    }
}

#[test]
fn versions_below_their_line_are_sections_of_their_own() {
    check(
        "## 1.2\nfirst\n### 1.2.1\nb\n### 1.2.0\na\n## 1.1\nold\n",
        &[
            ("1.2", "first"),
            ("1.2.1", "b"),
            ("1.2.0", "a"),
            ("1.1", "old"),
        ],
    );
    check(
        "# 1.2.3\na\n# Features\nb\n# 1.2.2\nc\n",
        &[("1.2.3", "a\n# Features\nb"), ("1.2.2", "c")],
    );
}

#[test]
fn lines_that_nothing_marks_are_headings_where_nothing_else_is() {
    check(
        "Version 4.7.0 'Gorst':\n\t- removed a\n\t- 4.6.0 is old\n\nVersion 4.6.3 'Gorst':\n\t- b\n",
        &[("4.7.0", "- removed a\n\t- 4.6.0 is old"), ("4.6.3", "- b")],
    );
    check(
        "1.2.3 (2026-01-02)\n\n- a\n\n1.2.2 (2025-12-01)\n\n1.2.1 was bad, so this is out.\n",
        &[
            ("1.2.3", "- a"),
            ("1.2.2", "1.2.1 was bad, so this is out."),
        ],
    );
    check("no versions at all\n", &[]);
    check("", &[]);
}

#[test]
fn lists_that_begin_with_the_oldest_are_read_as_well() {
    check(
        "# 1.0.0\na\n# 1.1.0\nb\n",
        &[("1.0.0", "a"), ("1.1.0", "b")],
    );
}

#[test]
fn packages_of_a_monorepo_are_told_apart() {
    let text = "## web@1.2.0\na\n## server@1.2.0\nb\n";
    let packages: Vec<Option<String>> = sections(text)
        .into_iter()
        .map(|section| section.package)
        .collect();
    assert_eq!(
        packages,
        [Some("web".to_owned()), Some("server".to_owned())]
    );
}

proptest! {
    #[test]
    fn sections_never_panic_and_do_not_overlap(
        text in "(#{0,4} ?v?[0-9]{1,2}\\.[0-9]|=====|-----|```|<!--|-->|[a-z ]{0,9}|[äß]|\n){0,60}"
    ) {
        let (mut last, mut line) = (0, 0);
        for section in sections(&text) {
            let begins = section.body.as_ptr() as usize - text.as_ptr() as usize;
            // What has two names is there twice.
            prop_assert!(begins >= last || section.line == line);
            (last, line) = (begins + section.body.len(), section.line);
        }
    }
}

/// Three releases, their headings written by `heading` for a version.
fn in_style(name: &str, before: &str, heading: impl Fn(&str) -> String) {
    let text = ["1.3.0", "1.2.0", "1.1.0"]
        .map(|version| format!("{}\n\n- text of {version}\n\n", heading(version)))
        .concat();
    let text = format!("{before}{text}");
    let told: Vec<(String, bool)> = found(&text)
        .into_iter()
        .map(|(version, body)| {
            let number = version.trim_start_matches('v').trim_end_matches("-1");
            let own = body.contains(&format!("text of {number}")) && body.len() < 110;
            (number.to_owned(), own)
        })
        // Some headings name that one beside each.
        .filter(|(number, _)| number != "0.2.9")
        .collect();
    let expected = ["1.3.0", "1.2.0", "1.1.0"].map(|version| (version.to_owned(), true));
    assert_eq!(told, expected, "{name}:\n{text}");
}

#[test]
fn headings_that_nothing_but_their_words_mark_are_read() {
    for style in [
        "Changes with nginx V                    26 Nov 2024",
        "vV - Big Release",
        "V: ",
        "--- V ---",
        "*** V ***",
        "*V*",
        "V (26 Nov 2024).",
        "V 2024-11-26 10:00:00 Europe/London",
        "V   2024-11-26T10:00:00Z",
        "* V",
        "** Release V",
        "* **V** (2024-01-02)",
        "* Noteworthy changes in release V (2024-03-28) [stable]",
        "* Tue Nov 26 2024 Ann Other <a@b.example> - V-1",
        "app (V-1) unstable; urgency=medium",
        "app (1:V-1) unstable; urgency=medium",
        "##V",
        "#vV",
        "2024/05/29 : V",
        "Release: V",
    ] {
        in_style(style, "", |version| style.replace('V', version));
    }
}

#[test]
fn headings_of_more_projects_are_read() {
    let frame = "=".repeat(80);
    for style in [
        "FRAME\nRedis V     Released Tue 09 Jan 2024 10:45:52 GMT\nFRAME",
        "## MariaDB V Release Notes",
        "## What's New In Python V",
        "## Acme for Kubernetes V",
        "## Acme Super Mega App V",
        "## Release Notes for Acme Super Mega App V",
        "## January 2, 2024 - vV",
        "## 2 January 2024 (V)",
        "## Changes from 1.0.0 to V",
        "### Changes between 1.0.0 and V [26 Nov 2024]",
        "## 1.0.0 → V",
        "## 1.0.0 -> V",
        "## 1.0.0 to V",
        "## V and 0.2.9",
        "What's new in V?\n--------------------",
        "FRAME\nDjango V release notes\nFRAME\n",
        "[[release-notes-V]]\n== {es} version V",
        "= V - 2024-01-02 =",
    ] {
        let style = style.replace("FRAME", &frame);
        in_style(&style, "", |version| style.replace('V', version));
    }
    in_style("marked after a byte order mark", "\u{feff}", |version| {
        format!("## {version}")
    });
}

#[test]
fn lines_may_end_in_any_way() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "## 1.3.0\n- a\n\n## 1.2.0\n- b\n".replace('\n', end);
        check(&text, &[("1.3.0", "- a"), ("1.2.0", "- b")]);
    }
}

#[test]
fn where_links_lead_is_no_heading() {
    check(
        "## [1.3.0] - 2024-01-01\n- a\n\n[1.3.0]: https://x.example/1.3.0\n[1.2.0]: https://x.example/1.2.0\n",
        &[(
            "1.3.0",
            "- a\n\n[1.3.0]: https://x.example/1.3.0\n[1.2.0]: https://x.example/1.2.0",
        )],
    );
}

#[test]
fn what_a_release_is_compared_to_is_not_what_it_is() {
    let text = "***** ChangeLog for 22.0.1 compared to 22.0.0 *****\nFIX: b\n\n\
                ***** ChangeLog for 22.0.0 compared to 21.0.0 *****\nNEW: a\n";
    let found = sections(text);
    let told: Vec<(&str, &str)> = found
        .iter()
        .map(|section| (section.version.as_str(), section.body.trim()))
        .collect();
    assert_eq!(told, [("22.0.1", "FIX: b"), ("22.0.0", "NEW: a")]);
}
