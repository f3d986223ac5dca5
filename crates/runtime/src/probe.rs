//! The first look at what a service needs outside: a wrong credential stops the start, and what is
//! away is waited for.

use std::time::Duration;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

/// The start does not wait longer for an answer.
const FIRST: Duration = Duration::from_secs(15);
/// What could not be asked is asked again after this, and then after twice as long each time,
const AGAIN: Duration = Duration::from_secs(1);
/// but never longer.
const LONGEST: Duration = Duration::from_secs(60);

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It may be used.
    Granted,
    /// The credentials are refused; says which setting holds them and which right they need.
    Refused(String),
    /// It could not be asked; says why.
    Unknown(String),
}

/// Looks for the first time, and returns whether [`until_granted`] has to look again.
///
/// # Errors
/// When the credentials are refused: somebody has to change them before anything can work.
pub async fn at_start(look: impl Future<Output = Access>) -> anyhow::Result<bool> {
    let access = tokio::time::timeout(FIRST, look)
        .await
        .unwrap_or_else(|_| Access::Unknown(format!("it does not answer within {FIRST:?}")));
    match access {
        Access::Granted => Ok(false),
        Access::Refused(why) => bail!("{why}"),
        Access::Unknown(why) => {
            tracing::warn!("started without knowing whether the credentials are right: {why}");
            Ok(true)
        }
    }
}

/// Looks again and again, and says what it sees, until the access is granted or `stop`. Whoever
/// needs the access meanwhile tries it by itself.
pub async fn until_granted<F>(mut look: impl FnMut() -> F, stop: CancellationToken)
where
    F: Future<Output = Access>,
{
    let mut pause = AGAIN;
    while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
        let access = tokio::select! {
            () = stop.cancelled() => return,
            access = look() => access,
        };
        match access {
            Access::Granted => {
                tracing::info!("the credentials are right after all");
                return;
            }
            Access::Refused(why) => tracing::error!("{why}"),
            Access::Unknown(why) => tracing::warn!("still not known: {why}"),
        }
        pause = pause.saturating_mul(2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_refusal_stops_the_start() {
        assert!(!at_start(async { Access::Granted }).await.unwrap());
        let away = at_start(async { Access::Unknown("away".to_owned()) }).await;
        assert!(away.unwrap());
        assert!(at_start(std::future::pending()).await.unwrap());
        let refused = at_start(async { Access::Refused("set repository.token_file".to_owned()) });
        let error = refused.await.unwrap_err().to_string();
        assert_eq!(error, "set repository.token_file");
    }

    #[tokio::test(start_paused = true)]
    async fn it_looks_until_the_access_is_granted() {
        let looks = RefCell::new(vec![
            Access::Granted,
            Access::Refused("no".to_owned()),
            Access::Unknown("away".to_owned()),
        ]);
        let look = || async { looks.borrow_mut().pop().expect("granted before") };
        until_granted(look, CancellationToken::new()).await;
        assert!(looks.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_it_in_the_middle_of_a_look() {
        let stop = CancellationToken::new();
        let end = async {
            tokio::time::sleep(AGAIN * 2).await;
            stop.cancel();
        };
        tokio::join!(until_granted(std::future::pending, stop.clone()), end);
    }
}
