//! A `Status` server that answers as a test tells it, and keeps what it was asked.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use wire::v1::status_server::{Status as StatusService, StatusServer};
use wire::v1::{
    ControlRequest, ControlResponse, FactView, GetLimitsRequest, GetRequest, LimitsView,
    ListPausesRequest, ListRequest, ListResponse, PauseRequest, PauseView, PausesResponse,
    ResetLimitsRequest, ResolveRequest, SetLimitsRequest, UpgradeRequest, UpgradeResponse,
    UpgradeView, WatchEvent, WatchRequest, WhyRequest, WhyResponse,
};

/// One answer to `Watch`: events, and then how the stream ends; it stays open if it does not.
pub(crate) struct Watched {
    pub(crate) events: Vec<WatchEvent>,
    pub(crate) ends: Option<Result<(), Status>>,
}

/// What it answers. A queue gives one answer after the other, of `get` and `watch` the first that is
/// about the upgrade that is asked for, or an error; an empty one is UNIMPLEMENTED.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) get: VecDeque<Result<UpgradeView, Status>>,
    pub(crate) list: VecDeque<ListResponse>,
    pub(crate) watch: VecDeque<Result<Watched, Status>>,
    pub(crate) why: WhyResponse,
    pub(crate) upgrade: VecDeque<Result<UpgradeResponse, Status>>,
    pub(crate) control: VecDeque<Result<ControlResponse, Status>>,
    pub(crate) pauses: Vec<PauseView>,
    /// What is odd about the next pause.
    pub(crate) warning: String,
    /// None is UNAVAILABLE.
    pub(crate) limits: Option<LimitsView>,
    /// Every request that came, oldest first, as Rust writes it.
    pub(crate) asked: Vec<String>,
}

/// A running server; it ends with this value.
pub(crate) struct Stub {
    answers: Arc<Mutex<Answers>>,
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    pub(crate) fn start(answers: Answers) -> Stub {
        let answers = Arc::new(Mutex::new(answers));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = StatusServer::new(Service(Arc::clone(&answers)));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
        Stub {
            answers,
            port,
            _runtime: runtime,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request that came, oldest first, as Rust writes it.
    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.answers).asked.clone()
    }
}

struct Service(Arc<Mutex<Answers>>);

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    fn keep<T: Debug>(&self, request: Request<T>) -> MutexGuard<'_, Answers> {
        let mut answers = lock(&self.0);
        answers.asked.push(format!("{:?}", request.into_inner()));
        answers
    }

    fn control<T: Debug>(
        &self,
        what: &str,
        request: Request<T>,
    ) -> Result<Response<ControlResponse>, Status> {
        let mut answers = self.keep(request);
        if let Some(asked) = answers.asked.last_mut() {
            asked.insert_str(0, &format!("{what} "));
        }
        next(&mut answers.control)
    }

    fn limits<T: Debug>(&self, request: Request<T>) -> Result<Response<LimitsView>, Status> {
        let limits = self.keep(request).limits.clone();
        limits
            .map(Response::new)
            .ok_or_else(|| Status::unavailable("NATS did not answer within 10s"))
    }

    fn pauses(&self, what: &str, request: Request<PauseRequest>) -> Response<PausesResponse> {
        let mut answers = self.keep(request);
        if let Some(asked) = answers.asked.last_mut() {
            asked.insert_str(0, &format!("{what} "));
        }
        Response::new(PausesResponse {
            pauses: answers.pauses.clone(),
            warning: answers.warning.clone(),
        })
    }
}

fn next<T>(queue: &mut VecDeque<Result<T, Status>>) -> Result<Response<T>, Status> {
    next_that(queue, |_| true)
}

fn next_that<T>(
    queue: &mut VecDeque<Result<T, Status>>,
    fits: impl Fn(&T) -> bool,
) -> Result<Response<T>, Status> {
    let place = queue
        .iter()
        .position(|answer| answer.as_ref().map_or(true, &fits));
    place
        .and_then(|place| queue.remove(place))
        .unwrap_or_else(|| Err(Status::unimplemented("the test has no answer for this")))
        .map(Response::new)
}

