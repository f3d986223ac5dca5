//! Pushing a commit, and finding out what became of it.

use std::cell::{Cell, RefCell};

use git2::{Direction, ErrorClass, ErrorCode, PushOptions};

use crate::commit::Commit;
use crate::error::{Error, Kind};
use crate::repository::Mirror;

/// How much of what the host's hooks say is kept.
const MAX_HOST_WORDS: usize = 2000;

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The commit is on the branch, by this push or an earlier one.
    Landed,
    /// The branch is elsewhere and does not contain the commit: build it anew on `head`.
    Moved {
        /// Where the branch is now.
        head: Commit,
    },
    /// The host does not want it: a protected branch or a hook. The branch has not moved.
    Refused {
        /// The host's words.
        reason: String,
    },
}

/// What one conversation said, before anybody checked.
#[derive(Default)]
struct Said {
    moved: Cell<bool>,
    refused_access: Cell<bool>,
    declined: RefCell<Option<String>>,
    words: RefCell<Vec<u8>>,
}

impl Mirror {
    /// Moves the branch from `base` to `commit`, and only from there.
    ///
    /// The outcome is what a fetch shows afterwards, whatever the push itself reported. A push that
    /// is repeated after it landed is [`PushOutcome::Landed`] again. After an error with
    /// [`Kind::Retry`] the commit may be on the branch or not: repeat the call.
    pub fn push(&self, commit: &Commit, base: &Commit) -> Result<PushOutcome, Error> {
        if commit == base || !self.is_ancestor(base, commit)? {
            return Err(Error::NotOnBase {
                commit: commit.clone(),
                base: base.clone(),
            });
        }
        let _turn = self.turn();
        let said = Said::default();
        let pushed = self.send(commit, base, &said);
        let head = match (self.fetch_in_turn(), &pushed) {
            (Ok(head), _) => head,
            (Err(_), Err(error)) => return Err(error.clone()),
            (Err(error), Ok(())) => return Err(error),
        };
        if self.is_ancestor(commit, &head)? {
            return Ok(PushOutcome::Landed);
        }
        match pushed {
            Err(error) if error.kind() == Kind::Person => return Err(error),
            _ if head != *base => return Ok(PushOutcome::Moved { head }),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        match said.declined.take() {
            Some(status) => {
                let reason = self
                    .remote()
                    .redacted(&in_words(&status, &said.words.take()));
                Ok(PushOutcome::Refused { reason })
            }
            None => {
                let (commit, branch) = (commit.clone(), self.remote().branch.clone());
                Err(Error::Unconfirmed { commit, branch })
            }
        }
    }

    /// Asks the host whether our credentials may push, without pushing anything.
    pub fn may_push(&self) -> Result<(), Error> {
        let _turn = self.turn();
        let repository = self.repository()?;
        let remote = self.remote();
        let attempt = format!("push to {}", remote.url);
        let refused = Cell::new(false);
        let failed = |error: git2::Error| remote.error(&attempt, &error, refused.get());
        let mut host = repository.remote_anonymous(&remote.url).map_err(failed)?;
        let connection = host.connect_auth(Direction::Push, Some(remote.callbacks(&refused)), None);
        connection.map(drop).map_err(failed)
    }

    /// Sends the commit. `Ok` says that the host was told, not that it agreed.
    fn send(&self, commit: &Commit, base: &Commit, said: &Said) -> Result<(), Error> {
        let repository = self.repository()?;
        let remote = self.remote();
        let attempt = format!("push {} of {}", remote.branch, remote.url);
        let failed = |error: git2::Error| remote.error(&attempt, &error, said.refused_access.get());
        let base = base.oid().map_err(failed)?;

        let mut callbacks = remote.callbacks(&said.refused_access);
        callbacks.push_negotiation(|updates| {
            // Fast-forward is not enough: after somebody took `base` back, it would return.
            if updates.iter().all(|update| update.src() == base) {
                return Ok(());
            }
            said.moved.set(true);
            let text = "the branch is not at the base of the push";
            Err(git2::Error::new(
                ErrorCode::NotFastForward,
                ErrorClass::Callback,
                text,
            ))
        });
        // Without this one a refusal passes for success.
        callbacks.push_update_reference(|_, status| {
            *said.declined.borrow_mut() = status.map(str::to_owned);
            Ok(())
        });
        callbacks.sideband_progress(|words| {
            let mut kept = said.words.borrow_mut();
            let room = MAX_HOST_WORDS.saturating_sub(kept.len());
            kept.extend(words.iter().take(room));
            true
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut host = repository.remote_anonymous(&remote.url).map_err(failed)?;
        let refspec = format!("{commit}:{}", remote.branch_ref());
        match host.push(&[refspec], Some(&mut options)) {
            Err(error) if !said.moved.get() && error.code() != ErrorCode::NotFastForward => {
                Err(failed(error))
            }
            _ => Ok(()),
        }
    }
}

/// The status of the reference and what the hook printed, in one line.
fn in_words(status: &str, words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let lines: Vec<_> = words
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let printable = |text: &str| text.chars().filter(|letter| !letter.is_control()).collect();
    let status: String = printable(status);
    if lines.is_empty() {
        status
    } else {
        printable(&format!("{status}: {}", lines.join(" ")))
    }
}
