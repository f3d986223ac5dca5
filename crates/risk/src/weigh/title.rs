//! Titles of single changes, as generated notes list them: `Remove unused code (#123) by @someone`.
//!
//! They are written for developers, in a few words, and most of what they move or remove nobody sees
//! who runs the thing. So of a title more is wanted than of a sentence: it has to name what operators
//! have in their hands.

use super::Kind;

/// So many words has a title that refers to nothing.
const FEW: usize = 14;

patterns! {
    ""
    // A list's item with a reference to the change.
    ITEM = r"^\s*(?:(?:[-*+•]|\d+[.)])\s|<li>)";
    REFERENCE = r"#\d{1,6}\b|/(?:pull|pulls|issues|merge_requests|commit)/|\bmerge request\b|!\d{2,6}\b|\bby @[\w-]|@[0-9a-f]{10,40}\b|(?i)(?:^\s*[-*+•]\s*|\(|\[|\s)[0-9a-f]{7,40}(?:\)|\]|:|\s|…|$)";
    // A few words that say what was done.
    DONE = r"^\s*[-*+•]\s+(?:[A-Z]\w+: )?(?:Add|Remove|Drop|Rename|Refactor|Fix|Update|Improve|Support|Move|Replace|Use|Make|Allow|Show|Hide|Change|Bump|Upgrade|Clean|Introduce|Extract|Rewrite)(?:e?d|s)?\s";
    // What an operator has in hand.
    HANDLED = r"(?i)\b(?:settings?|options?|directives?|config(?:uration)?s?|env(?:ironment)?(?: var(?:iable)?s?)?|variables?|cli|flags?|parameters?|arguments?|ports?|volumes?|paths?|director(?:y|ies)|folders?|mounts?|files?|credentials?|passwords?|api|endpoints?|routes?|commands?|integrations?|plugins?|providers?|images?|tags?|docker|compose|helm|kubernetes|support|platforms?|modes?|protocol|backend|storage|database|postgres\w*|mysql|mariadb|sqlite|mongo\w*|redis|ldap|oidc|saml|oauth|smtp|auth\w*|login|tls|ssl|header|proxy|format|schema|user|uid|webhooks?|metrics?|permissions?)\b|(?-i:\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b)|--[a-z][a-z-]+";
    // What only looks like it.
    UNHANDLED = r"(?i)\bfeature[- ]flags?\b|\b(?:experiments?|columns?|tables?|ind(?:ex|exes|ices)|n\+1|spec|specs|spec files?|flake|gitpod|devcontainer|storybook|vue|react|svelte|sort(?:ing)?|drop-?down|tooltip|callout|widget|badge|modal|sample|story|polyfill|cache key|todo|dead|unused|legacy code|hook|component|selector|snapshot|fixture|linter|workflow|pipeline|renovate|dependabot|changelog|readme|docs?)\b";
    // The change is the removal, and not about removals.
    REMOVES = r"(?i)^\W*(?:[\w./-]+(?:\([^)]*\))?!?:\s*|\[[^\]]{1,30}\]\s*|\*\*[^*]{1,40}\*\*:?\s*)?(?:\W*\w+:\s*)?\W*(?:remov(?:e|es|ed|ing)|drop(?:s|ped|ping)?|delet(?:e|es|ed)|retir(?:e|es|ed)|disabl(?:e|es|ed)|stop(?:s|ped)?|end(?:s|ed)?|discontinu(?:e|es|ed)|renam(?:e|es|ed)|mov(?:e|es|ed)|replac(?:e|es|ed)|deprecat\w*)\b|\b(?:no longer|any ?more|end of|has no effect|is ignored)\b|\bsupport\b.{0,60}\b(?:removed|dropped|ended)\b|\b(?:was|were|has been|have been|is|are) (?:removed|dropped|renamed|moved|replaced)\b";
    // Its author calls it so.
    DECLARED = r"(?i)\bbreaking changes?\b|(?-i:\bBREAKING\b)|^\W*(?:[\w()/.-]+\W+){0,3}breaking\b\W*(?:[:*]|:warning:)";
    BOLD = r"(?i)[*_]\W*breaking\b[^*_]{0,20}[*_]";
    // As Prometheus and its kin mark changed behaviour.
    CHANGE = r"^\W*\[CHANGE\]";
    // One value in place of another.
    VALUES = r"(?i)\bdefaults?\b.{0,80}\bfrom\b.{1,60}\bto\b|(?-i:[A-Z][A-Z0-9]+_[A-Z0-9_]+)`? to `?(?-i:[A-Z][A-Z0-9]+_[A-Z0-9_]+)";
    // It wants something of whoever runs it.
    ASKS = r"(?i)\b(?:you|users|admins?|administrators?|operators?) (?:now |will |all )*(?:must|need to|have to)\b|\baction required\b|\bmanual(?:ly)? (?:migrat\w*|steps?|actions?|interventions?|upgrad\w*)\b|\bnow (?:requires?|required|mandatory|needs?)\b|\bis (?:now )?(?:required|mandatory)\b|^\W*(?:[\w./-]+(?:\([^)]*\))?!?:\s*)?(?:\*\*[^*]{1,40}\*\*:?\s*)?require[sd]?\b|\b(?:requires?|needs?|minimum|min\.|at least|bump(?:s|ed)? (?:the )?minimum)\b.{0,40}\d|\bbefore (?:you )?(?:upgrad|updat)\w*|(?-i:\b(?:needs?|requires?|wants?|expects?) .{0,40}[A-Z][A-Z0-9]+_[A-Z0-9_]+)|\bmust be (?:set|configured|enabled|updated|upgraded|migrated|re-?created)\b";
    // A further sentence asks people for something.
    ASKED = r"(?i)[.;] .{0,40}\b(?:you|users|admins?|administrators?|operators?)\b[^.;]{0,80}\b(?:must|need to|have to)\b|\bplease read\b.{0,40}\b(?:carefully|instructions)\b";
    // It takes time, or cannot be taken back.
    LONG = r"(?i)\b(?:re-?index\w*|rebuil[dt]\w*|downtime|hours?|long|slow|large|manual\w*|irreversib\w*|downgrad\w*)\b";
}

