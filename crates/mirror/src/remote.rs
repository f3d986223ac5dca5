//! The host's side: its address, our credentials, and what its errors mean.

use std::cell::Cell;

use git2::{Cred, CredentialType, ErrorClass, ErrorCode, RemoteCallbacks};

use crate::error::{Cause, Error};
use crate::secret::Secret;

/// How often credentials are handed out per connection. The host repeats its question when it does
/// not like them, and libgit2 would go on answering.
const MAX_ATTEMPTS: u32 = 2;

/// Where a branch is and how to get at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// An `https://` or SSH address.
    ///
    /// Credentials inside an HTTP address are taken out of it when the mirror is opened and serve
    /// where `user` is empty or `token` is none.
    pub url: String,
    /// The branch to read and write, without `refs/heads/`.
    pub branch: String,
    /// The user that goes with the token (GitHub `x-access-token`, GitLab `oauth2`), or of SSH.
    pub user: String,
    /// The token; for SSH a private key in PEM form, or none for that of the agent.
    pub token: Option<Secret>,
}

impl Remote {
    /// The same remote with an address that may be shown to anybody.
    pub(crate) fn without_user_info(mut self) -> Self {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return self;
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return self;
        }
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, String::new()),
        };
        let Some((user_info, host)) = authority.rsplit_once('@') else {
            return self;
        };
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        if self.user.is_empty() {
            self.user = decoded(user);
        }
        if self.token.is_none() {
            self.token = password.map(|password| Secret::new(&decoded(password)));
        }
        self.url = format!("{scheme}://{host}{path}");
        self
    }

    pub(crate) fn tracking_ref(&self) -> String {
        format!("refs/remotes/origin/{}", self.branch)
    }

    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Takes our token out of a text, should somebody have put it there.
    pub(crate) fn redacted(&self, text: &str) -> String {
        match &self.token {
            Some(token) if !token.expose().is_empty() => text.replace(token.expose(), "***"),
            _ => text.to_owned(),
        }
    }

    /// Callbacks that hand out our credentials a bounded number of times.
    pub(crate) fn callbacks<'a>(&'a self, refused: &'a Cell<bool>) -> RemoteCallbacks<'a> {
        let mut attempts = 0;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |_, user_in_url, allowed| {
            let user = user_in_url.unwrap_or(&self.user);
            if allowed.contains(CredentialType::USERNAME) {
                return Cred::username(user);
            }
            attempts += 1;
            if attempts > MAX_ATTEMPTS {
                refused.set(true);
                return Err(failed_login("the host refuses our credentials"));
            }
            self.credential(user, allowed)
                .inspect_err(|_| refused.set(true))
        });
        callbacks
    }

    fn credential(&self, user: &str, allowed: CredentialType) -> Result<Cred, git2::Error> {
        match &self.token {
            Some(token) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                Cred::userpass_plaintext(user, token.expose())
            }
            Some(key) if allowed.contains(CredentialType::SSH_KEY) => {
                Cred::ssh_key_from_memory(user, None, key.expose(), None)
            }
            None if allowed.contains(CredentialType::SSH_KEY) => Cred::ssh_key_from_agent(user),
            None => Err(failed_login(
                "the host asks for credentials and none are configured",
            )),
            Some(_) => Err(failed_login(
                "the host does not take the credentials we have",
            )),
        }
    }

    /// What a failed conversation with the host means.
    pub(crate) fn error(&self, attempt: &str, error: &git2::Error, refused: bool) -> Error {
        let cause = Cause(self.redacted(error.message()));
        let attempt = attempt.to_owned();
        let status = http_status(error);
        let credentials =
            refused || error.code() == ErrorCode::Auth || matches!(status, Some(401 | 403));
        if credentials
            || matches!(error.code(), ErrorCode::Certificate | ErrorCode::Owner)
            || status == Some(404)
        {
            Error::AccessRefused {
                attempt,
                credentials,
                cause,
            }
        } else if error.code() == ErrorCode::Timeout || cause.0.contains("timed out") {
            Error::TimedOut { attempt, cause }
        } else {
            Error::Unreachable { attempt, cause }
        }
    }
}

fn failed_login(text: &str) -> git2::Error {
    git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, text)
}

/// The status that libgit2 only mentions in its text.
fn http_status(error: &git2::Error) -> Option<u16> {
    let (_, status) = error
        .message()
        .split_once("unexpected http status code: ")?;
    status.get(..3)?.parse().ok()
}

/// Undoes `%40` and its like.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> Remote {
        let (branch, user) = ("main".to_owned(), String::new());
        Remote {
            url: url.to_owned(),
            branch,
            user,
            token: None,
        }
    }

    #[test]
    fn credentials_in_an_address_are_taken_out_of_it() {
        let found = remote("https://bot:s%40fe@git.example.org:3000/o/r.git").without_user_info();
        assert_eq!(found.url, "https://git.example.org:3000/o/r.git");
        assert_eq!(found.user, "bot");
        assert_eq!(found.token, Some(Secret::new("s@fe")));
        assert!(!format!("{found:?}").contains("s@fe"));
    }

    #[test]
    fn the_user_of_an_ssh_address_stays() {
        for url in [
            "ssh://git@git.example.org/o/r.git",
            "git@git.example.org:o/r.git",
        ] {
            assert_eq!(remote(url).without_user_info().url, url);
        }
    }

    #[test]
    fn configured_credentials_win_over_those_in_the_address() {
        let mut given = remote("https://a:b@git.example.org/r.git");
        given.user = "bot".to_owned();
        given.token = Some(Secret::new("right"));
        let found = given.without_user_info();
        assert_eq!(
            (found.user.as_str(), found.token),
            ("bot", Some(Secret::new("right")))
        );
    }

    #[test]
    fn a_status_decides_who_can_help() {
        let case = |status: &str| {
            let text = format!("unexpected http status code: {status}");
            remote("https://h/r")
                .error("fetch", &git2::Error::from_str(&text), false)
                .kind()
        };
        use crate::error::Kind::{Person, Retry};
        assert_eq!(
            [case("403"), case("404"), case("429"), case("502")],
            [Person, Person, Retry, Retry]
        );
    }
}
