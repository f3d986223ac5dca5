//! What people ask over gRPC: each call read, answered, and nothing decided here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::{Log, Pause, Scope, WindowSettings};
use job::UpgradeId;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use wire::v1::status_server::Status as StatusService;
use wire::v1::{
    ControlRequest, ControlResponse, GetLimitsRequest, GetRequest, Intake, LimitsView,
    ListPausesRequest, ListRequest, ListResponse, PauseRequest, PauseView, PausesResponse,
    ResetLimitsRequest, ResolveRequest, SetLimitsRequest, UpgradeRequest, UpgradeResponse,
    UpgradeView, WatchRequest, WhyRequest, WhyResponse,
};

use crate::control::{Asked, Control, name, one_line};
use crate::gate::Answer;
use crate::listing::{self, Listing};
use crate::projection::Projection;
use crate::view;
use crate::watching::{self, Events, Wanted};
use crate::wish::{Wish, is_plausible};

/// How long a question waits for a projection that is being read.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How long an answer that is complete without it does.
const SOON: Duration = Duration::from_secs(1);
/// So many kept webhooks are looked at,
const INTAKES: usize = 1_000;
/// and so many told, unless asked otherwise.
const TOLD: usize = 20;
/// A reason for a pause is cut after so many characters.
const WHY: usize = 500;
/// No window holds more.
const MAX_UPGRADES: u32 = 1_000;
/// No window is longer: a year.
const MAX_WINDOW: u64 = 366 * 24 * 3_600;

/// The `Status` service.
pub(crate) struct Grpc {
    /// The log.
    pub(crate) log: Arc<dyn Log>,
    /// Every upgrade as this replica knows it.
    pub(crate) projection: Projection,
    /// Single upgrades.
    pub(crate) control: Control,
    /// The repository whose window and pauses are asked for.
    pub(crate) repository: String,
    /// The configured window.
    pub(crate) window: WindowSettings,
    /// The services that the configuration says something about.
    pub(crate) services: BTreeSet<String>,
    /// The shortest health window; none if nothing is carried out.
    pub(crate) shortest: Option<Duration>,
    /// Ends every stream.
    pub(crate) stop: CancellationToken,
}

/// A kept webhook or request, as the gate writes it.
#[derive(Deserialize)]
struct Kept {
    at_ms: i64,
    image: String,
    status: String,
    decision: String,
    reason: String,
    upgrade: Option<String>,
}

impl Grpc {
    /// Answers of half a log would be wrong ones.
    async fn caught_up(&self) -> Result<(), Status> {
        if self.projection.caught_up(CATCH_UP).await {
            Ok(())
        } else {
            Err(Status::unavailable(
                "ingest has not read the whole log yet; ask again in a moment",
            ))
        }
    }

    async fn wish(
        &self,
        request: Request<ControlRequest>,
        wish: Wish,
    ) -> Result<Response<ControlResponse>, Status> {
        let asked = request.into_inner();
        self.caught_up().await?;
        let answer = self.control.ask(&asked.id_or_prefix, &asked.by, &wish);
        answer.await.map(Response::new)
    }

    fn scope(&self, request: &PauseRequest) -> Result<Scope, Status> {
        match (request.service.as_str(), request.repository) {
            ("", false) => Ok(Scope::All),
            ("", true) => Ok(Scope::Repository(self.repository.clone())),
            (service, false) => Ok(Scope::Service {
                repository: self.repository.clone(),
                service: one_line(service, WHY),
            }),
            (_, true) => Err(Status::invalid_argument(
                "a pause is of a service or of the repository; give one of them",
            )),
        }
    }

