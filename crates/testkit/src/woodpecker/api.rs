//! The HTTP side: guests, clamped pages, and 200 HTML for every path it does not know.

use std::sync::{Arc, Mutex};

use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::pipeline::State;
use super::{Ci, TOKEN};
use crate::server::{decode, json as json_reply, lock, query, reply, with_header};

pub(super) const INDEX: &str =
    "<!DOCTYPE html><html><head><title>Woodpecker</title></head><body></body></html>";
const EVENTS: [&str; 10] = [
    "push",
    "pull_request",
    "pull_request_closed",
    "pull_request_metadata",
    "tag",
    "release",
    "deployment",
    "cron",
    "manual",
    "deploy",
];
const STATUSES: [State; 11] = [
    State::Created,
    State::Pending,
    State::Running,
    State::Blocked,
    State::Success,
    State::Failure,
    State::Error,
    State::Killed,
    State::Canceled,
    State::Declined,
    State::Skipped,
];

pub(super) async fn answer(
    Shared(state): Shared<Arc<Mutex<Ci>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let latency = lock(&state).latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut ci = lock(&state);
    ci.requests += 1;
    if let Some((status, content_type, body)) = ci.faults.pop_front() {
        return reply(status, content_type, body);
    }
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned))
        .or_else(|| query(&uri, "access_token"));
    ci.route(
        &method,
        &uri,
        token.as_deref() == Some(TOKEN),
        Timestamp::now(),
    )
}

impl Ci {
    fn route(&mut self, method: &Method, uri: &Uri, known: bool, now: Timestamp) -> Response {
        self.advance(now);
        if uri.path() == "/api/user" && method == Method::GET {
            let user = json!({"id": 1, "login": "bowline", "email": "", "admin": false});
            return self
                .guarded(known, true)
                .unwrap_or_else(|| json_reply(200, &user));
        }
        let path = uri.path().strip_prefix("/api/repos/").unwrap_or("");
        if let Some(name) = path
            .strip_prefix("lookup/")
            .filter(|_| method == Method::GET)
        {
            let found = decode(name).eq_ignore_ascii_case(&self.full_name);
            return self
                .guarded(known, found)
                .unwrap_or_else(|| self.repository());
        }
        let segments: Vec<&str> = path.split('/').collect();
        let (id, rest) = match segments.as_slice() {
            [id, rest @ ..] if !id.is_empty() => (*id, rest),
            _ => return html(),
        };
        let get = method == Method::GET;
        let post = method == Method::POST;
        let route = match rest {
            [] if get => Route::Repository,
            ["pipelines"] if get => Route::List,
            ["pipelines", number] if get => Route::Detail(number),
            ["pipelines", number] if post => Route::Restart(number),
            ["pipelines", number, "cancel"] if post => Route::Cancel(number),
            _ => return html(),
        };
        let Ok(id) = id.parse::<u64>() else {
            return text(400, "strconv.ParseInt: parsing: invalid syntax");
        };
        if let Some(refused) = self.guarded(known, id == self.repo_id) {
            return refused;
        }
        match route {
            Route::Repository => self.repository(),
            Route::List => self.list(uri),
            Route::Detail(number) => self.detail(number, uri),
            Route::Restart(number) => self.restart(number, now),
            Route::Cancel(number) => self.cancel(number, now),
        }
    }

    /// A bad token is a guest, and a guest does not even learn whether the repository exists.
    fn guarded(&self, known: bool, found: bool) -> Option<Response> {
        match (known, found) {
            (false, _) => Some(text(401, "")),
            (true, false) => Some(text(404, "")),
            (true, true) => None,
        }
    }

