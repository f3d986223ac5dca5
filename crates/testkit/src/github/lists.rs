//! Lists of releases and tags, in pages that are linked by the repository's id.

use std::cmp::Reverse;

use axum::http::Uri;
use axum::response::Response;
use serde_json::Value;

use super::body::{error, render, tagged};
use super::{Repository, Site};
use crate::forge::{Page, Tag};
use crate::server::with_header;

impl Site {
    pub(super) fn releases(&self, id: u64, repository: &Repository, uri: &Uri) -> Response {
        let releases = repository.releases.iter();
        let mut releases: Vec<_> = releases.filter(|(_, release, _)| !release.draft).collect();
        releases.sort_by_key(|(id, _, at)| Reverse((*at, *id)));
        self.listed(uri, (id, "releases"), releases, |(id, release, at)| {
            render(&repository.full_name, *id, release, *at)
        })
    }

    /// The tags in an order that is of no use: by name, the last first.
    pub(super) fn tags(&self, id: u64, repository: &Repository, uri: &Uri) -> Response {
        let tags: Vec<&Tag> = repository.content.tags().rev().collect();
        self.listed(uri, (id, "tags"), tags, |tag| {
            self.render_tag(&repository.full_name, tag)
        })
    }

    fn listed<T>(
        &self,
        uri: &Uri,
        (id, list): (u64, &str),
        all: Vec<T>,
        render: impl Fn(T) -> Value,
    ) -> Response {
        let page = Page::asked(uri, "per_page", (30, 100), all.len());
        if page.number.saturating_mul(page.size) > self.cap.unwrap_or(10_000) {
            return error(
                422,
                "Only the first 10000 results are available.",
                "https://docs.github.com/v3/#pagination",
            );
        }
        let link = |number: usize, rel: &str| {
            let (base, size) = (&self.base, page.size);
            let query = format!("per_page={size}&page={number}");
            format!("<{base}/repositories/{id}/{list}?{query}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if let Some(previous) = page.previous() {
            links.extend([link(previous, "prev"), link(1, "first")]);
        }
        if let Some(next) = page.next() {
            links.extend([link(next, "next"), link(page.last, "last")]);
        }
        let shown: Value = page.cut(all).map(render).collect();
        let response = tagged(&shown);
        if links.is_empty() {
            return response;
        }
        with_header(response, "link", &links.join(", "))
    }
}
