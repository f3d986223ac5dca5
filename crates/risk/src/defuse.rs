//! Making strangers' text harmless in a commit message.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

macro_rules! pattern {
    ($name:ident, $pattern:literal) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($pattern).expect("the pattern is a literal"));
    };
}

// Woodpecker's marker, and those of its relatives; a CI that reads one would not run at all. Whoever
// is to skip, the word stands in brackets.
pattern!(
    SKIP,
    r"(?i)\[([\p{L}\s_-]*skip[\p{L}\s_-]*|\s*no[\s_-]*(?:ci|cd|actions|build|pipeline|deploy)\s*)\]"
);
pattern!(NO_CI, r"(?i)\*{3}(\s*no_ci\s*)\*{3}");
pattern!(MENTION, r"(^|[^A-Za-z0-9_@])@+([A-Za-z0-9_])");
// Forges close issues of the repository that a commit is pushed to.
pattern!(ISSUE, r"(^|[^A-Za-z0-9_/&#!])([#!])([0-9])");
// And of others, `owner/repository#1`, where whoever pushes may; no part of an address.
pattern!(
    REPOSITORY_ISSUE,
    r"(^|[^A-Za-z0-9_./:&#!-])((?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+[#!][0-9][A-Za-z0-9_.#!-]*)"
);
pattern!(NUMBER, r"([#!])([0-9])");
pattern!(OLD_ISSUE, r"(?i)\b(GH-)([0-9])");
pattern!(
    CLOSED_LINK,
    r"(?i)\b((?:close[sd]?|closing|fix(?:e[sd]|ing)?|resolve[sd]?|resolving|implement(?:s|ed|ing)?)(?:\s+issues?)?\s*:?\s+)(https?://[^\s()]*[^\s().,;:])"
);
pattern!(OWN_TRAILER, r"(?i)\b(Upgrade-Id|Bowline-Reverts)\s*:");
pattern!(
    TRAILER,
    r"(?im)^([ \t]*(?:skip-checks|change-id|fixes|closes|[a-z]+(?:-[a-z]+)*-by)[ \t]*:)"
);

/// Takes the effect out of text that a commit message quotes, and leaves it readable.
///
/// Covers markers that make a CI skip the commit, mentions, references to issues and merge requests,
/// also by their links behind a word that closes them, lines that would be read as trailers, control characters and changes of writing direction.
#[must_use]
pub fn defuse(text: &str) -> String {
    let text = printable(text);
    let text = MENTION.replace_all(&text, "$1$2");
    let text = OWN_TRAILER.replace_all(&text, "$1 =");
    let text = ISSUE.replace_all(&text, "$1$2 $3");
    let text = REPOSITORY_ISSUE.replace_all(&text, |found: &Captures<'_>| {
        let [before, name] = [1, 2].map(|at| found.get(at).map_or("", |part| part.as_str()));
        format!("{before}{}", NUMBER.replace_all(name, "$1 $2"))
    });
    let text = OLD_ISSUE.replace_all(&text, "$1 $2");
    let text = CLOSED_LINK.replace_all(&text, "$1($2)");
    // After what is taken out: what is left of it may be a marker.
    let text = NO_CI.replace_all(&text, "NO CI");
    let text = SKIP.replace_all(&text, "($1)");
    TRAILER.replace_all(&text, "> $1").into_owned()
}

