//! Woodpecker's API: repositories by name, pipelines by commit, from 1.0 to 3.x.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode, Url, header};
use runtime::Secret;
use serde_json::Value;

use crate::ports::{Ci, Pipeline, Restarted, RunState, Unknown, Workflow};

/// Larger answers are refused.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// The server clamps larger pages silently.
const PER_PAGE: usize = 50;
/// So many pages are read at most.
const MAX_PAGES: usize = 20;

/// One repository as the CI server knows it.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The server's address, without `/api`.
    pub url: String,
    /// Its `owner/name` there.
    pub name: String,
    /// A personal access token.
    pub token: Secret,
    /// The branch that is applied.
    pub branch: String,
    /// The workflow that decides.
    pub workflow: String,
    /// A pipeline of an older commit may be started again.
    pub may_restart: bool,
}

/// The client for every configured repository.
#[derive(Debug)]
pub struct Woodpecker {
    client: reqwest::Client,
    repositories: BTreeMap<String, Repository>,
    ids: Mutex<HashMap<String, u64>>,
}

/// Why the check at the start did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The token is wrong: nothing will ever be seen.
    #[error(transparent)]
    Refused(Unknown),
    /// It may pass later.
    #[error(transparent)]
    Unknown(Unknown),
}

/// An answer that is no pipeline.
enum Answer {
    Json(Value),
    NotFound,
    /// The token is not taken.
    Refused(StatusCode),
    /// It is not done, and why.
    Not(String),
}

fn refused(status: StatusCode) -> Unknown {
    Unknown(format!(
        "CI refused the token ({}): check `ci.token_file` or `BOWLINE_SECRET_CI_TOKEN`",
        status.as_u16()
    ))
}

impl Woodpecker {
    /// A client whose every request ends within `timeout`.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(
        repositories: BTreeMap<String, Repository>,
        timeout: Duration,
    ) -> Result<Woodpecker, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .user_agent("bowline")
            // A log-in page is no answer, wherever it lies.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Woodpecker {
            client,
            repositories,
            ids: Mutex::new(HashMap::new()),
        })
    }

    /// Asks who the token belongs to, and for each repository.
    ///
    /// # Errors
    /// The token is refused, or the answer is not known.
    pub async fn check(&self) -> Result<(), CheckError> {
        for (name, repository) in &self.repositories {
            // A wrong token is a guest, and a guest may see a public repository.
            let answer = self.get(repository, &["user"], &[]).await;
            if let Answer::Refused(status) = answer.map_err(CheckError::Unknown)? {
                return Err(CheckError::Refused(refused(status)));
            }
            self.id(name, repository)
                .await
                .map_err(CheckError::Unknown)?;
        }
        Ok(())
    }

    fn repository(&self, name: &str) -> Result<&Repository, Unknown> {
        self.repositories
            .get(name)
            .ok_or_else(|| Unknown(format!("no CI is configured for the repository `{name}`")))
    }

    async fn id(&self, name: &str, repository: &Repository) -> Result<u64, Unknown> {
        let known = self
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied();
        if let Some(id) = known {
            return Ok(id);
        }
        let mut path = vec!["repos", "lookup"];
        path.extend(repository.name.split('/'));
        let asked = self.get(repository, &path, &[]);
        let asked = runtime::outside("ci_look", Some(&repository.url), asked);
        let found = match asked.await? {
            Answer::Json(found) => found,
            Answer::Refused(status) => return Err(refused(status)),
            Answer::NotFound | Answer::Not(_) => {
                return Err(Unknown(format!(
                    "CI knows no repository `{}`, or the token may not see it",
                    repository.name
                )));
            }
        };
        let id = found
            .get("id")
            .and_then(Value::as_u64)
            .ok_or_else(|| Unknown(format!("CI's answer about `{}` has no id", repository.name)))?;
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), id);
        Ok(id)
    }

    async fn get(
        &self,
        repository: &Repository,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Unknown> {
        self.send(Method::GET, repository, path, query).await
    }

    async fn send(
        &self,
        method: Method,
        repository: &Repository,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Unknown> {
        let mut url = Url::parse(&repository.url)
            .map_err(|error| Unknown(format!("CI's address is no URL: {error}")))?;
        url.path_segments_mut()
            .map_err(|()| Unknown("CI's address cannot have a path".to_owned()))?
            .pop_if_empty()
            .push("api")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let failed =
            |error: reqwest::Error| Unknown(format!("CI did not answer: {}", chain(&error)));
        let asked = method == Method::GET;
        let request = self.client.request(method, url);
        let request = request.bearer_auth(repository.token.expose());
        let mut answer = request.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Answer::NotFound),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Ok(Answer::Refused(status));
            }
            StatusCode::NO_CONTENT if !asked => {
                return Ok(Answer::Not("no workflow matches".to_owned()));
            }
            StatusCode::BAD_REQUEST if !asked => {
                return Ok(Answer::Not("CI answered 400".to_owned()));
            }
            other => return Err(Unknown(format!("CI answered {other}"))),
        }
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("nothing")
            .to_owned();
        // Unknown paths answer with the web interface's page.
        if !kind.starts_with("application/json") {
            return Err(Unknown(format!(
                "CI answered with {kind}, not JSON: check its address"
            )));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err(Unknown(format!(
                    "CI's answer is longer than {MAX_BODY} bytes"
                )));
            }
        }
        serde_json::from_slice(&body)
            .map(Answer::Json)
            .map_err(|error| Unknown(format!("CI's answer is no JSON: {error}")))
    }

    /// What a repository's path answers; a 404 of the whole repository drops its remembered id.
    async fn of_repository(
        &self,
        name: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(&Repository, u64, Answer), Unknown> {
        let repository = self.repository(name)?;
        let id = self.id(name, repository).await?;
        let number = id.to_string();
        let mut full = vec!["repos", number.as_str()];
        full.extend(path);
        let asked = self.get(repository, &full, query);
        match runtime::outside("ci_look", Some(&repository.url), asked).await? {
            Answer::Refused(status) => Err(refused(status)),
            answer => Ok((repository, id, answer)),
        }
    }
}

