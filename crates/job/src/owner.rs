/// Who acts on the last fact of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// Admits through the rate window and answers people's requests in queue states.
    Ingest,
    /// Finds sites, reads notes, judges risk and plans.
    Analyzer,
    /// Holds slots, backs up, edits, commits and pushes.
    Executor,
    /// The executor's reserved workers for reverts.
    Undo,
    /// Takes the baseline, follows CI, watches health and gives the verdict.
    Verifier,
    /// Nobody: an end, or a queue state that something else moves on.
    None,
}

impl Owner {
    /// Every owner that has an inbox.
    pub const WITH_INBOX: [Owner; 5] = [
        Owner::Ingest,
        Owner::Analyzer,
        Owner::Executor,
        Owner::Undo,
        Owner::Verifier,
    ];

    /// The owner's token in a subject and the name of its durable consumer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Owner::Ingest => "ingest",
            Owner::Analyzer => "analyzer",
            Owner::Executor => "executor",
            Owner::Undo => "undo",
            Owner::Verifier => "verifier",
            Owner::None => "none",
        }
    }

    /// Reads a subject's token.
    #[must_use]
    pub fn parse(token: &str) -> Option<Owner> {
        Owner::WITH_INBOX
            .into_iter()
            .chain([Owner::None])
            .find(|owner| owner.as_str() == token)
    }
}