type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent, Status>> + Send>>;

#[tonic::async_trait]
impl StatusService for Service {
    type WatchStream = Events;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<UpgradeView>, Status> {
        let id = request.get_ref().id_or_prefix.clone();
        next_that(&mut self.keep(request).get, |view| view.id.starts_with(&id))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let mut answers = self.keep(request);
        Ok(Response::new(answers.list.pop_front().unwrap_or_default()))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Events>, Status> {
        let id = request.get_ref().id_or_prefix.clone();
        let about = |watched: &Watched| {
            let mut upgrades = watched
                .events
                .iter()
                .filter_map(|event| event.upgrade.as_ref());
            upgrades.all(|upgrade| upgrade.id.starts_with(&id))
        };
        let next = next_that(&mut self.keep(request).watch, about)?;
        let Watched { events, ends } = next.into_inner();
        let events = stream::iter(events.into_iter().map(Ok));
        Ok(Response::new(match ends {
            Some(Ok(())) => events.boxed(),
            Some(Err(status)) => events.chain(stream::iter([Err(status)])).boxed(),
            None => events.chain(stream::pending()).boxed(),
        }))
    }

    async fn why(&self, request: Request<WhyRequest>) -> Result<Response<WhyResponse>, Status> {
        Ok(Response::new(self.keep(request).why.clone()))
    }

    async fn upgrade(
        &self,
        request: Request<UpgradeRequest>,
    ) -> Result<Response<UpgradeResponse>, Status> {
        next(&mut self.keep(request).upgrade)
    }

    async fn approve(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.control("approve", request)
    }

    async fn cancel(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.control("cancel", request)
    }

    async fn retry(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.control("retry", request)
    }

    async fn rollback(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.control("rollback", request)
    }

    async fn resolve(
        &self,
        request: Request<ResolveRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.control("resolve", request)
    }

    async fn pause(
        &self,
        request: Request<PauseRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        Ok(self.pauses("pause", request))
    }

    async fn resume(
        &self,
        request: Request<PauseRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        Ok(self.pauses("resume", request))
    }

    async fn list_pauses(
        &self,
        request: Request<ListPausesRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        let pauses = self.keep(request).pauses.clone();
        Ok(Response::new(PausesResponse {
            pauses,
            warning: String::new(),
        }))
    }

    async fn get_limits(
        &self,
        request: Request<GetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        self.limits(request)
    }

    async fn set_limits(
        &self,
        request: Request<SetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        self.limits(request)
    }

    async fn reset_limits(
        &self,
        request: Request<ResetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        self.limits(request)
    }
}

/// An upgrade in this phase.
pub(crate) fn view(id: &str, phase: &str) -> UpgradeView {
    UpgradeView {
        id: id.to_owned(),
        service: "linkwarden".to_owned(),
        image: "ghcr.io/linkwarden/linkwarden".to_owned(),
        from: "v2.9.1".to_owned(),
        to: "v2.9.2".to_owned(),
        phase: phase.to_owned(),
        owner: "none".to_owned(),
        started_ms: 1_795_442_400_000,
        since_ms: 1_795_442_460_000,
        ..UpgradeView::default()
    }
}

/// The same with this many facts.
pub(crate) fn view_with_facts(id: &str, phase: &str, count: u64) -> UpgradeView {
    UpgradeView {
        facts: (1..=count).map(|n| fact(n, "observed")).collect(),
        ..view(id, phase)
    }
}

pub(crate) fn fact(n: u64, name: &str) -> FactView {
    FactView {
        n,
        name: name.to_owned(),
        at_ms: 1_795_442_400_000,
        next: "verifier".to_owned(),
        text: format!("text {n}"),
    }
}

/// The n-th fact of an upgrade, which is then in this phase.
pub(crate) fn event(cursor: u64, id: &str, n: u64, name: &str, phase: &str) -> WatchEvent {
    WatchEvent {
        cursor,
        fact: Some(fact(n, name)),
        upgrade: Some(view(id, phase)),
    }
}