/// Whether a line is a title of a change rather than a sentence for people.
pub(super) fn is_title(text: &str) -> bool {
    let few = text.split_whitespace().count() <= FEW;
    ITEM.is_match(text) && (REFERENCE.is_match(text) || (few && DONE.is_match(text)))
}

/// Whether the author sets in bold that it breaks something.
pub(super) fn declares(text: &str) -> bool {
    BOLD.is_match(text)
}

/// Whether a title announces something to whoever runs the thing.
pub(super) fn tells(words: &str, kind: Kind) -> bool {
    let handled = || HANDLED.is_match(words) && !UNHANDLED.is_match(words);
    if CHANGE.is_match(words) || ASKED.is_match(words) {
        return true;
    }
    match kind {
        Kind::Action | Kind::Migration => ASKS.is_match(words),
        Kind::Removed | Kind::Renamed => {
            (REMOVES.is_match(words) && handled()) || VALUES.is_match(words)
        }
        Kind::Database => LONG.is_match(words),
        Kind::Breaking => handled() || DECLARED.is_match(words) || VALUES.is_match(words),
        Kind::BreakingSection | Kind::Security | Kind::Listed => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_refer_to_their_change() {
        for (text, expected) in [
            (
                "* Remove the old cache by @someone in https://github.com/a/b/pull/12",
                true,
            ),
            ("- fix: a typo (#123)", true),
            (
                "* **boards:** a default ([b6f0f2c](https://github.com/a/b/commit/b6f0f2c))",
                true,
            ),
            ("- 6398580 Fixed: a file is kept", true),
            (
                "- [Add a tooltip](a/b@472c9036c9908f180dca) ([merge request](a/b!4187))",
                true,
            ),
            ("* Rename the `ui` package", true),
            ("- The setting `foo` was removed.", false),
            ("You must set FOO before you upgrade (#12).", false),
        ] {
            assert_eq!(is_title(text), expected, "{text}");
        }
    }

    #[test]
    fn a_title_tells_operators_only_of_what_they_handle() {
        for (text, kind, expected) in [
            ("* Drop support for MySQL 5.7 (#1)", Kind::Removed, true),
            (
                "* chore: remove the `--legacy` flag (#1)",
                Kind::Removed,
                true,
            ),
            (
                "* Remove `old_home` feature flag (#1)",
                Kind::Removed,
                false,
            ),
            (
                "* Show removed lines of a configuration in red (#1)",
                Kind::Removed,
                false,
            ),
            (
                "* Drop column `cached` of the settings (#1)",
                Kind::Removed,
                false,
            ),
            ("* feat: SITE_KEY is now required (#1)", Kind::Action, true),
            ("* Require Node 22 (#1)", Kind::Action, true),
            ("* Move the runner page to Vue (#1)", Kind::Breaking, false),
            (
                "* Change the default port to 8443 (#1)",
                Kind::Breaking,
                true,
            ),
            (
                "* Retry database migrations at the start (#1)",
                Kind::Database,
                false,
            ),
        ] {
            assert_eq!(tells(text, kind), expected, "{text}");
        }
    }
}
