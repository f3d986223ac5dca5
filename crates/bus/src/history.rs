use job::{Fact, Owner, State, UpgradeId};

use crate::Unavailable;

/// One fact with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the whole stream.
    pub sequence: u64,
    /// Its number in the upgrade, from 1.
    pub n: u64,
    /// Who acts on it.
    pub next: Owner,
    /// What happened.
    pub fact: Fact,
    /// The span that made it, as a W3C `traceparent`; none where nothing was traced.
    pub traceparent: Option<String>,
}

/// The whole log of one upgrade, folded; never empty.
#[derive(Debug, Clone)]
pub struct History {
    /// The upgrade.
    pub id: UpgradeId,
    /// Every fact, oldest first.
    pub entries: Vec<Entry>,
    /// What they fold to.
    pub state: State,
}

impl History {
    /// Folds what was read; none if nothing was.
    ///
    /// # Errors
    /// [`Unavailable`] if a fact is missing in between or may not follow: then the read is no
    /// base for a decision.
    pub fn fold(id: &UpgradeId, mut entries: Vec<Entry>) -> Result<Option<History>, Unavailable> {
        entries.sort_by_key(|entry| entry.sequence);
        for (expected, entry) in (1_u64..).zip(&entries) {
            if entry.n != expected {
                return Err(Unavailable::new(format!(
                    "the log of {id} has fact {} where {expected} belongs",
                    entry.n
                )));
            }
        }
        let state = job::fold(id, entries.iter().map(|entry| &entry.fact)).map_err(|illegal| {
            Unavailable::because(format!("the log of {id} does not fold"), illegal)
        })?;
        Ok(state.map(|state| History {
            id: id.clone(),
            entries,
            state,
        }))
    }

    /// The place of the last fact: the driver, and what an append expects.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.sequence)
    }

    /// Whether the fact with this id is in it.
    #[must_use]
    pub fn contains(&self, fact_id: &str) -> bool {
        self.entries.iter().any(|entry| entry.fact.id == fact_id)
    }
}
