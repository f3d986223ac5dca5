//! The connection to a running Bowline, and what its errors mean in sentences.

use std::error::Error as _;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use wire::v1::status_client::StatusClient;

use crate::failure::Failure;
use crate::output;

/// Names the server where the flag does not.
const VARIABLE: &str = "BOWLINE_SERVER";
const DEFAULT: &str = "http://127.0.0.1:8081";
/// An upgrade with all its facts can be long.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// A stream over which nothing comes is asked for a sign of life so often.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Which server is asked.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Asking a running Bowline")]
pub(crate) struct Server {
    /// Where ingest serves gRPC; else the variable `BOWLINE_SERVER` says so, else it is
    /// `http://127.0.0.1:8081`.
    #[arg(long, global = true, value_name = "ADDRESS")]
    server: Option<String>,
    /// No answer may take longer.
    #[arg(long, global = true, value_name = "DURATION", default_value = "20s",
          value_parser = output::duration)]
    timeout: Duration,
}

/// Who asks for something.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Asker {
    /// Who asks; it is written down with what is asked.
    #[arg(
        long,
        value_name = "NAME",
        env = "USER",
        default_value = "unknown",
        hide_env_values = true
    )]
    pub(crate) by: String,
}

/// An address, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    url: String,
    origin: &'static str,
}

/// What it means that an answer did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it was only asked.
    Reads,
    /// It may have been done all the same.
    Changes,
}

/// What asks.
pub(crate) type Client = StatusClient<Channel>;

/// A connection.
pub(crate) struct Remote {
    client: Client,
    address: Address,
    timeout: Duration,
}