    /// What is odd about a pause: that nobody has heard of what it is of.
    async fn warning(&self, scope: &Scope) -> String {
        let Scope::Service { service, .. } = scope else {
            return String::new();
        };
        let is_it = |state: &job::State| {
            let planned = state.plan.as_ref().map(|plan| &plan.service);
            planned.or(state.request.service.as_ref()) == Some(service)
        };
        // Half a log knows half of the services.
        if self.services.contains(service)
            || !self.projection.caught_up(SOON).await
            || self.projection.any(is_it)
        {
            return String::new();
        }
        format!(
            "no upgrade and no section [services.{service}] names a service `{service}`; it is \
             paused all the same. A service is called as its folder in the repository is; if \
             another was meant, run `bowline resume --service {service}`"
        )
    }

    async fn in_force(&self, warning: String) -> Result<Response<PausesResponse>, Status> {
        let pauses = self.control.in_time(bus::pauses(self.log.as_ref())).await?;
        Ok(Response::new(PausesResponse {
            pauses: pauses
                .into_iter()
                .map(|pause| PauseView {
                    scope: pause.scope.to_string(),
                    by: pause.by,
                    why: pause.why,
                    at_ms: pause.at_ms,
                })
                .collect(),
            warning,
        }))
    }

    async fn limits(&self) -> Result<Response<LimitsView>, Status> {
        let asked = bus::window(self.log.as_ref(), &self.repository, self.window);
        let window = self.control.in_time(asked).await?;
        let ids = |ids: &[UpgradeId]| ids.iter().map(ToString::to_string).collect();
        Ok(Response::new(LimitsView {
            max: u32::try_from(window.settings.max).unwrap_or(u32::MAX),
            window_seconds: window.settings.length.as_secs(),
            overridden: window.overridden,
            window_started_ms: window.started_ms.unwrap_or(0),
            admitted: ids(&window.admission.admitted),
            held: ids(&window.admission.held),
            shortest_seconds: self.shortest.map(|shortest| shortest.as_secs()),
        }))
    }

    /// Lets in whoever has a place by the limits as they are now.
    async fn admit(&self) -> Result<(), Status> {
        let admitted = bus::admit(self.log.as_ref(), &self.repository, self.window, None);
        self.control.in_time(admitted).await.map(|_admission| ())
    }
}