#[async_trait]
impl Ci for Woodpecker {
    async fn pipelines(&self, name: &str, since_s: i64) -> Result<Vec<Pipeline>, Unknown> {
        let branch = self.repository(name)?.branch.clone();
        let per_page = PER_PAGE.to_string();
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let page = page.to_string();
            let query = [
                ("page", page.as_str()),
                ("perPage", per_page.as_str()),
                ("branch", branch.as_str()),
                ("event", "push"),
            ];
            let (repository, id, answer) = self.of_repository(name, &["pipelines"], &query).await?;
            let Answer::Json(Value::Array(rows)) = answer else {
                self.ids
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(name);
                return Err(Unknown(format!(
                    "CI lists no pipelines of `{}`",
                    repository.name
                )));
            };
            let rows: Vec<Pipeline> = rows
                .iter()
                .filter_map(|row| pipeline(row, &repository.url, id))
                .collect();
            let last = rows.is_empty() || rows.iter().any(|row| row.created_s < since_s);
            // Servers before 3.0 do not filter.
            found.extend(rows.into_iter().filter(|row| {
                row.branch == branch && row.event == "push" && row.created_s >= since_s
            }));
            if last {
                break;
            }
        }
        Ok(found)
    }

    async fn pipeline(&self, name: &str, number: u64) -> Result<Option<Pipeline>, Unknown> {
        let text = number.to_string();
        let (repository, id, answer) = self.of_repository(name, &["pipelines", &text], &[]).await?;
        match answer {
            Answer::NotFound | Answer::Not(_) => Ok(None),
            Answer::Refused(status) => Err(refused(status)),
            Answer::Json(row) => pipeline(&row, &repository.url, id)
                .map(Some)
                .ok_or_else(|| {
                    Unknown(format!(
                        "CI's answer about pipeline #{number} has no number"
                    ))
                }),
        }
    }

    async fn restart(&self, name: &str, number: u64) -> Result<Restarted, Unknown> {
        let repository = self.repository(name)?;
        let id = self.id(name, repository).await?.to_string();
        let number = number.to_string();
        let path = ["repos", &id, "pipelines", &number];
        Ok(
            match self.send(Method::POST, repository, &path, &[]).await? {
                Answer::Json(_) => Restarted::Yes,
                Answer::NotFound => Restarted::No("CI no longer knows it".to_owned()),
                Answer::Refused(status) => Restarted::No(refused(status).0),
                Answer::Not(why) => Restarted::No(why),
            },
        )
    }

    fn may_restart(&self, name: &str) -> bool {
        self.repository(name).is_ok_and(|found| found.may_restart)
    }

    fn workflow(&self, name: &str) -> String {
        self.repository(name)
            .map_or_else(|_| String::new(), |found| found.workflow.clone())
    }
}

