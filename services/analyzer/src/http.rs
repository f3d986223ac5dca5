//! What clients of git hosts, registries and chart repositories share: bounded answers, the times
//! that limits name, and lists that go on elsewhere.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, LINK, RETRY_AFTER, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use crate::ports::PortError;

/// No limit lasts longer than this; a clock may be wrong.
pub(crate) const LONGEST_WAIT: i64 = 3_700;

/// Smaller numbers are no seconds since the epoch.
const SECONDS: i64 = 100_000_000;

/// An answer's status and headers, with its body.
pub(crate) struct Read {
    /// Where it came from at last.
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why nothing was read.
pub(crate) enum Unread {
    /// It did not answer, or broke off.
    Failed(reqwest::Error),
    /// More than so many bytes.
    TooLarge(usize),
}

impl Unread {
    /// In words for people.
    pub(crate) fn told(self, what: &str) -> PortError {
        match self {
            // An address that was led to may hold a signature; the causes alone say what happened.
            Unread::Failed(error) => PortError::new(format!(
                "failed to ask {what}: {:#}",
                anyhow::Error::new(error.without_url())
            )),
            Unread::TooLarge(max) => {
                PortError::new(format!("the answer of {what} is larger than {max} bytes"))
            }
        }
    }
}

/// Asks, and reads no more than `max` bytes of the answer.
pub(crate) async fn read(request: RequestBuilder, max: usize) -> Result<Read, Unread> {
    let asked = request.header(USER_AGENT, "bowline").send().await;
    let mut answer: Response = asked.map_err(Unread::Failed)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let url = answer.url().clone();
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(Unread::Failed)? {
        if body.len() + part.len() > max {
            return Err(Unread::TooLarge(max));
        }
        body.extend_from_slice(&part);
    }
    Ok(Read {
        url,
        status,
        headers,
        body,
    })
}

/// The time that an answer names until which nobody shall ask again.
pub(crate) fn named_wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let limits = [
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if !limits.contains(&status) {
        return None;
    }
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let number = |name: &str| text(name)?.trim().parse::<i64>().ok();
    let until = |moment: i64| match moment {
        // What is no moment of these years is so many seconds from now.
        0..SECONDS => moment,
        moment => moment.saturating_sub(their_now(headers) - 1),
    };
    let seconds = match text(RETRY_AFTER.as_str()) {
        Some(named) => match named.trim().parse() {
            Ok(number) => until(number),
            Err(_) => until(moment(named)?),
        },
        None if number("x-ratelimit-remaining") == Some(0) => until(number("x-ratelimit-reset")?),
        // GitLab's names.
        None if number("ratelimit-remaining") == Some(0) => until(number("ratelimit-reset")?),
        None => return None,
    };
    let seconds = u64::try_from(seconds.clamp(1, LONGEST_WAIT)).unwrap_or(60);
    Some(Duration::from_secs(seconds))
}

/// The other side's clock: its moments are told by it, and ours may differ.
fn their_now(headers: &HeaderMap) -> i64 {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    date.and_then(moment)
        .unwrap_or_else(|| jiff::Timestamp::now().as_second())
}

/// Seconds since the epoch of a date as HTTP writes it.
fn moment(date: &str) -> Option<i64> {
    let parsed = DateTimeParser::new().parse_timestamp(date.trim());
    parsed.ok().map(jiff::Timestamp::as_second)
}

/// The next page of a list, on the host that was asked.
///
/// Behind a proxy a host names itself as people see it, which is another address than the one that
/// is asked. So only what stands behind the `mark`, such as `/api/v4/`, is taken from the link: the
/// token goes nowhere else, and the list goes on.
///
/// # Errors
/// The link, if it leads to no such place: what was read so far is not the whole list.
pub(crate) fn next_page(
    headers: &HeaderMap,
    root: &str,
    mark: &str,
) -> Result<Option<String>, String> {
    let links = headers.get(LINK).and_then(|links| links.to_str().ok());
    let next = links.unwrap_or_default().split(',').find_map(|link| {
        let (address, rest) = link.split_once(';')?;
        let next = rest.contains("rel=\"next\"") || rest.contains("rel=next");
        next.then(|| address.trim().trim_matches(['<', '>']))
    });
    let Some(next) = next else { return Ok(None) };
    let path = match next.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)),
        None => Some(next),
    };
    let path = path.unwrap_or_default();
    let rest = path.find(mark).and_then(|at| path.get(at..));
    match rest {
        Some(rest) => Ok(Some(format!("{}{rest}", root.trim_end_matches('/')))),
        None => Err(next.to_owned()),
    }
}

