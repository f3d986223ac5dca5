//! `bowline watch`: facts as they are stated, over lost connections.

use std::process::ExitCode;
use std::time::Duration;

use futures::future::try_join_all;
use tonic::{Code, Streaming};
use wire::v1::{GetRequest, UpgradeView, WatchEvent, WatchRequest};

use crate::failure::{FAILED, Failure, Outcome, read_or_not};
use crate::output::{Format, Out, note, paragraph, plain, span};
use crate::remote::{Effect, Remote, Server};
use crate::status::what;
use crate::{json, phase};

/// Before the first new attempt; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A service's name is cut to so many characters.
const NAME: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One upgrade, by its id or the beginning of it; from its first fact to its end.
    #[arg(conflicts_with = "service")]
    id: Option<String>,
    /// The upgrades of this service; else all. From now on, until interrupted.
    #[arg(long)]
    service: Option<String>,
}

pub(crate) async fn run(args: Args, server: &Server, out: &Out) -> Outcome {
    let one = args.id.is_some();
    let request = WatchRequest {
        id_or_prefix: args.id.unwrap_or_default(),
        service: args.service.unwrap_or_default(),
        after: None,
    };
    let print = |event: &WatchEvent, one| {
        out.answer(|out| line(event, one, out), || json::Event::new(event))
    };
    let mut watch = Watch::new(server, request);
    if !one {
        // Until its reader goes.
        watch.run(|event| print(event, false)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let ended = follow(watch, out, print).await?;
    if out.format != Format::Json {
        read_or_not(crate::output::write(&ended.text(out)))?;
    }
    Ok(ended.code())
}

/// An upgrade that goes no further by itself.
pub(crate) struct Ended {
    /// It.
    pub(crate) view: UpgradeView,
    /// What it was split into; they go no further either.
    pub(crate) parts: Vec<UpgradeView>,
}

impl Ended {
    /// The exit code: of what was split, that of its parts.
    pub(crate) fn code(&self) -> ExitCode {
        let mut ends = match self.parts.as_slice() {
            [] => std::slice::from_ref(&self.view),
            parts => parts,
        }
        .iter();
        if ends.all(|view| phase::is_success(&view.phase)) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        }
    }

    /// How it ended, in paragraphs.
    pub(crate) fn text(&self, out: &Out) -> String {
        if self.parts.is_empty() {
            return ending(&self.view, out);
        }
        self.parts.iter().map(|part| ending(part, out)).collect()
    }
}

/// Follows an upgrade that was just asked for, and prints its facts if the output is for people.
pub(crate) async fn to_the_end(id: &str, server: &Server, out: &Out) -> Result<Ended, Failure> {
    let print = |event: &WatchEvent, one| match out.format {
        Format::Json => Ok(()),
        Format::Text | Format::Diff => crate::output::write(&line(event, one, out)),
    };
    follow(Watch::of_new(server, id), out, print).await
}

/// What it means that nobody reads on: the exit code shall tell an end, and 0 a good one.
pub(crate) fn not_over(failure: Failure, id: &str) -> Failure {
    if !failure.is_reader_gone() {
        return failure;
    }
    let id: String = id.chars().take(8).collect();
    Failure::failed(format!(
        "nobody reads this any more, and upgrade {id} was not over yet; `bowline status {id}` \
         tells how it ends"
    ))
}

/// Follows one upgrade until it goes no further, and its parts if it was split. `print` is told
/// whether there is only one to be told from.
async fn follow(
    mut watch: Watch<'_>,
    out: &Out,
    print: impl Fn(&WatchEvent, bool) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let pass = |event: &WatchEvent, one| {
        let id = event.upgrade.as_ref().map(|upgrade| upgrade.id.as_str());
        print(event, one).map_err(|failure| not_over(failure, id.unwrap_or_default()))?;
        hint(event);
        Ok(())
    };
    let view = watch.run(|event| pass(event, true)).await?;
    if !view.split_into.is_empty() && out.format != Format::Json {
        crate::output::write(&split(&view)).map_err(|failure| not_over(failure, &view.id))?;
    }
    let parts = view.split_into.iter().map(|id| {
        let mut watch = Watch::of_new(watch.server, id);
        async move { watch.run(|event| pass(event, false)).await }
    });
    let parts = try_join_all(parts).await?;
    Ok(Ended { view, parts })
}

/// That what is watched goes on as several.
fn split(view: &UpgradeView) -> String {
    let text = format!(
        "{}: split into {} upgrades, one for each service; watching all of them.",
        what(view),
        view.split_into.len()
    );
    format!("\n{}\n", paragraph("", &text))
}

/// How it ended, in a paragraph.
fn ending(view: &UpgradeView, out: &Out) -> String {
    let took = match view.started_ms {
        0 => String::new(),
        started => {
            let until = match view.since_ms {
                0 => out.now.as_millisecond(),
                since => since,
            };
            format!(" after {}", span((until - started) / 1_000))
        }
    };
    let mut text = format!("\n{}: {}{took}\n", what(view), phase::words(&view.phase));
    if view.archived {
        // Else the last fact has just said it.
        text.push_str(&paragraph("", &view.reason));
    }
    if phase::needs_person(&view.phase) {
        let id: String = view.id.chars().take(8).collect();
        text.push_str(&format!(
            "`bowline status {id}` says what a person can do.\n"
        ));
    }
    text
}

/// What keeps a watch going.
struct Watch<'a> {
    server: &'a Server,
    request: WatchRequest,
    /// An unknown id is asked for again, for as long as an answer may take.
    unknown_is_early: bool,
    /// Whether it ever began.
    connected: bool,
    /// The newest event that was passed on.
    seen: Option<u64>,
    /// An upgrade goes on where it is watched alone.
    one: bool,
}

