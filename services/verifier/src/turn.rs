//! The CI turn, which a run that is started again needs as a push does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Class, History, Log, Taken};
use job::Claim;

use crate::ports::{Turns, Unknown};

/// The turn as the log's claims keep it.
pub(crate) struct CiTurn(pub(crate) Arc<dyn Log>);

#[async_trait]
impl Turns for CiTurn {
    async fn take(&self, history: &History) -> Result<Option<Duration>, Unknown> {
        let claim = Claim::turn(&history.state);
        match bus::take(self.0.as_ref(), &claim, history, Class::Forward).await {
            Ok(Taken::Held) => Ok(None),
            Ok(Taken::Waiting { retry, .. }) => Ok(Some(retry)),
            Err(unavailable) => Err(Unknown(unavailable.to_string())),
        }
    }
}