    fn repository(&self) -> Response {
        let (owner, name) = self
            .full_name
            .split_once('/')
            .unwrap_or(("", &self.full_name));
        let body = json!({
            "id": self.repo_id, "forge_id": 1, "forge_remote_id": "1", "owner": owner, "name": name,
            "full_name": self.full_name, "default_branch": "master", "private": true,
            "visibility": "private", "active": true, "pr_enabled": true, "timeout": 60,
            "cancel_previous_pipeline_events": ["pull_request", "push"],
        });
        json_reply(200, &body)
    }

    fn list(&mut self, uri: &Uri) -> Response {
        let ask = |key| query(uri, key).filter(|value| !value.is_empty());
        let number = |key| ask(key).and_then(|value| value.parse::<usize>().ok());
        let page = number("page").filter(|page| *page > 0).unwrap_or(1);
        let per_page = number("perPage")
            .filter(|n| (1..=50).contains(n))
            .unwrap_or(50);
        let events = ask("event");
        let known_event = |event: &str| EVENTS.contains(&event);
        if events
            .as_deref()
            .is_some_and(|events| !events.split(',').all(known_event))
        {
            return text(400, "invalid webhook event");
        }
        let status = ask("status");
        if status
            .as_deref()
            .is_some_and(|asked| !STATUSES.iter().any(|s| s.as_str() == asked))
        {
            return text(400, "invalid status value");
        }
        let date = |key| ask(key).map(|value| value.parse::<Timestamp>()).transpose();
        let (Ok(before), Ok(after)) = (date("before"), date("after")) else {
            return text(400, "parsing time: cannot parse as RFC3339");
        };
        if self.old {
            let rows = self.pipelines.iter().rev().skip((page - 1) * per_page);
            let rows = rows.take(per_page).map(|row| aged(row.summary()));
            return json_reply(200, &rows.collect());
        }
        let branch = ask("branch");
        let reference = ask("ref");
        let mut rows: Vec<(u64, Value)> = Vec::new();
        for pipeline in &mut self.pipelines {
            if pipeline.hidden_polls > 0 {
                pipeline.hidden_polls -= 1;
                continue;
            }
            let created = pipeline.created.as_second();
            let full_ref = format!("refs/heads/{}", pipeline.branch);
            let wanted = branch
                .as_ref()
                .is_none_or(|branch| *branch == pipeline.branch)
                && events
                    .as_ref()
                    .is_none_or(|list| list.split(',').any(|e| e == pipeline.event))
                && status
                    .as_ref()
                    .is_none_or(|status| status == pipeline.status.as_str())
                && reference
                    .as_ref()
                    .is_none_or(|part| full_ref.contains(part.as_str()))
                && before.is_none_or(|before| created < before.as_second())
                && after.is_none_or(|after| created > after.as_second());
            if wanted {
                rows.push((pipeline.number, pipeline.summary()));
            }
        }
        rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let rows = rows
            .into_iter()
            .skip((page - 1).saturating_mul(per_page))
            .take(per_page);
        json_reply(200, &rows.map(|(_, row)| row).collect())
    }

    fn detail(&mut self, number: &str, uri: &Uri) -> Response {
        let found = if number == "latest" {
            let branch = query(uri, "branch").unwrap_or_else(|| "master".to_owned());
            let rows = self.pipelines.iter().rev();
            rows.filter(|row| row.hidden_polls == 0)
                .find(|row| row.branch == branch)
        } else {
            let Ok(number) = number.parse::<u64>() else {
                return text(400, "strconv.ParseInt: parsing: invalid syntax");
            };
            let rows = self.pipelines.iter();
            rows.filter(|row| row.hidden_polls == 0)
                .find(|row| row.number == number)
        };
        found.map_or_else(
            || text(404, ""),
            |pipeline| {
                let row = pipeline.detail();
                json_reply(200, &if self.old { aged(row) } else { row })
            },
        )
    }