/// What a connection begins with.
enum Opened {
    /// Facts.
    Stream(Remote, Streaming<WatchEvent>),
    /// Nothing: this upgrade is over, and its facts are archived.
    Ended(UpgradeView),
}

/// Why a connection is over.
enum Lost {
    /// It can be tried again.
    Passing(String),
    /// It cannot.
    Lasting(Failure),
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server, request: WatchRequest) -> Watch<'a> {
        Watch {
            server,
            one: !request.id_or_prefix.is_empty(),
            request,
            unknown_is_early: false,
            connected: false,
            seen: None,
        }
    }

    /// Of one that was just opened: the replica that answers may not have read of it yet.
    fn of_new(server: &'a Server, id: &str) -> Watch<'a> {
        let request = WatchRequest {
            id_or_prefix: id.to_owned(),
            ..WatchRequest::default()
        };
        Watch {
            unknown_is_early: true,
            ..Watch::new(server, request)
        }
    }

    /// Passes events on until the one upgrade that is watched goes no further by itself.
    async fn run(
        &mut self,
        mut pass: impl FnMut(&WatchEvent) -> Result<(), Failure>,
    ) -> Result<UpgradeView, Failure> {
        let began = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = self.seen;
            let lost = match self.open().await {
                Ok(Opened::Ended(view)) => return Ok(view),
                Ok(Opened::Stream(mut remote, mut stream)) => {
                    if self.connected {
                        note("connected again");
                    }
                    self.connected = true;
                    match self.events(&mut remote, &mut stream, &mut pass).await {
                        Ok(view) => return Ok(view),
                        Err(lost) => lost,
                    }
                }
                Err(lost) => lost,
            };
            if self.seen != seen {
                pause = FIRST_PAUSE;
            }
            match lost {
                Lost::Lasting(failure) => return Err(failure),
                Lost::Passing(why) if self.connected => note(&format!(
                    "{why}; watching goes on in {} s",
                    pause.as_secs_f32()
                )),
                Lost::Passing(why) if began.elapsed() > self.server.timeout() => {
                    return Err(Failure::failed(why));
                }
                Lost::Passing(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open(&self) -> Result<Opened, Lost> {
        let mut remote = self.server.connect().await.map_err(|failure| {
            if self.connected {
                Lost::Passing(failure.message)
            } else {
                Lost::Lasting(failure)
            }
        })?;
        if self.one && !self.connected {
            let view = self.get(&mut remote, &self.request.id_or_prefix).await?;
            if view.archived && phase::is_over(&view.phase) {
                return Ok(Opened::Ended(view));
            }
        }
        let request = self.request.clone();
        match remote
            .try_ask(async |client| client.watch(request).await)
            .await
        {
            Ok(stream) => Ok(Opened::Stream(remote, stream)),
            Err(status) => Err(self.judge(&remote, &status)),
        }
    }

    async fn get(&self, remote: &mut Remote, id: &str) -> Result<UpgradeView, Lost> {
        let request = GetRequest {
            id_or_prefix: id.to_owned(),
        };
        remote
            .try_ask(async |client| client.get(request).await)
            .await
            .map_err(|status| self.judge(remote, &status))
    }

    /// Passes on what comes over this connection.
    async fn events(
        &mut self,
        remote: &mut Remote,
        stream: &mut Streaming<WatchEvent>,
        pass: &mut impl FnMut(&WatchEvent) -> Result<(), Failure>,
    ) -> Result<UpgradeView, Lost> {
        loop {
            let event = match stream.message().await {
                Ok(Some(event)) => event,
                Ok(None) => return Err(Lost::Passing("the server ended the answer".to_owned())),
                Err(status) => return Err(self.judge(remote, &status)),
            };
            if self.seen.is_none_or(|seen| event.cursor > seen) {
                pass(&event).map_err(Lost::Lasting)?;
                self.seen = Some(event.cursor);
            }
            if self.one
                && let Some(view) = self.end(remote, &event).await?
            {
                return Ok(view);
            }
            // Only now: an end that could not be looked at is looked at again.
            self.request.after = Some(event.cursor);
        }
    }

    /// The upgrade, if this event is its last one. Something may have come after an end: a retry,
    /// or a rollback of what succeeded.
    async fn end(
        &mut self,
        remote: &mut Remote,
        event: &WatchEvent,
    ) -> Result<Option<UpgradeView>, Lost> {
        let Some(upgrade) = &event.upgrade else {
            return Ok(None);
        };
        // What was short may come to fit two.
        self.request.id_or_prefix.clone_from(&upgrade.id);
        if !phase::is_over(&upgrade.phase) && !phase::needs_person(&upgrade.phase) {
            return Ok(None);
        }
        let view = self.get(remote, &upgrade.id).await?;
        let newest = view.facts.last().map_or(0, |fact| fact.n);
        let this = event.fact.as_ref().map_or(0, |fact| fact.n);
        Ok((newest <= this).then(|| UpgradeView {
            started_ms: view.started_ms,
            split_into: view.split_into,
            ..upgrade.clone()
        }))
    }

    fn judge(&self, remote: &Remote, status: &tonic::Status) -> Lost {
        let failure = remote.told(status, Effect::Reads);
        let passing = match status.code() {
            Code::NotFound => self.connected || self.unknown_is_early,
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::OutOfRange => false,
            _ => self.connected,
        };
        if passing {
            Lost::Passing(failure.message)
        } else {
            Lost::Lasting(failure)
        }
    }
}

/// One event; of several upgrades with whose it is.
fn line(event: &WatchEvent, one: bool, out: &Out) -> String {
    let Some(fact) = &event.fact else {
        return String::new();
    };
    let mut first = format!("{}  ", out.local(fact.at_ms, "%T"));
    if !one && let Some(upgrade) = &event.upgrade {
        let mut name = what(upgrade);
        if name.chars().count() > NAME {
            name = name.chars().take(NAME - 1).chain(['…']).collect();
        }
        let id: String = upgrade.id.chars().take(8).collect();
        first.push_str(&format!("{id}  {name:<NAME$}  "));
    }
    first.push_str(&phase::fact(&fact.name));
    if fact.text.trim().is_empty() {
        first.push('\n');
        return first;
    }
    let width = if one { 30 } else { 58 };
    let text = plain(&fact.text).replace('\n', "; ");
    paragraph(&format!("{first:<width$}"), &text)
}

/// What a watched upgrade waits for that a person has to give.
fn hint(event: &WatchEvent) {
    if let Some(upgrade) = &event.upgrade
        && upgrade.phase == "AwaitingApproval"
    {
        let id: String = upgrade.id.chars().take(8).collect();
        note(&format!("it goes on with `bowline approve {id}`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{WIDTH, fixed};
    use crate::sample;

    fn events() -> Vec<WatchEvent> {
        let mut events = Vec::new();
        for view in [sample::watching(), sample::stuck(), sample::requested()] {
            for fact in &view.facts {
                let mut upgrade = view.clone();
                if view.service == "linkwarden" {
                    "linkwarden-with-a-long-name".clone_into(&mut upgrade.service);
                }
                events.push(WatchEvent {
                    cursor: fact.n,
                    fact: Some(fact.clone()),
                    upgrade: Some(upgrade),
                });
            }
        }
        events
    }

    fn text(one: bool) -> String {
        let text: String = events()
            .iter()
            .map(|event| line(event, one, &fixed()))
            .collect();
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        text
    }

    #[test]
    fn facts_of_all_upgrades() {
        insta::assert_snapshot!(text(false), @r"
        13:20:00  1f3a9c02  linkwarden-with…  requested           ghcr.io/linkwarden/linkwarden:v2.10.1
        13:20:01  1f3a9c02  linkwarden-with…  admitted
        13:20:10  1f3a9c02  linkwarden-with…  planned             linkwarden v2.9.1 -> v2.10.1, CAUTION, 4
                                                                  step(s)
        13:41:40  1f3a9c02  linkwarden-with…  verified            ghcr.io/linkwarden/linkwarden:v2.9.2 is
                                                                  live in linkwarden/Deployment/linkwarden,
                                                                  its pods are ready, and
                                                                  https://links.example.org answered 200 for
                                                                  10 min
        13:56:50  1f3a9c02  linkwarden-with…  healthy since
        11:00:00  1f3a9c02  linkwarden-with…  rollback requested  Unhealthy:
                                                                  linkwarden/Deployment/linkwarden: pod
                                                                  linkwarden-5c9d: CrashLoopBackOff
        12:00:00  1f3a9c02  linkwarden-with…  stuck               the old version is not healthy
        13:59:56  77c0ffee  dawarich          requested           docker.io/freikin/dawarich:1.6.1
        ");
    }

    #[test]
    fn facts_of_one_upgrade() {
        insta::assert_snapshot!(text(true), @r"
        13:20:00  requested           ghcr.io/linkwarden/linkwarden:v2.10.1
        13:20:01  admitted
        13:20:10  planned             linkwarden v2.9.1 -> v2.10.1, CAUTION, 4 step(s)
        13:41:40  verified            ghcr.io/linkwarden/linkwarden:v2.9.2 is live in
                                      linkwarden/Deployment/linkwarden, its pods are ready, and
                                      https://links.example.org answered 200 for 10 min
        13:56:50  healthy since
        11:00:00  rollback requested  Unhealthy: linkwarden/Deployment/linkwarden: pod linkwarden-5c9d:
                                      CrashLoopBackOff
        12:00:00  stuck               the old version is not healthy
        13:59:56  requested           docker.io/freikin/dawarich:1.6.1
        ");
    }

    #[test]
    fn the_end_says_how_and_how_long_it_took() {
        let texts = [sample::succeeded(), sample::stuck()].map(|view| ending(&view, &fixed()));
        insta::assert_snapshot!(texts.join("---"), @r"
        url: succeeded after 21 min
        ---
        linkwarden: stuck after 1 h
        `bowline status 1f3a9c02` says what a person can do.
        ");
    }
}
