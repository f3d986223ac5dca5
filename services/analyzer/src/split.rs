//! An image that services run which have nothing in common: one upgrade for each.

use std::collections::BTreeSet;

use bus::{AppendError, History};
use job::{Body, UpgradeId};

use crate::ports::PortError;
use crate::work::Analyzer;

impl Analyzer {
    /// Opens an upgrade for each service that moves, if there are several, and then says so.
    ///
    /// The children come first: a crash in between leaves them without a parent that knows them,
    /// and the next try finds them again by their ids, also where a child has moved its service
    /// already. They enter like every request, so the rate window counts each of them.
    pub(crate) async fn split(
        &self,
        history: &History,
        mentioning: &BTreeSet<String>,
        moving: &BTreeSet<String>,
    ) -> Result<Option<Body>, PortError> {
        if mentioning.len() < 2 {
            return Ok(None);
        }
        let mut open = BTreeSet::new();
        for service in mentioning {
            let id = UpgradeId::child(history.id.as_str(), service, 1);
            if self.log.read(&id).await?.is_some() {
                open.insert(service.clone());
            }
        }
        if moving.len() < 2 && open.is_empty() {
            return Ok(None);
        }
        for service in moving.difference(&open) {
            self.open_child(history, service).await?;
        }
        let children = moving.union(&open);
        Ok(Some(Body::Split {
            children: children
                .map(|service| UpgradeId::child(history.id.as_str(), service, 1).to_string())
                .collect(),
        }))
    }

    async fn open_child(&self, history: &History, service: &str) -> Result<(), PortError> {
        let request = history.state.request.for_service(&history.id, service);
        let id = UpgradeId::child(history.id.as_str(), service, request.attempt);
        match self.log.append(&id, None, Body::Requested(request)).await {
            // A conflict says that it was opened before.
            Ok(_) | Err(AppendError::Conflict) => Ok(()),
            Err(AppendError::Unavailable(error)) => Err(error.into()),
            Err(AppendError::Illegal(illegal)) => Err(PortError::new(format!(
                "failed to open the upgrade of {service}: {illegal}"
            ))),
        }
    }
}
