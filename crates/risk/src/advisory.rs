//! Identifiers of security advisories.

use std::sync::LazyLock;

use regex::Regex;

static ADVISORY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:CVE-[0-9]{4}-[0-9]{4,19}|GHSA(?:-[0-9a-z]{4}){3})\b")
        .expect("the pattern is a literal")
});

/// Whether the text names one.
pub(crate) fn is_named(text: &str) -> bool {
    ADVISORY.is_match(text)
}

/// Those that the text names, as their registers spell them.
pub(crate) fn named(text: &str) -> impl Iterator<Item = String> {
    ADVISORY.find_iter(text).map(|id| {
        let id = id.as_str().to_ascii_uppercase();
        match id.strip_prefix("GHSA-") {
            Some(rest) => format!("GHSA-{}", rest.to_ascii_lowercase()),
            None => id,
        }
    })
}
