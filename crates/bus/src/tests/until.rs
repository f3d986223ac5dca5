use std::time::Duration;

use tokio::time::{sleep, timeout};

/// No state takes longer to be reached, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(40);

/// Waits until `reached` says so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let waiting = async {
        while !reached().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    if timeout(LIMIT, waiting).await.is_err() {
        panic!("not within {LIMIT:?}: {what}");
    }
}