/// Reads a pipeline; field names up to 2.x and from 3.0 on.
fn pipeline(row: &Value, base: &str, repository: u64) -> Option<Pipeline> {
    let number = row.get("number")?.as_u64()?;
    let url = format!(
        "{}/repos/{repository}/pipeline/{number}",
        base.trim_end_matches('/')
    );
    let workflows = row
        .get("workflows")
        .and_then(Value::as_array)
        .map(Vec::as_slice);
    Some(Pipeline {
        number,
        commit: text(row, "commit"),
        branch: text(row, "branch"),
        event: text(row, "event"),
        status: RunState::parse(&text(row, "status")),
        created_s: seconds(row, &["created", "created_at"]),
        finished_s: seconds(row, &["finished", "finished_at"]),
        superseded_by: row
            .pointer("/cancel_info/superseded_by")
            .and_then(Value::as_u64),
        changed: row
            .get("changed_files")
            .and_then(Value::as_array)
            .map(|files| {
                let files = files.iter().filter_map(Value::as_str);
                files.map(str::to_owned).collect()
            }),
        errors: errors(row),
        workflows: workflows.unwrap_or_default().iter().map(workflow).collect(),
        url,
    })
}

fn workflow(row: &Value) -> Workflow {
    let steps = row
        .get("children")
        .and_then(Value::as_array)
        .map(Vec::as_slice);
    let failed = |step: &&Value| RunState::parse(&text(step, "state")) == RunState::Failure;
    let failed_step = steps.unwrap_or_default().iter().find(failed).map(|step| {
        let code = step.get("exit_code").and_then(Value::as_i64);
        let code = code.map_or(String::new(), |code| format!(" (exit code {code})"));
        format!("step `{}`{code}", text(step, "name"))
    });
    Workflow {
        name: text(row, "name"),
        state: RunState::parse(&text(row, "state")),
        failed_step,
    }
}

/// The errors, without warnings; a plain text before 2.0.
fn errors(row: &Value) -> Vec<String> {
    let old = text(row, "error");
    let new = row
        .get("errors")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let warning = |error: &&Value| error.get("is_warning").and_then(Value::as_bool) == Some(true);
    let new = new
        .iter()
        .filter(|error| !warning(error))
        .map(|error| text(error, "message"));
    new.chain([old]).filter(|error| !error.is_empty()).collect()
}

fn text(row: &Value, key: &str) -> String {
    row.get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn seconds(row: &Value, keys: &[&str]) -> i64 {
    keys.iter()
        .find_map(|key| row.get(key)?.as_i64())
        .unwrap_or(0)
}

/// An error with its causes, without the address, which people see elsewhere.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_names_of_2_x_and_3_x_are_both_read() {
        let step = json!({"name": "apply", "state": "failure", "exit_code": 1});
        let new = json!({
            "number": 7, "commit": "c", "branch": "master", "event": "push", "status": "failure",
            "created": 10, "finished": 20, "cancel_info": {"superseded_by": 9},
            "errors": [{"message": "old key", "is_warning": true}, {"message": "bad key"}],
            "workflows": [{"name": "default", "state": "failure", "children": [step]}],
        });
        let mut old = new.clone();
        let fields = old.as_object_mut().unwrap();
        fields.remove("created");
        fields.remove("finished");
        fields.remove("errors");
        fields.insert("created_at".to_owned(), json!(10));
        fields.insert("finished_at".to_owned(), json!(20));
        fields.insert("error".to_owned(), json!("bad key"));
        let read = pipeline(&new, "http://ci/", 17).unwrap();
        assert_eq!(pipeline(&old, "http://ci", 17).unwrap(), read);
        assert_eq!(
            (read.created_s, read.finished_s, read.superseded_by),
            (10, 20, Some(9))
        );
        assert_eq!(read.errors, ["bad key"]);
        assert_eq!(read.url, "http://ci/repos/17/pipeline/7");
        let step = read.workflows[0].failed_step.as_deref();
        assert_eq!(step, Some("step `apply` (exit code 1)"));
        assert_eq!(pipeline(&json!({"id": 1}), "http://ci", 17), None);
    }
}
