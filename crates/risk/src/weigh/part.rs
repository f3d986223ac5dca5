//! What the heading above a line says that its part is about.

/// What the heading above a line says that its part is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing in particular.
    Other,
    /// Breakage, upgrades, migration.
    Breaking,
    /// What is gone.
    Removed,
    /// What will be gone.
    Deprecated,
    /// What concerns the developers alone: dependencies, tests, contributors.
    Internal,
    /// What was broken.
    Fixed,
}

// Whole words with their endings: "ci" is no part of "special", nor "test" of "latest".
patterns! {
    ""
    NOT_BREAKING = r"\b(?:no|non|not)[- ]breaking\b";
    BREAKING = r"\b(?:breaking|incompatib\w*|before you|action required|attention|migration\w*|must read|achtung|(?:important|significant) changes?|major changes|bc[- ]breaks?|oldest|minimum|minimal)\b|不兼容|重大";
    DEPRECATED = r"\bdeprecat\w*";
    REMOVES = r"\bremov\w*";
    REMOVED = r"\b(?:removed|removals?|entfernt)\b|移除";
    INTERNAL = r"\b(?:dependenc\w*|contributors?|internals?|internally|chores?|tests?|testing|translations?|documentation|docs|credits|thanks|housekeeping|under the hood|refactor\w*|development|builds?|building|ci|maintenance|developers?|miscellaneous|code quality|i18n|locali[sz]ations?|styles?|styling)\b";
    FOR_ALL = r"\b(?:security|official)\b";
    USUAL = r"^\W*(?:(?:new|other|minor|more|all|notable|various|general|ui|api|what's|app) )*(?:features?|additions?|added|new|enhancements?|improvements?|changes?|changed|performance|security|highlights|changelog|upgrades?|updates?|plugins?|notes?)\b";
    MIXED = r"\b(?:improve\w*|enhance\w*|features?|chang\w*|updates?|additions?|new|other)\b";
    FIXED = r"\b(?:(?:bug|hot)?fix(?:es|ed|ing)?|bugs?)\b";
}

/// Whether a heading, in small letters, is one of those that most projects have.
pub(super) fn is_usual(lower: &str) -> bool {
    part_of(lower) != Part::Other || USUAL.is_match(lower) || lower.split_whitespace().count() < 3
}

/// By the words of a heading, in small letters.
pub(super) fn part_of(lower: &str) -> Part {
    if NOT_BREAKING.is_match(lower) {
        Part::Other
    } else if BREAKING.is_match(lower) {
        Part::Breaking
    } else if DEPRECATED.is_match(lower) {
        if REMOVES.is_match(lower) {
            Part::Removed
        } else {
            Part::Deprecated
        }
    } else if REMOVED.is_match(lower) {
        Part::Removed
    } else if INTERNAL.is_match(lower) && !FOR_ALL.is_match(lower) {
        Part::Internal
    } else if FIXED.is_match(lower) && !MIXED.is_match(lower) {
        Part::Fixed
    } else {
        Part::Other
    }
}