    fn restart(&mut self, number: &str, now: Timestamp) -> Response {
        let number = number.parse::<u64>().unwrap_or(0);
        let Some(old) = self.pipelines.iter().find(|row| row.number == number) else {
            return text(404, "");
        };
        if matches!(old.status, State::Declined | State::Blocked) {
            let status = old.status.as_str();
            return text(
                400,
                &format!("cannot restart a pipeline with status {status}"),
            );
        }
        let (commit, branch) = (old.commit.clone(), old.branch.clone());
        let (message, event) = (old.message.clone(), old.event);
        if self.filter_restarts > 0 {
            self.filter_restarts -= 1;
            return with_header(text(204, ""), "pipeline-filtered", "true");
        }
        let policy = self.next_policies.pop_front().unwrap_or(self.policy);
        let new = self.create(&commit, &branch, &message, event, number, policy, now);
        self.number(new)
            .map_or_else(|| text(500, ""), |row| json_reply(200, &row.detail()))
    }

    fn cancel(&mut self, number: &str, now: Timestamp) -> Response {
        let agent_stop = self.agent_stop;
        let Some(pipeline) = self.number(number.parse().unwrap_or(0)) else {
            return text(404, "");
        };
        if pipeline.cancel(None, agent_stop, now) {
            return text(204, "");
        }
        text(
            400,
            "Cannot cancel a non-running or non-pending or non-blocked pipeline",
        )
    }
}