/// Makes a link harmless without breaking it.
pub(crate) fn defuse_url(url: &str) -> String {
    static UNSAFE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"[@\[\]<>"`\\^{|}]"#).expect("the pattern is a literal"));
    let visible: String = url
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
        .collect();
    let escape = |found: &Captures<'_>| match found.get(0).and_then(|m| m.as_str().bytes().next()) {
        Some(byte) => format!("%{byte:02X}"),
        None => String::new(),
    };
    match UNSAFE.replace_all(&visible, escape) {
        Cow::Borrowed(_) => visible,
        Cow::Owned(escaped) => escaped,
    }
}

/// Line ends become `\n`; other control characters but tabs go.
fn printable(text: &str) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c)))
        .collect()
}

/// Characters that change the direction of writing or cannot be seen.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn woodpecker_skips(message: &str) -> bool {
        Regex::new(r"(?i)\[(ci *skip|skip *ci)\]")
            .unwrap()
            .is_match(message)
    }

    #[test]
    fn effects_are_taken_out_and_the_text_stays_readable() {
        for (text, expected) in [
            ("docs [ci skip] done", "docs (ci skip) done"),
            ("[CI SKIP] state", "(CI SKIP) state"),
            ("[Skip   Ci]", "(Skip   Ci)"),
            ("[skipci][ciskip]", "(skipci)(ciskip)"),
            ("[[skip ci]]", "[(skip ci)]"),
            ("[ci\u{0} skip]", "(ci skip)"),
            ("[ci\u{200b}skip]", "(ciskip)"),
            (
                "[no ci] [skip actions] [skip-ci]",
                "(no ci) (skip actions) (skip-ci)",
            ),
            ("[\u{17f}kip ci]", "(\u{17f}kip ci)"),
            ("***NO_CI***", "NO CI"),
            ("[@no_ci] ***@no_ci***", "(no_ci) NO CI"),
            ("by @alice, @@bob and (@carol)", "by alice, bob and (carol)"),
            ("mail a@b.example", "mail a@b.example"),
            (
                "fixes #12 and https://x.example/#3",
                "fixes # 12 and https://x.example/#3",
            ),
            (
                "fixes owner/repo#12, a/b/c#3",
                "fixes owner/repo# 12, a/b/c# 3",
            ),
            ("fixes repo#12 and GH-12", "fixes repo# 12 and GH- 12"),
            ("a#1#2!3", "a# 1# 2! 3"),
            ("see !12 and acme/app!34", "see ! 12 and acme/app! 34"),
            (
                "closes https://github.com/o/r/issues/3, fixed: https://x.example/y",
                "closes (https://github.com/o/r/issues/3), fixed: (https://x.example/y)",
            ),
            (
                "see https://x.example/a/b#3 and https://github.com/o/r/issues/3",
                "see https://x.example/a/b#3 and https://github.com/o/r/issues/3",
            ),
            (
                "[drone skip] [travis skip] [woodpecker skip] [skip netlify]",
                "(drone skip) (travis skip) (woodpecker skip) (skip netlify)",
            ),
            (
                "[skip azurepipelines] [CF-Pages-Skip] [azurepipelines\nskip]",
                "(skip azurepipelines) (CF-Pages-Skip) (azurepipelines\nskip)",
            ),
            ("Upgrade-Id: a/1", "Upgrade-Id = a/1"),
            ("Upgrade-Id:a#1", "Upgrade-Id =a# 1"),
            ("x\n  bowline-reverts : a/1", "x\n  bowline-reverts = a/1"),
            (
                "x\nCo-authored-by: y <y@z.example>",
                "x\n> Co-authored-by: y <y@z.example>",
            ),
            ("skip-checks: true", "> skip-checks: true"),
            ("a\r\nb\rc\td\u{1b}[31m", "a\nb\nc\td[31m"),
            ("abc\u{202e}def", "abcdef"),
            ("[ci\u{ad} \u{61c}sk\u{e0061}ip]", "(ci skip)"),
            (
                "[link](https://x.example) ümlaut 🎉",
                "[link](https://x.example) ümlaut 🎉",
            ),
        ] {
            assert_eq!(defuse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn links_keep_working() {
        assert_eq!(
            defuse_url("https://x.example/tag/n8n@1.2.3\n[ci skip]"),
            "https://x.example/tag/n8n%401.2.3%5Bciskip%5D"
        );
    }

    proptest! {
        #[test]
        fn nothing_defused_is_dangerous(
            text in "(\\[|\\]|\\*\\*\\*|ci|skip|no_ci|CI|SKIP|no|actions|#|!|GH-|1|/|fixes|https://x| |\n|\r|\t|@|a|Upgrade-Id|Bowline-Reverts|:|\u{0}|\u{200b}|\u{17f}kip|s\u{212a}ip|-|_|\\PC){0,30}"
        ) {
            let harmless = defuse(&text);
            prop_assert!(!woodpecker_skips(&harmless), "{:?}", harmless);
            prop_assert!(!SKIP.is_match(&harmless) && !NO_CI.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!MENTION.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!ISSUE.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!REPOSITORY_ISSUE.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!OLD_ISSUE.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!CLOSED_LINK.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!OWN_TRAILER.is_match(&harmless), "{:?}", harmless);
            prop_assert!(!harmless.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
            prop_assert_eq!(defuse(&harmless), harmless);
        }
    }
}
