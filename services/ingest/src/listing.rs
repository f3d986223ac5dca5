//! Which upgrades a list shows, and where its next page begins. Pure.

use job::{Phase, State};
use wire::v1::ListRequest;

use crate::view;

/// A page holds so many unless asked otherwise,
const PAGE: usize = 200;
/// and never more.
const MAX_PAGE: usize = 500;
/// In front of a page token, so that another way to page can tell it apart.
const TOKEN: &str = "before-";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// At most so many.
    pub(crate) limit: usize,
    /// Whose first fact lies before this place of the log.
    pub(crate) before: u64,
    include_ended: bool,
    service: String,
    phases: Vec<Phase>,
    image: String,
    since_ms: i64,
}

impl Listing {
    /// Reads a request.
    ///
    /// # Errors
    /// A sentence that says what cannot be read.
    pub(crate) fn read(request: &ListRequest) -> Result<Listing, String> {
        let mut phases = Vec::new();
        for name in &request.phases {
            phases.push(phase(name)?);
        }
        let before = if request.page_token.is_empty() {
            u64::MAX
        } else {
            let place = request.page_token.strip_prefix(TOKEN);
            place.and_then(|place| place.parse().ok()).ok_or_else(|| {
                format!(
                    "`{}` is no page token: give what `next_page_token` said",
                    request.page_token
                )
            })?
        };
        Ok(Listing {
            limit: match usize::try_from(request.limit) {
                Ok(0) | Err(_) => PAGE,
                Ok(limit) => limit.min(MAX_PAGE),
            },
            before,
            include_ended: request.include_ended || phases.iter().any(|phase| phase.is_end()),
            service: request.service.clone(),
            phases,
            image: request.image.clone(),
            since_ms: request.since_ms,
        })
    }

    /// Whether an upgrade is asked for.
    pub(crate) fn fits(&self, state: &State, began_ms: i64) -> bool {
        let service = state.plan.as_ref().map_or("", |plan| &plan.service);
        (self.include_ended || !state.phase.is_end())
            && (self.service.is_empty() || self.service == service)
            && (self.phases.is_empty() || self.phases.contains(&state.phase))
            && state.request.image.contains(&self.image)
            && began_ms >= self.since_ms
    }
}

/// Where the next page begins, if a page with one more than asked for was found.
///
/// An upgrade's first place never changes and a new one is beyond all others, so that pages neither
/// shift nor overlap while upgrades arrive.
pub(crate) fn next_page(last_place: u64) -> String {
    format!("{TOKEN}{last_place}")
}

/// A phase by its name in a view; an end also without `Ended`.
fn phase(name: &str) -> Result<Phase, String> {
    let same = |phase: &Phase| {
        let full = view::phase(*phase);
        let end = full
            .strip_prefix("Ended(")
            .and_then(|rest| rest.strip_suffix(')'));
        full.eq_ignore_ascii_case(name) || end.is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    Phase::ALL.into_iter().find(same).ok_or_else(|| {
        let names = Phase::ALL.map(view::phase);
        format!("`{name}` is no phase; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use job::End;

    use super::*;

    #[test]
    fn a_phase_is_named_as_it_is_shown() {
        for each in Phase::ALL {
            assert_eq!(phase(&view::phase(each)), Ok(each));
        }
        assert_eq!(phase("rolledback"), Ok(Phase::Ended(End::RolledBack)));
        assert_eq!(phase("stuck"), Ok(Phase::Stuck));
        let why = phase("Finished").unwrap_err();
        assert!(
            why.contains("`Finished`") && why.contains("Watching"),
            "{why}"
        );
    }

    #[test]
    fn a_page_token_is_read_as_it_was_given() {
        let read = |token: &str| {
            Listing::read(&ListRequest {
                page_token: token.to_owned(),
                ..ListRequest::default()
            })
        };
        assert_eq!(read(&next_page(17)).unwrap().before, 17);
        assert_eq!(read("").unwrap().before, u64::MAX);
        for wrong in ["17", "before-", "before-x", "after-3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_is_bounded_and_an_end_asks_for_what_is_over() {
        let read = |limit, phases: &[&str]| {
            Listing::read(&ListRequest {
                limit,
                phases: phases.iter().map(|&name| name.to_owned()).collect(),
                ..ListRequest::default()
            })
            .unwrap()
        };
        assert_eq!(read(0, &[]).limit, PAGE);
        assert_eq!(read(3, &[]).limit, 3);
        assert_eq!(read(u32::MAX, &[]).limit, MAX_PAGE);
        assert!(!read(0, &["Stuck"]).include_ended);
        assert!(read(0, &["Stuck", "Aborted"]).include_ended);
    }
}