/// A time so long ago.
fn before(now_ms: i64, time: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// The span of one call.
pub(crate) fn span(request: &axum::http::Request<()>) -> tracing::Span {
    // `/bowline.v1.Status/Get`
    let method = request.uri().path().rsplit('/').next().unwrap_or_default();
    let span = tracing::info_span!(
        "grpc",
        otel.name = format!("grpc {method}"),
        otel.kind = "server",
        rpc.method = method,
    );
    let parent = request.headers().get("traceparent");
    bus::trace::adopt(&span, parent.and_then(|parent| parent.to_str().ok()));
    span
}

#[tonic::async_trait]
impl StatusService for Grpc {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<UpgradeView>, Status> {
        let asked = request.into_inner().id_or_prefix;
        self.caught_up().await?;
        Ok(Response::new(match self.control.find(&asked).await? {
            Asked::Archived(summary) => summary.view(),
            Asked::Known(known) => {
                let started_ms = view::began(&known.entries);
                UpgradeView {
                    facts: known.entries.iter().map(view::fact).collect(),
                    split_into: view::split_into(&known.entries),
                    trouble: self.control.trouble_or_none(&known).await,
                    ..view::of(
                        &known.state,
                        started_ms,
                        &self.control.pauses_or_none().await,
                    )
                }
            }
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let listing = Listing::read(request.get_ref()).map_err(Status::invalid_argument)?;
        self.caught_up().await?;
        let pauses = self.control.pauses_or_none().await;
        let fits = |state: &job::State, began_ms| listing.fits(state, began_ms);
        let mut found = self
            .projection
            .newest(listing.before, listing.limit + 1, fits);
        let more = found.len() > listing.limit;
        found.truncate(listing.limit);
        let last = found.last().map_or(0, |(place, _, _)| *place);
        Ok(Response::new(ListResponse {
            upgrades: found
                .iter()
                .map(|(_, began_ms, state)| view::of(state, *began_ms, &pauses))
                .collect(),
            next_page_token: if more {
                listing::next_page(last)
            } else {
                String::new()
            },
        }))
    }

    type WatchStream = Events;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let asked = request.into_inner();
        self.caught_up().await?;
        let id = if asked.id_or_prefix.is_empty() {
            None
        } else {
            match self.control.find(&asked.id_or_prefix).await? {
                Asked::Known(known) => Some(known.state.id),
                Asked::Archived(_) => {
                    return Err(Status::failed_precondition(
                        "this upgrade is over and archived; nothing happens to it any more",
                    ));
                }
            }
        };
        let after = match (asked.after, &id) {
            (Some(after), _) => after,
            (None, Some(_)) => 0,
            (None, None) => self.projection.last(),
        };
        let wanted = Wanted {
            id,
            service: asked.service,
            after,
        };
        let (log, projection) = (Arc::clone(&self.log), self.projection.clone());
        let events = watching::events(log, projection, self.stop.clone(), wanted);
        Ok(Response::new(events))
    }

    async fn why(&self, request: Request<WhyRequest>) -> Result<Response<WhyResponse>, Status> {
        let asked = request.into_inner();
        let limit = match usize::try_from(asked.limit) {
            Ok(0) | Err(_) => TOLD,
            Ok(limit) => limit,
        };
        let records = self.control.in_time(self.log.intakes(INTAKES)).await?;
        let kept: Vec<Kept> = records
            .iter()
            .filter_map(|record| serde_json::from_slice(record).ok())
            .collect();
        let all_since_ms = before(self.log.now_ms(), self.log.settings().intake_age);
        let since_ms = match kept.last() {
            Some(oldest) if records.len() == INTAKES => oldest.at_ms,
            _ => all_since_ms,
        };
        let intakes = kept
            .into_iter()
            .filter(|kept| {
                let id = kept.upgrade.as_deref().unwrap_or_default();
                kept.image.contains(&asked.about) || id.starts_with(&asked.about)
            })
            .take(limit)
            .map(|kept| Intake {
                at_ms: kept.at_ms,
                image: kept.image,
                status: kept.status,
                decision: kept.decision,
                reason: kept.reason,
                id: kept.upgrade.unwrap_or_default(),
            })
            .collect();
        Ok(Response::new(WhyResponse {
            intakes,
            since_ms,
            searched: u32::try_from(records.len()).unwrap_or(u32::MAX),
        }))
    }

    async fn upgrade(
        &self,
        request: Request<UpgradeRequest>,
    ) -> Result<Response<UpgradeResponse>, Status> {
        let asked = request.into_inner();
        let by = name(&asked.by);
        let gate = &self.control.gate;
        let (decision, reason, id) =
            match gate.asked(&asked.image, &asked.tag, asked.chart, &by).await {
                Answer::Opened { id } => ("accepted", String::new(), Some(id)),
                Answer::Duplicate { id, reason } => ("duplicate", reason, Some(id)),
                Answer::Refused { id, reason } => ("refused", reason, Some(id)),
                Answer::Skipped { reason } => ("skipped", reason, None),
                Answer::Spooled { reason } => ("spooled", reason, None),
                Answer::BadRequest { reason } => return Err(Status::invalid_argument(reason)),
                Answer::Unavailable { reason } => return Err(Status::unavailable(reason)),
            };
        Ok(Response::new(UpgradeResponse {
            decision: decision.to_owned(),
            reason,
            id: id.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }

    async fn approve(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.wish(request, Wish::Approve).await
    }

    async fn cancel(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.wish(request, Wish::Cancel).await
    }

    async fn retry(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.wish(request, Wish::Retry).await
    }

    async fn rollback(
        &self,
        request: Request<ControlRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        self.wish(request, Wish::Rollback).await
    }

    async fn resolve(
        &self,
        request: Request<ResolveRequest>,
    ) -> Result<Response<ControlResponse>, Status> {
        let asked = request.into_inner();
        if !is_plausible(&asked.now_at) {
            return Err(Status::invalid_argument(format!(
                "`{}` cannot be a version that is live; give the tag as it stands in the cluster, \
                 such as `v1.2.3`",
                asked.now_at
            )));
        }
        self.caught_up().await?;
        let wish = Wish::Resolve {
            now_at: asked.now_at,
        };
        let answer = self.control.ask(&asked.id_or_prefix, &asked.by, &wish);
        answer.await.map(Response::new)
    }

    async fn pause(
        &self,
        request: Request<PauseRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        let asked = request.into_inner();
        let pause = Pause {
            scope: self.scope(&asked)?,
            by: name(&asked.by),
            why: one_line(&asked.why, WHY),
            at_ms: self.log.now_ms(),
        };
        let put = bus::pause(self.log.as_ref(), &pause);
        self.control.in_time(put).await?;
        tracing::info!(scope = %pause.scope, "{pause}");
        let warning = self.warning(&pause.scope).await;
        self.in_force(warning).await
    }

    async fn resume(
        &self,
        request: Request<PauseRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        let asked = request.into_inner();
        let scope = self.scope(&asked)?;
        let removed = bus::resume(self.log.as_ref(), &scope);
        let mut lifted = self.control.in_time(removed).await?;
        if scope == Scope::All {
            // What stopped by itself after undos goes on as well.
            let closed = bus::circuit::close_all(self.log.as_ref());
            lifted |= !self.control.in_time(closed).await?.is_empty();
        }
        if !lifted {
            return Err(Status::failed_precondition(format!(
                "there is no pause of {scope}; `bowline pauses` shows those that are in force"
            )));
        }
        tracing::info!(%scope, by = name(&asked.by), "resumed");
        self.in_force(String::new()).await
    }

    async fn list_pauses(
        &self,
        _request: Request<ListPausesRequest>,
    ) -> Result<Response<PausesResponse>, Status> {
        self.in_force(String::new()).await
    }

    async fn get_limits(
        &self,
        _request: Request<GetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        self.limits().await
    }

    async fn set_limits(
        &self,
        request: Request<SetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        let asked = request.into_inner();
        let (log, repository) = (self.log.as_ref(), self.repository.as_str());
        match (asked.max, asked.window_seconds, asked.configured) {
            (None, None, true) => {
                self.control
                    .in_time(bus::forget_limits(log, repository))
                    .await?;
            }
            (None, None, false) => {
                return Err(Status::invalid_argument(
                    "nothing to set: give a maximum, a window, or that it shall be as configured",
                ));
            }
            (_, _, true) => {
                return Err(Status::invalid_argument(
                    "either a maximum or a window, or as configured; not both",
                ));
            }
            (max, window_seconds, false) => {
                if max.is_some_and(|max| max > MAX_UPGRADES) {
                    return Err(Status::invalid_argument(format!(
                        "a window holds at most {MAX_UPGRADES} upgrades; `bowline pause` lets none in"
                    )));
                }
                if window_seconds.is_some_and(|seconds| seconds == 0 || seconds > MAX_WINDOW) {
                    return Err(Status::invalid_argument(
                        "a window is at least a second and at most a year long",
                    ));
                }
                let limits = bus::Limits {
                    max: max.and_then(|max| usize::try_from(max).ok()),
                    window_seconds,
                };
                self.control
                    .in_time(bus::set_limits(log, repository, limits))
                    .await?;
            }
        }
        tracing::info!(by = name(&asked.by), ?asked.max, ?asked.window_seconds, "limits are set");
        self.admit().await?;
        self.limits().await
    }

    async fn reset_limits(
        &self,
        request: Request<ResetLimitsRequest>,
    ) -> Result<Response<LimitsView>, Status> {
        let reopened = bus::reopen(self.log.as_ref(), &self.repository, self.window);
        self.control.in_time(reopened).await?;
        tracing::info!(by = name(&request.into_inner().by), "a new window is open");
        self.limits().await
    }
}
