//! The Kubernetes API as one service account meets it: an address of its own in front of the stub
//! cluster, which lets through what the bindings grant to that account.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::rbac::Grant;

/// An open door; it closes with this value.
pub(crate) struct Door {
    pub(crate) url: String,
    guard: Arc<Guard>,
    _open: JoinSet<()>,
}

struct Guard {
    account: String,
    grants: BTreeSet<Grant>,
    cluster: String,
    client: reqwest::Client,
    asked: Mutex<usize>,
    refused: Mutex<Vec<String>>,
}

impl Door {
    /// Opens one for an account, in front of the cluster at this address.
    pub(crate) async fn open(
        account: &str,
        grants: BTreeSet<Grant>,
        cluster: String,
    ) -> anyhow::Result<Door> {
        runtime::tls::install();
        let guard = Arc::new(Guard {
            account: account.to_owned(),
            grants,
            cluster,
            client: reqwest::Client::new(),
            asked: Mutex::new(0),
            refused: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&guard));
        let mut open = JoinSet::new();
        open.spawn(async move {
            // It ends with the value, and an error with the test that asks in vain.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Door {
            url,
            guard,
            _open: open,
        })
    }

    /// What was asked for in vain.
    pub(crate) fn refused(&self) -> Vec<String> {
        let refused = self.guard.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often somebody came.
    pub(crate) fn asked(&self) -> usize {
        let asked = self.guard.asked.lock();
        *asked.unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(guard): State<Arc<Guard>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Ok(mut asked) = guard.asked.lock() {
        *asked += 1;
    }
    if let Some(asked) = wanted(&method, &uri)
        && !guard.grants.iter().any(|grant| grant.covers(&asked))
    {
        return guard.refuse(&asked);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = guard
        .client
        .request(method, format!("{}{path}", guard.cluster))
        .body(body);
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answered = async {
        let answer = request.send().await?;
        let (status, kind) = (
            answer.status(),
            answer.headers().get(header::CONTENT_TYPE).cloned(),
        );
        anyhow::Ok((status, kind, answer.bytes().await?))
    };
    match answered.await {
        Ok((status, kind, bytes)) => {
            let kind = kind.map(|kind| [(header::CONTENT_TYPE, kind)]);
            (status, kind, bytes).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

impl Guard {
    fn refuse(&self, asked: &Grant) -> Response {
        let Grant {
            namespace,
            group,
            resource,
            verb,
        } = asked;
        let place = namespace.as_deref().map_or_else(
            || "at the cluster scope".to_owned(),
            |namespace| format!("in the namespace {namespace:?}"),
        );
        let message = format!(
            "{resource}.{group} is forbidden: User \"system:serviceaccount:bowline:{}\" cannot \
             {verb} resource {resource:?} in API group {group:?} {place}",
            self.account
        );
        if let Ok(mut refused) = self.refused.lock() {
            refused.push(message.clone());
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 403,
                            "status": "Failure", "reason": "Forbidden", "message": message});
        (StatusCode::FORBIDDEN, axum::Json(status)).into_response()
    }
}

/// What a request asks for; none if it is about the server itself, which everybody may ask.
fn wanted(method: &Method, uri: &Uri) -> Option<Grant> {
    let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
    let (group, rest) = match segments.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, _version, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let (resource, named) = match rest {
        [] => return None,
        [plural] => ((*plural).to_owned(), false),
        [plural, _name] => ((*plural).to_owned(), true),
        [plural, _name, part, ..] => (format!("{plural}/{part}"), true),
    };
    let watch = uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "watch=true" | "watch=1"))
    });
    let verb = match (method.as_str(), named) {
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) if watch => "watch",
        ("GET" | "HEAD", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "unknown",
    };
    Some(Grant {
        namespace: namespace.map(str::to_owned),
        group: group.to_owned(),
        resource,
        verb: verb.to_owned(),
    })
}

#[test]
fn a_request_is_told_by_its_method_and_its_path() -> anyhow::Result<()> {
    for (method, path, expected) in [
        (Method::GET, "/version", None),
        (
            Method::GET,
            "/apis/batch/v1/namespaces/dbaas/jobs?limit=1",
            Some((Some("dbaas"), "batch", "jobs", "list")),
        ),
        (
            Method::GET,
            "/api/v1/nodes",
            Some((None, "", "nodes", "list")),
        ),
        (
            Method::GET,
            "/api/v1/namespaces/web/pods?watch=true",
            Some((Some("web"), "", "pods", "watch")),
        ),
        (
            Method::GET,
            "/apis/apps/v1/namespaces/web/deployments/web",
            Some((Some("web"), "apps", "deployments", "get")),
        ),
        (
            Method::DELETE,
            "/apis/batch/v1/namespaces/dbaas/jobs/one",
            Some((Some("dbaas"), "batch", "jobs", "delete")),
        ),
        (
            Method::GET,
            "/api/v1/namespaces/web/pods/web-0/log",
            Some((Some("web"), "", "pods/log", "get")),
        ),
    ] {
        let expected = expected.map(|(namespace, group, resource, verb)| Grant {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
        });
        assert_eq!(wanted(&method, &path.parse()?), expected, "{path}");
    }
    Ok(())
}
