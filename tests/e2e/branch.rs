use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use testkit::git::SomeoneElse;
use testkit::lab::Options;

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_a_hook_refuses_is_aborted_in_the_hosts_words() {
    in_lab(Options::default(), async |lab| {
        let hook = "#!/bin/sh\necho 'only signed commits' >&2\nexit 1\n";
        lab.git.set_hook("pre-receive", hook);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let view = lab.ended(&id, "Aborted", LIMIT).await?;
        assert!(
            view.reason.contains("only signed commits"),
            "{}",
            view.reason
        );
        assert_eq!(lab.commits(), []);
        assert_eq!(lab.woodpecker.runs(), []);
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        let words = [
            "ebooks",
            "aborted",
            "2.32.1 is unchanged",
            "only signed commits",
            &id,
        ];
        lab.said(&words, LIMIT).await?;

        // Mended: the same webhook is refused, a person may ask.
        lab.git.remove_hook("pre-receive");
        let again = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        assert_eq!(again.decision(), "refused", "{again:?}");
        let id = lab.ask(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;
        Ok(())
    })
    .await;
}

const STATE: &str = "state/terraform.tfstate";
const EVERY: Duration = Duration::from_millis(200);
/// A machine that takes longer than [`EVERY`] from a fetch to a push loses every race, so the bot
/// comes to an end.
const AT_MOST: usize = 60;

/// Commits the state every 200 ms, as a bot does that keeps it in the repository; it ends with this
/// value.
struct Bot {
    stop: Sender<()>,
    thread: JoinHandle<usize>,
}

impl Bot {
    fn start(stranger: SomeoneElse) -> Bot {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut serial = 0;
            while serial < AT_MOST && stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout)
            {
                let state = format!("{{\"serial\": {}}}\n", serial + 1);
                // Now and then somebody else is faster, as a push of its own would find out.
                let committed = stranger.try_commit(STATE, state.as_bytes(), "state [CI SKIP]");
                serial += usize::from(committed.is_ok());
            }
            serial
        });
        Bot { stop, thread }
    }

    /// How often it committed.
    fn stop(self) -> usize {
        drop(self.stop);
        self.thread.join().unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_lands_on_a_branch_that_moves_all_the_time_and_takes_no_foreign_line() {
    in_lab(Options::default(), async |lab| {
        let bot = Bot::start(lab.git.someone_else());
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        let states = bot.stop();
        ensure!(states > 3, "the branch moved {states} times");

        let commits = lab.commits();
        assert_eq!(commits.len(), states + 1, "{commits:#?}");
        let ours: Vec<_> = commits
            .iter()
            .filter(|commit| !commit.subject.starts_with("state"))
            .collect();
        let [upgrade] = ours.as_slice() else {
            anyhow::bail!("{ours:#?}")
        };
        let (paths, lines) = lab.changes(&upgrade.sha)?;
        assert_eq!(paths, ["stacks/ebooks/main.tf"]);
        ensure!(lines.len() == 2, "{lines:#?}");
        let last = format!("{{\"serial\": {states}}}\n");
        assert_eq!(lab.git.show("main", STATE), Some(last.into_bytes()));
        assert_eq!(lab.applier.applied(), std::slice::from_ref(&upgrade.sha));
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;
        Ok(())
    })
    .await;
}