impl Server {
    /// Connects to the server.
    ///
    /// # Errors
    /// It cannot be reached; the sentence says where it was looked for, and why there.
    pub(crate) async fn connect(&self) -> Result<Remote, Failure> {
        let address = choose(
            self.server.as_deref(),
            std::env::var(VARIABLE).ok().as_deref(),
        )?;
        let unreachable = |why: String| {
            Failure::failed(format!(
                "cannot reach Bowline at {} ({}): {why}\n\
                 Is ingest running there, and is this its ingest.grpc_listen? \
                 Name another address with --server or {VARIABLE}.",
                address.url, address.origin
            ))
        };
        let endpoint = Endpoint::from_shared(address.url.clone()).map_err(|error| {
            Failure::usage(format!(
                "`{}` ({}) is no address: {error}; write http://host:port",
                address.url, address.origin
            ))
        })?;
        let endpoint = endpoint
            .connect_timeout(self.timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(self.timeout)
            .keep_alive_while_idle(true);
        let channel = match tokio::time::timeout(self.timeout, endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(unreachable(innermost(&error))),
            Err(_) => {
                return Err(unreachable(format!(
                    "no answer within {}",
                    in_words(self.timeout)
                )));
            }
        };
        Ok(Remote {
            client: StatusClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
            address,
            timeout: self.timeout,
        })
    }

    /// How long an answer may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Remote {
    /// Asks one question.
    ///
    /// # Errors
    /// The answer as a sentence, if it is not what was asked for.
    pub(crate) async fn ask<T>(
        &mut self,
        effect: Effect,
        call: impl AsyncFnOnce(&mut Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Failure> {
        self.try_ask(call)
            .await
            .map_err(|status| self.told(&status, effect))
    }

    /// As [`ask`](Self::ask), for who wants to know the code.
    ///
    /// # Errors
    /// What the server, or the connection, said.
    pub(crate) async fn try_ask<T>(
        &mut self,
        call: impl AsyncFnOnce(&mut Client) -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        match tokio::time::timeout(self.timeout, call(&mut self.client)).await {
            Ok(answered) => answered.map(Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("")),
        }
    }

    /// What an error means.
    pub(crate) fn told(&self, status: &Status, effect: Effect) -> Failure {
        let at = &self.address.url;
        if let Some(source) = status.source() {
            // The server says nothing that has a source: this is the connection.
            let mut sentence = format!(
                "the connection to {at} ({}) broke: {}",
                self.address.origin,
                innermost(source)
            );
            sentence.push_str(match effect {
                Effect::Reads => {
                    "\nIf this repeats, something else than ingest's gRPC may listen there \
                     (webhooks have a port of their own)."
                }
                Effect::Changes => AFTERWARDS,
            });
            return Failure::failed(sentence);
        }
        let said = output::plain(status.message());
        match status.code() {
            Code::FailedPrecondition => Failure::refused(format!("refused: {said}")),
            Code::InvalidArgument => Failure::usage(said),
            Code::NotFound => Failure::failed(said),
            Code::DeadlineExceeded => {
                let mut sentence = format!(
                    "{at} did not answer within {} (--timeout)",
                    in_words(self.timeout)
                );
                if effect == Effect::Changes {
                    sentence.push_str(AFTERWARDS);
                }
                Failure::failed(sentence)
            }
            Code::Unavailable => Failure::failed(format!(
                "Bowline at {at} cannot answer now: {said}; try again in a moment"
            )),
            Code::Unimplemented => Failure::failed(format!(
                "Bowline at {at} does not know this question: its ingest is older than this \
                 `bowline`, or something else answers there"
            )),
            code => Failure::failed(format!("Bowline at {at} failed ({code:?}): {said}")),
        }
    }
}

const AFTERWARDS: &str = "\nWhat was asked for may have been done all the same: look before you \
                          ask again.";

/// The flag, else the variable, else the default. A scheme may be left out.
fn choose(flag: Option<&str>, variable: Option<&str>) -> Result<Address, Failure> {
    let (given, origin) = match (flag, variable.filter(|text| !text.trim().is_empty())) {
        (Some(flag), _) => (flag, "from --server"),
        (None, Some(variable)) => (variable, "from BOWLINE_SERVER"),
        (None, None) => (DEFAULT, "the default"),
    };
    let given = given.trim();
    let url = match given.split_once("://") {
        Some(("http", rest)) if !rest.is_empty() => given.to_owned(),
        None if !given.is_empty() => format!("http://{given}"),
        Some(("https", _)) => {
            return Err(Failure::usage(format!(
                "`{given}` ({origin}): gRPC is served over plain http; write http://host:port"
            )));
        }
        Some(_) | None => {
            return Err(Failure::usage(format!(
                "`{given}` ({origin}) is no address; write http://host:port"
            )));
        }
    };
    Ok(Address { url, origin })
}

/// The last cause of an error, which is what people understand.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    match last.downcast_ref::<std::io::Error>() {
        Some(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        _ => last.to_string(),
    }
}

fn in_words(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable_over_the_default() {
        let table = [
            (
                Some("http://a:1"),
                Some("http://b:2"),
                "http://a:1",
                "from --server",
            ),
            (Some("a:1"), None, "http://a:1", "from --server"),
            (None, Some("b:2"), "http://b:2", "from BOWLINE_SERVER"),
            (None, Some(" "), DEFAULT, "the default"),
            (None, None, DEFAULT, "the default"),
        ];
        for (flag, variable, url, origin) in table {
            let expected = Address {
                url: url.to_owned(),
                origin,
            };
            assert_eq!(choose(flag, variable), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_plain_address_is_wrong_usage() {
        for flag in ["", "https://a:1", "unix://x", "http://"] {
            let refused = choose(Some(flag), None);
            assert!(
                refused.is_err_and(|failure| failure.code == crate::failure::USAGE
                    && failure.message.contains("http://host:port")),
                "{flag}"
            );
        }
    }

    /// Lives nowhere; it only tells what errors mean.
    fn remote() -> Remote {
        let address = choose(None, None).expect("an address");
        let channel = Endpoint::from_static(DEFAULT).connect_lazy();
        Remote {
            client: StatusClient::new(channel),
            address,
            timeout: Duration::from_secs(20),
        }
    }

    #[tokio::test]
    async fn every_code_is_a_sentence_and_an_exit_code() {
        let told = |code, effect| {
            let failure = remote().told(&Status::new(code, "because"), effect);
            format!("{} {}", failure.code, failure.message)
        };
        let codes = [
            Code::FailedPrecondition,
            Code::InvalidArgument,
            Code::NotFound,
            Code::DeadlineExceeded,
            Code::Unavailable,
            Code::Unimplemented,
            Code::Internal,
        ];
        let mut sentences: Vec<String> = codes.map(|code| told(code, Effect::Reads)).to_vec();
        sentences.push(told(Code::DeadlineExceeded, Effect::Changes));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        3 refused: because
        2 because
        1 because
        1 http://127.0.0.1:8081 did not answer within 20s (--timeout)
        1 Bowline at http://127.0.0.1:8081 cannot answer now: because; try again in a moment
        1 Bowline at http://127.0.0.1:8081 does not know this question: its ingest is older than this `bowline`, or something else answers there
        1 Bowline at http://127.0.0.1:8081 failed (Internal): because
        1 http://127.0.0.1:8081 did not answer within 20s (--timeout)
        What was asked for may have been done all the same: look before you ask again.
        ");
    }
}