/// Whether an answer is a page for people, such as a login or a notice of an outage.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(reqwest::header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(reqwest::header::HeaderName, _)>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn a_limit_is_read_from_the_headers_of_any_status_that_has_one() {
        let now = jiff::Timestamp::now().as_second();
        let soon = (now + 100).to_string();
        type Case<'a> = (
            u16,
            &'a [(&'static str, &'a str)],
            Option<RangeInclusive<u64>>,
        );
        let cases: [Case<'_>; 14] = [
            (429, &[("retry-after", "30")], Some(30..=30)),
            (503, &[("retry-after", "30")], Some(30..=30)),
            (403, &[("retry-after", "0")], Some(1..=1)),
            (403, &[("retry-after", "999999")], Some(3_700..=3_700)),
            (
                429,
                &[
                    ("date", "Fri, 27 Nov 2026 10:00:00 GMT"),
                    ("retry-after", "Fri, 27 Nov 2026 10:01:00 GMT"),
                ],
                Some(61..=61),
            ),
            (
                429,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &soon)],
                Some(98..=101),
            ),
            (
                403,
                // Our clock is ahead of theirs by years.
                &[
                    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "784111877"),
                ],
                Some(101..=101),
            ),
            (
                429,
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", &soon)],
                Some(98..=101),
            ),
            (
                403,
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "-9223372036854775808"),
                ],
                Some(1..=1),
            ),
            (
                403,
                &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", &soon)],
                None,
            ),
            (
                429,
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")],
                Some(30..=30),
            ),
            (429, &[("ratelimit-remaining", "0;w=21600")], None),
            (403, &[], None),
            (500, &[("retry-after", "30")], None),
        ];
        for (status, pairs, expected) in cases {
            let wait = named_wait(StatusCode::from_u16(status).unwrap(), &headers(pairs));
            match (wait, &expected) {
                (Some(wait), Some(range)) => {
                    assert!(range.contains(&wait.as_secs()), "{pairs:?}: {wait:?}");
                }
                (wait, expected) => assert_eq!(
                    wait.is_none(),
                    expected.is_none(),
                    "{status} {pairs:?}: {wait:?}"
                ),
            }
        }
    }

    #[test]
    fn the_next_page_is_asked_where_this_one_was() {
        let next =
            |link: &str, root: &str, mark: &str| next_page(&headers(&[("link", link)]), root, mark);
        for (link, root, mark, expected) in [
            (
                "<https://api.github.com/repositories/7/tags?page=2>; rel=\"next\", <x>; rel=\"last\"",
                "https://api.github.com",
                "/",
                Some("https://api.github.com/repositories/7/tags?page=2"),
            ),
            // Forgejo names itself as people see it.
            (
                "<https://git.example.org/api/v1/repos/a/b/tags?page=2>; rel=\"next\"",
                "http://forgejo.svc:3000",
                "/api/v1/",
                Some("http://forgejo.svc:3000/api/v1/repos/a/b/tags?page=2"),
            ),
            (
                "<https://example.org/git/api/v1/repos/a/b/tags?page=2>; rel=\"next\"",
                "http://forgejo.svc:3000/",
                "/api/v1/",
                Some("http://forgejo.svc:3000/api/v1/repos/a/b/tags?page=2"),
            ),
            (
                "<http://localhost:3000/api/v1/repos/a/b/tags?page=2>; rel=\"next\"",
                "https://example.org/git",
                "/api/v1/",
                Some("https://example.org/git/api/v1/repos/a/b/tags?page=2"),
            ),
            (
                "</v2/a/b/tags/list?last=x&n=3>; rel=next",
                "https://mirror.example.org/hub",
                "/v2/",
                Some("https://mirror.example.org/hub/v2/a/b/tags/list?last=x&n=3"),
            ),
            ("<https://a/>; rel=\"prev\"", "https://a", "/", None),
        ] {
            assert_eq!(
                next(link, root, mark).unwrap().as_deref(),
                expected,
                "{link}"
            );
        }
        let steal = "<https://elsewhere.example.org/steal>; rel=\"next\"";
        next(steal, "https://gitlab.com", "/api/v4/").unwrap_err();
    }
}
