//! Which sites of the tree the upgrade moves, or why none.

use std::collections::BTreeSet;
use std::sync::Arc;

use job::SkipReason;
use terraform::{Answer, Index, Options, Refused, RefusedSite, Site, Tree, Wanted};

/// So many places are named in a reason.
const MAX_LISTED: usize = 8;
/// So many characters are said about one of them.
const MAX_LINE: usize = 600;

/// The sites of one service, all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sites {
    /// The service.
    pub service: String,
    /// The version that is written now.
    pub from: String,
    /// Where, at least one.
    pub sites: Vec<Site>,
    /// References of it that stay as they are, such as one of another line on purpose.
    pub left: Vec<RefusedSite>,
    /// What could not be read and might matter, in sentences for people.
    pub notes: Vec<String>,
    /// The tree they are in.
    pub index: Arc<Index>,
    /// Where its services are.
    pub options: Options,
}

/// Everything that the tree says about an image or chart.
#[derive(Debug)]
pub struct Mentions {
    answer: Answer,
    index: Arc<Index>,
    options: Options,
    /// What was searched, for people.
    searched: String,
}

/// Finds the sites and judges whether they may be moved together.
///
/// # Errors
/// The reason why nothing is done.
pub fn find(
    tree: &dyn Tree,
    options: &Options,
    wanted: &Wanted,
    status: &str,
    only: Option<&str>,
) -> Result<Sites, SkipReason> {
    Mentions::read(tree, options, wanted).of_service(status, only)
}

impl Mentions {
    /// Reads the tree.
    #[must_use]
    pub fn read(tree: &dyn Tree, options: &Options, wanted: &Wanted) -> Mentions {
        let name = match wanted {
            Wanted::Image { repository, .. } => repository,
            Wanted::Chart { name, .. } => name,
        };
        let files = tree.paths();
        let terraform = files.iter().filter(|path| path.ends_with(".tf")).count();
        let index = Index::of(tree);
        Mentions {
            answer: index.answer(tree, options, wanted),
            index: Arc::new(index),
            options: options.clone(),
            searched: format!("{terraform} .tf files were searched for {name}"),
        }
    }

    /// Nothing of the tree declares it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let refused = &self.answer.refused;
        self.answer.sites.is_empty()
            && (refused.iter()).all(|refused| refused.reason == Refused::NotDeclarative)
    }

    /// What the tree says, before it is judged.
    pub(crate) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What was searched, for people.
    pub(crate) fn searched(&self) -> &str {
        &self.searched
    }

    /// The services with sites that can be moved: they have nothing in common, because a place
    /// that serves several workloads is one site of one service.
    #[must_use]
    pub fn moving(&self) -> BTreeSet<String> {
        let services = self.answer.sites.iter().map(|site| site.service.clone());
        services.collect()
    }

    /// The services that mention it at all, also where nothing can or need be moved any more.
    #[must_use]
    pub fn mentioning(&self) -> BTreeSet<String> {
        let refused = self.answer.refused.iter();
        let mut services: BTreeSet<String> = refused
            .filter_map(|refused| refused.service.clone())
            .collect();
        services.extend(self.moving());
        services
    }

    /// The sites of one service, or of the only one.
    ///
    /// # Errors
    /// The reason why nothing is done.
    pub fn of_service(mut self, status: &str, only: Option<&str>) -> Result<Sites, SkipReason> {
        if let Some(only) = only {
            self.answer.sites.retain(|site| site.service == only);
            self.answer
                .refused
                .retain(|refused| refused.service.as_deref() == Some(only));
        }
        let services = self.moving();
        if services.len() > 1 {
            return Err(SkipReason::SeveralServices(services.into_iter().collect()));
        }
        self.judge(status)
    }

    fn judge(self, status: &str) -> Result<Sites, SkipReason> {
        let answer = self.answer;
        let Some(first) = answer.sites.first() else {
            return Err(nothing_to_move(&answer, status, &self.searched));
        };
        // The sites of one upgrade are all or nothing: one that is left behind is version skew.
        let behind: Vec<&RefusedSite> = answer
            .refused
            .iter()
            .filter(|refused| {
                leaves_behind(&refused.reason)
                    && refused.service.as_deref() == Some(first.service.as_str())
            })
            .collect();
        if !behind.is_empty() {
            return Err(SkipReason::Refused(listed(&behind)));
        }
        Ok(Sites {
            service: first.service.clone(),
            from: first.tag.clone(),
            sites: answer.sites,
            left: answer.refused,
            notes: answer.problems,
            index: self.index,
            options: self.options,
        })
    }
}

/// Why no site moves.
fn nothing_to_move(answer: &Answer, status: &str, searched: &str) -> SkipReason {
    if answer.refused.is_empty() {
        return match answer.problems.as_slice() {
            [] => SkipReason::NotFound(searched.to_owned()),
            problems => SkipReason::Refused(format!(
                "no file that can be read names it; {searched}; not readable: {}",
                some(problems)
            )),
        };
    }
    if answer
        .refused
        .iter()
        .all(|refused| refused.reason == Refused::AlreadyAt)
    {
        return if status == "update" {
            SkipReason::SameTagRebuilt
        } else {
            SkipReason::AlreadyThere
        };
    }
    SkipReason::Refused(listed(&answer.refused.iter().collect::<Vec<_>>()))
}

/// Whether the site should have moved and cannot; the others are of another line on purpose.
fn leaves_behind(reason: &Refused) -> bool {
    matches!(
        reason,
        Refused::IgnoredByLifecycle { .. } | Refused::Unresolvable { .. } | Refused::DigestPinned
    )
}

fn listed(refused: &[&RefusedSite]) -> String {
    let lines: Vec<String> = refused
        .iter()
        .map(|site| {
            let current = site.current.as_deref().unwrap_or("no tag");
            format!("{}:{} ({current}): {}", site.path, site.line, site.reason)
        })
        .collect();
    some(&lines)
}

/// As many as a person reads; a reason has to fit into a fact.
fn some(lines: &[String]) -> String {
    let mut text = lines
        .iter()
        .take(MAX_LISTED)
        .map(|line| line.chars().take(MAX_LINE).collect())
        .collect::<Vec<String>>()
        .join("; ");
    if let Some(more) = lines.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;
