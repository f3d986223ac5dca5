use crate::UpgradeId;

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// DIUN's native webhook body.
    Diun,
    /// The `diun_entry_*` body of the bulk loop.
    DiunEntry,
    /// A person, through gRPC.
    Person,
    /// Bowline itself: a retry by the sweep, or a child of a split.
    Bowline,
}

/// What is to be upgraded, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The configured name of the infrastructure repository.
    pub repository: String,
    /// The normalised image name without tag, or the chart's name if `chart` is set.
    pub image: String,
    /// The wanted tag, or chart version.
    pub tag: String,
    /// `image` and `tag` name a Helm chart and its version.
    pub chart: bool,
    /// The announced manifest digest, if any.
    pub digest: Option<String>,
    /// The announced status, `new` or `update`; empty for a person's request.
    pub status: String,
    /// Where the request came from.
    pub source: Source,
    /// DIUN's hub link, often the source repository's address; may be empty.
    pub hub_link: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The upgrade that this one tries again.
    pub retry_of: Option<String>,
    /// A person allowed a version that was rolled back before.
    pub lift_fence: bool,
    /// The upgrade that was split into this one and others.
    pub parent: Option<String>,
    /// The one service this upgrade is limited to (children of a split); else all that are found.
    pub service: Option<String>,
    /// The person who asked; empty if none did, or if an older build wrote it.
    pub by: String,
}

impl Request {
    /// The id of the upgrade that this request opens.
    #[must_use]
    pub fn id(&self, instance: &str) -> UpgradeId {
        match (&self.parent, &self.service) {
            (Some(parent), Some(service)) => UpgradeId::child(parent, service, self.attempt),
            _ => UpgradeId::derive(
                instance,
                &self.repository,
                &self.image,
                &self.tag,
                self.attempt,
            ),
        }
    }

    /// The request for one service's part of the upgrade that this one opened.
    #[must_use]
    pub fn for_service(&self, parent: &UpgradeId, service: &str) -> Request {
        Request {
            source: Source::Bowline,
            attempt: 1,
            retry_of: None,
            parent: Some(parent.to_string()),
            service: Some(service.to_owned()),
            ..self.clone()
        }
    }
}
