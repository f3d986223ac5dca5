//! One page of a list, and the addresses of the others.

use axum::http::Uri;

use crate::server::query;

/// Which page is asked for, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) number: usize,
    pub(crate) size: usize,
    pub(crate) last: usize,
    pub(crate) total: usize,
}

impl Page {
    /// Reads `page` and the key of the size, which is clamped to the most there may be.
    pub(crate) fn asked(
        uri: &Uri,
        size: &str,
        (usual, most): (usize, usize),
        total: usize,
    ) -> Self {
        let number = |key: &str| -> Option<usize> {
            let number: usize = query(uri, key)?.parse().ok()?;
            (number > 0).then_some(number)
        };
        let size = number(size).unwrap_or(usual).min(most);
        Self {
            number: number("page").unwrap_or(1),
            size,
            last: total.div_ceil(size).max(1),
            total,
        }
    }

    /// What stands on the page.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> impl Iterator<Item = T> {
        let before = (self.number - 1).saturating_mul(self.size);
        all.into_iter().skip(before).take(self.size)
    }

    /// The page before this one.
    pub(crate) fn previous(self) -> Option<usize> {
        (self.number > 1).then_some(self.number - 1)
    }

    /// The page after this one.
    pub(crate) fn next(self) -> Option<usize> {
        (self.number < self.last).then_some(self.number + 1)
    }
}

/// The address that was asked, with these query keys changed, and all of them sorted.
pub(crate) fn with_query(base: &str, uri: &Uri, changed: &[(&str, String)]) -> String {
    let stays = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or_default();
        !key.is_empty() && changed.iter().all(|(name, _)| *name != key)
    };
    let asked = uri.query().unwrap_or_default().split('&').filter(stays);
    let mut pairs: Vec<String> = asked.map(str::to_owned).collect();
    pairs.extend(changed.iter().map(|(key, value)| format!("{key}={value}")));
    pairs.sort();
    format!("{base}{}?{}", uri.path(), pairs.join("&"))
}