enum Route<'a> {
    Repository,
    List,
    Detail(&'a str),
    Restart(&'a str),
    Cancel(&'a str),
}

/// A row as 2.x spelled it.
fn aged(mut row: Value) -> Value {
    if let Some(fields) = row.as_object_mut() {
        fields.remove("cancel_info");
        for name in ["created", "updated", "started", "finished"] {
            if let Some(value) = fields.remove(name) {
                fields.insert(format!("{name}_at"), value);
            }
        }
    }
    row
}

fn html() -> Response {
    reply(200, "text/html; charset=utf-8", INDEX)
}

fn text(status: u16, body: &str) -> Response {
    reply(status, "text/plain; charset=utf-8", body)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Outcome, Policy, Woodpecker};
    use super::*;
    use crate::server::probe::{Answer, eventually, send};

    fn stub() -> (Woodpecker, String) {
        let ci = Woodpecker::start("Owner/infra").unwrap();
        let pipelines = format!("{}/api/repos/{}/pipelines", ci.url(), ci.repo_id());
        (ci, pipelines)
    }

    fn ask(method: &str, url: &str) -> Answer {
        send(
            method,
            url,
            &[("Authorization", &format!("Bearer {TOKEN}"))],
            "",
        )
    }

    #[test]
    fn guests_get_an_empty_401_and_unknown_paths_a_page() {
        let (ci, pipelines) = stub();
        let bad = send("GET", &pipelines, &[("Authorization", "Bearer nope")], "");
        assert_eq!((bad.status, bad.body.as_str()), (401, ""));
        let unknown = ask("GET", &format!("{}/api/repos/17/builds", ci.url()));
        assert_eq!(unknown.status, 200);
        assert!(unknown.headers["content-type"].starts_with("text/html"));
        let lookup = ask("GET", &format!("{}/api/repos/lookup/owner/INFRA", ci.url()));
        assert_eq!(lookup.json()["id"], 17);
        assert_eq!(
            ask("GET", &format!("{}/api/repos/lookup/o/x", ci.url())).status,
            404
        );
        assert_eq!(
            ask("GET", &format!("{}/api/repos/x/pipelines", ci.url())).status,
            400
        );
    }

    #[test]
    fn the_list_has_no_workflows_is_clamped_and_newest_first() {
        let (ci, pipelines) = stub();
        for n in 0..60 {
            ci.add_finished(&format!("{n:040}"), "master", "push");
        }
        let list = ask("GET", &format!("{pipelines}?perPage=100&commit=x")).json();
        assert_eq!(list.as_array().unwrap().len(), 50);
        assert_eq!(list[0]["number"], 60);
        assert!(list[0].get("workflows").is_none() && list[0]["errors"].is_null());
        let second = ask("GET", &format!("{pipelines}?perPage=50&page=2")).json();
        assert_eq!(second.as_array().unwrap().len(), 10);
        assert_eq!(ask("GET", &format!("{pipelines}?page=9")).body, "[]");
        assert_eq!(ask("GET", &format!("{pipelines}?event=nope")).status, 400);
        let detail = ask("GET", &format!("{pipelines}/60")).json();
        assert_eq!(detail["workflows"][0]["name"], "default");
        assert_eq!(detail["workflows"][0]["children"][0]["state"], "success");
    }

    #[test]
    fn a_superseded_run_is_killed_while_its_workflow_still_runs() {
        let (ci, pipelines) = stub();
        let first = ci.push("a", "master", "one").unwrap();
        assert!(ci.set_running("a"));
        let second = ci.push("b", "master", "two").unwrap();
        let detail = || ask("GET", &format!("{pipelines}/{first}")).json();
        let killed = detail();
        assert_eq!(killed["status"], "killed");
        assert_eq!(killed["cancel_info"]["superseded_by"], second);
        assert_ne!(killed["finished"], 0);
        assert_eq!(killed["workflows"][0]["state"], "running");
        eventually("the agent stops", || {
            (detail()["workflows"][0]["state"] == "killed").then_some(())
        });
        assert!(!ci.finish("a", &[("default", State::Success)]));
    }

    #[test]
    fn a_row_appears_late_or_vanishes_or_never_comes() {
        let (ci, pipelines) = stub();
        ci.appear_after_polls(2);
        let number = ci.push("a", "master", "x").unwrap();
        assert_eq!(ask("GET", &pipelines).body, "[]");
        assert_eq!(ask("GET", &format!("{pipelines}/{number}")).status, 404);
        assert_eq!(ask("GET", &pipelines).body, "[]");
        assert_eq!(ask("GET", &pipelines).json()[0]["commit"], "a");
        ci.appear_after_polls(0);
        assert_eq!(ci.push("b", "master", "x [Skip CI]"), None);
        ci.next_policy(Policy::Lost);
        assert_eq!(ci.push("c", "master", "x"), None);
        ci.next_policy(Policy::NoWorkflow);
        let gone = ci.push("d", "master", "x").unwrap();
        let url = format!("{pipelines}/{gone}");
        assert_eq!(ask("GET", &url).json()["status"], "created");
        eventually("the row is deleted", || {
            (ask("GET", &url).status == 404).then_some(())
        });
        assert_eq!(ci.push("e", "master", "x"), Some(gone));
    }

    #[test]
    fn an_ended_run_can_be_restarted_and_a_running_one_cancelled() {
        let (ci, pipelines) = stub();
        ci.next_policy(Policy::Auto {
            outcome: Outcome::DefaultSkipped,
            after: Duration::ZERO,
        });
        let first = ci.push("a", "master", "x").unwrap();
        let url = format!("{pipelines}/{first}");
        let ended = ask("GET", &url).json();
        assert_eq!(
            (&ended["status"], &ended["workflows"][0]["state"]),
            (&json!("success"), &json!("skipped"))
        );
        ci.filter_next_restarts(1);
        let filtered = ask("POST", &url);
        assert_eq!(
            (
                filtered.status,
                filtered.headers["pipeline-filtered"].as_str()
            ),
            (204, "true")
        );
        let restarted = ask("POST", &url).json();
        assert_eq!(
            (&restarted["number"], &restarted["parent"]),
            (&json!(2), &json!(first))
        );
        assert_eq!(ask("POST", &format!("{pipelines}/2/cancel")).status, 204);
        assert_eq!(ask("POST", &format!("{pipelines}/2/cancel")).status, 400);
        assert_eq!(
            ask("GET", &format!("{pipelines}/2")).json()["status"],
            "canceled"
        );
    }
}
