//! What people ask over gRPC.

use std::sync::Arc;

use job::{Command, State};
use tonic::{Request, Response, Status};
use wire::v1::status_server::Status as StatusService;
use wire::v1::{
    FactView, GetRequest, ListRequest, ListResponse, UpgradeRequest, UpgradeResponse, UpgradeView,
};

use crate::gate::{Answer, Gate};
use crate::projection::Projection;

/// More upgrades than this are not listed at once.
const MAX_LIST: usize = 1_000;

/// The `Status` service.
pub(crate) struct Grpc {
    projection: Projection,
    gate: Arc<Gate>,
}

impl Grpc {
    /// Answers from the projection, and lets people in through the gate.
    #[must_use]
    pub(crate) fn new(projection: Projection, gate: Arc<Gate>) -> Grpc {
        Grpc { projection, gate }
    }
}

#[tonic::async_trait]
impl StatusService for Grpc {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<UpgradeView>, Status> {
        let asked = request.into_inner().id_or_prefix;
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if asked.is_empty() || asked.len() > 16 || !asked.bytes().all(digit) {
            return Err(Status::invalid_argument(
                "an upgrade's id, or its beginning, is 1 to 16 lower-case hexadecimal digits",
            ));
        }
        let known = self.projection.get(&asked).map_err(|fitting| {
            if fitting == 0 {
                Status::not_found(format!("no upgrade's id begins with `{asked}`"))
            } else {
                Status::invalid_argument(format!(
                    "{fitting} upgrades' ids begin with `{asked}`; give more of it"
                ))
            }
        })?;
        let mut view = view(&known.state);
        view.started_ms = known.entries.first().map_or(0, |entry| entry.fact.at_ms);
        view.facts = known
            .entries
            .iter()
            .map(|entry| FactView {
                n: entry.n,
                name: entry.fact.body.name().to_owned(),
                at_ms: entry.fact.at_ms,
                next: entry.next.as_str().to_owned(),
                text: job::describe(&entry.fact.body),
            })
            .collect();
        Ok(Response::new(view))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let asked = request.into_inner();
        let limit = match usize::try_from(asked.limit) {
            Ok(0) | Err(_) => MAX_LIST,
            Ok(limit) => limit.min(MAX_LIST),
        };
        let upgrades = self
            .projection
            .states(asked.include_ended)
            .iter()
            .take(limit)
            .map(view)
            .collect();
        Ok(Response::new(ListResponse { upgrades }))
    }

    async fn upgrade(
        &self,
        request: Request<UpgradeRequest>,
    ) -> Result<Response<UpgradeResponse>, Status> {
        let asked = request.into_inner();
        let (decision, reason, id) =
            match self.gate.asked(&asked.image, &asked.tag, asked.chart).await {
                Answer::Opened { id } => ("accepted", String::new(), Some(id)),
                Answer::Duplicate { id, reason } => ("duplicate", reason, Some(id)),
                Answer::Refused { id, reason } => ("refused", reason, Some(id)),
                Answer::Skipped { reason } => ("skipped", reason, None),
                Answer::BadRequest { reason } => return Err(Status::invalid_argument(reason)),
                Answer::Unavailable { reason } => return Err(Status::unavailable(reason)),
            };
        Ok(Response::new(UpgradeResponse {
            decision: decision.to_owned(),
            reason,
            id: id.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }
}

fn view(state: &State) -> UpgradeView {
    let plan = state.plan.as_ref();
    UpgradeView {
        id: state.id.to_string(),
        service: plan.map(|plan| plan.service.clone()).unwrap_or_default(),
        image: state.request.image.clone(),
        from: plan.map(|plan| plan.from.clone()).unwrap_or_default(),
        to: state.request.tag.clone(),
        live: state.live().to_owned(),
        phase: format!("{:?}", state.phase),
        owner: state.next().as_str().to_owned(),
        risk: plan
            .map(|plan| plan.risk.level.to_string())
            .unwrap_or_default(),
        step: state.step,
        steps: plan.map_or(0, job::Plan::step_count),
        reason: state.outcome.clone(),
        waiting_for: waiting_for(state).to_owned(),
        started_ms: 0,
        since_ms: state.since_ms,
        facts: Vec::new(),
    }
}

/// What an upgrade in this state waits for, besides its owner's own work.
fn waiting_for(state: &State) -> &'static str {
    match (state.phase, state.command()) {
        (job::Phase::Held, _) => "the rate window",
        (job::Phase::AwaitingApproval, _) => "approval",
        (job::Phase::Stuck | job::Phase::Parked, _) => "a person",
        (_, Some(Command::TakeSlots)) => "the service's slot",
        (_, Some(Command::BeginBackup)) => "the backup target",
        (_, Some(Command::FinishBackup)) => "the backup Job",
        (_, Some(Command::TakeTurn | Command::BuildRevert)) => "the CI turn",
        (_, Some(Command::FollowCi)) => "CI",
        (_, Some(Command::CheckApplied)) => "the cluster",
        (_, Some(Command::Watch)) => "the health window",
        _ => "",
    }
}
