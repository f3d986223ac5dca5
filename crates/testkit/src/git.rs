//! A git host on 127.0.0.1: smart HTTP with a token, hooks, faults, and other people's commits.
//!
//! It runs the real `git http-backend`, because only that runs hooks and answers a push ref by ref;
//! a `file://` remote does neither. All methods block, so that they work in any kind of test.

mod fill;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use base64::Engine;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

const BRANCH: &str = "main";
const USER: &str = "x-access-token";
const TOKEN: &str = "ghs_right0right0right0";
const BAD_TOKEN: &str = "ghs_wrong0wrong0wrong0";
/// How long the end of a host waits for requests that hang.
const SHUT_DOWN: std::time::Duration = std::time::Duration::from_secs(5);
const RECEIVE_PACK: &str = "/git-receive-pack";

/// A git host with one bare repository; both go away with this value.
#[derive(Debug)]
pub struct GitServer {
    runtime: Option<Runtime>,
    address: SocketAddr,
    host: Arc<Host>,
}

/// One commit as [`GitServer::log`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The full object name.
    pub sha: String,
    /// The first paragraph of the message.
    pub subject: String,
    /// The whole message, trailers included.
    pub message: String,
    /// The author's name.
    pub author: String,
}

#[derive(Debug)]
struct Host {
    dir: TempDir,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    answers: VecDeque<Fault>,
    before_receive: Option<Box<dyn FnOnce() + Send>>,
    lose_receive_answers: usize,
    requests: usize,
    unauthorized: usize,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Hang,
    Status(StatusCode),
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Faults")
            .field("answers", &self.answers)
            .field("before_receive", &self.before_receive.is_some())
            .field("lose_receive_answers", &self.lose_receive_answers)
            .finish_non_exhaustive()
    }
}

impl GitServer {
    /// Starts a host whose repository has one commit on `main`: the files of `seed`.
    ///
    /// # Panics
    ///
    /// When git is missing or the seed cannot be committed: no test makes sense then.
    #[must_use]
    pub fn start(seed: &Path) -> Self {
        Self::try_start(|host| host.seed(seed)).expect("the git host starts")
    }

    /// Starts a host whose repository has one commit on `main`: the files of somebody's committed
    /// `HEAD`, byte by byte. Nothing is written there, and no filter, hook or history comes along.
    ///
    /// # Errors
    /// The folder is no repository, or has no commit.
    pub fn copy_of(repository: &Path) -> anyhow::Result<Self> {
        Self::try_start(|host| host.copy(repository))
    }

    fn try_start(fill: impl FnOnce(&Host) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let dir = TempDir::with_prefix("git-host-").context("failed to create a directory")?;
        let host = Arc::new(Host {
            dir,
            faults: Mutex::default(),
        });
        host.create()?;
        fill(&host)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to bind")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Its own runtime: a blocked test thread must not stop the host from answering.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("git-host")
            .enable_all()
            .build()?;
        let router = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&host));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        });
        Ok(Self {
            runtime: Some(runtime),
            address,
            host,
        })
    }

    /// The repository's address, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/repo.git", self.address)
    }

    /// The address with a right user and token in it, for the git program.
    #[must_use]
    pub fn url_with_token(&self) -> String {
        format!("http://{USER}:{TOKEN}@{}/repo.git", self.address)
    }

    /// The address with a token in it that the host refuses for ever.
    #[must_use]
    pub fn url_with_bad_token(&self) -> String {
        format!("http://{USER}:{BAD_TOKEN}@{}/repo.git", self.address)
    }

    /// The user that goes with [`token`](Self::token).
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The token the host accepts.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// A token the host refuses.
    #[must_use]
    pub fn bad_token(&self) -> &'static str {
        BAD_TOKEN
    }

    /// The bare repository on disk.
    #[must_use]
    pub fn bare_path(&self) -> PathBuf {
        self.host.bare()
    }

    /// The commit a branch points at.
    #[must_use]
    pub fn head(&self, branch: &str) -> String {
        self.host
            .text(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// The commits of a branch, newest first.
    #[must_use]
    pub fn log(&self, branch: &str) -> Vec<LogEntry> {
        let format = "--format=%H%x00%s%x00%B%x00%an%x01";
        let text = self
            .host
            .text(&["log", format, &format!("refs/heads/{branch}")]);
        text.split('\u{1}')
            .filter_map(|entry| {
                let mut fields = entry.trim_start().split('\0').map(str::to_owned);
                Some(LogEntry {
                    sha: fields.next().filter(|sha| !sha.is_empty())?,
                    subject: fields.next()?,
                    message: fields.next()?,
                    author: fields.next()?,
                })
            })
            .collect()
    }

    /// The bytes of a file in a commit or branch, if it is there.
    #[must_use]
    pub fn show(&self, rev: &str, path: &str) -> Option<Vec<u8>> {
        git(
            &self.bare_path(),
            ["cat-file", "blob", &format!("{rev}:{path}")],
            b"",
        )
        .ok()
    }

    /// Puts a file on `main` in a commit by somebody else, straight in the repository, and returns
    /// the commit.
    pub fn commit_as_someone_else(&self, path: &str, bytes: &[u8], message: &str) -> String {
        self.host
            .commit(&[(path, bytes)], message)
            .expect("somebody else's commit")
    }

    /// Replaces a hook of the repository by a shell script, `#!/bin/sh` included by the caller.
    pub fn set_hook(&self, name: &str, script: &str) {
        let path = self.bare_path().join("hooks").join(name);
        // Renamed into place: a hook that is being written cannot be run.
        let fresh = path.with_extension("new");
        fs::write(&fresh, script).expect("the hook is written");
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).expect("the hook's mode");
        fs::rename(&fresh, &path).expect("the hook is put in place");
    }

    /// Removes a hook; a missing one is fine.
    pub fn remove_hook(&self, name: &str) {
        let _ = fs::remove_file(self.bare_path().join("hooks").join(name));
    }

    /// The next `count` authorized requests get no answer.
    pub fn hang_next(&self, count: usize) {
        self.queue(Fault::Hang, count);
    }

    /// The next `count` authorized requests are answered with `status` only.
    pub fn fail_next(&self, status: u16, count: usize) {
        let status = StatusCode::from_u16(status).expect("a status code");
        self.queue(Fault::Status(status), count);
    }

    /// Runs `act` once, after the next push was told the old head and just before its pack is
    /// passed on: the moment in which another commit can still win.
    pub fn before_receive(&self, act: impl FnOnce() + Send + 'static) {
        self.host.faults().before_receive = Some(Box::new(act));
    }

    /// The next `count` pushes are carried out, but their sender is answered 502.
    pub fn lose_receive_answers(&self, count: usize) {
        self.host.faults().lose_receive_answers = count;
    }

    /// A handle for closures that must outlive the borrow, such as that of
    /// [`before_receive`](Self::before_receive).
    #[must_use]
    pub fn someone_else(&self) -> SomeoneElse {
        SomeoneElse {
            host: Arc::clone(&self.host),
        }
    }

    /// How many requests came in so far, refused ones included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.host.faults().requests
    }

    /// How many requests were answered 401 although they carried credentials.
    #[must_use]
    pub fn refused_credentials(&self) -> usize {
        self.host.faults().unauthorized
    }

    fn queue(&self, fault: Fault, count: usize) {
        self.host
            .faults()
            .answers
            .extend(std::iter::repeat_n(fault, count));
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waited for, so that no request still holds the folder, which goes away with its last
            // user; on a thread of its own, because the caller may be asynchronous.
            let shut_down = std::thread::spawn(move || runtime.shutdown_timeout(SHUT_DOWN));
            let _ = shut_down.join();
        }
    }
}

/// Somebody with direct access to the repository.
#[derive(Debug, Clone)]
pub struct SomeoneElse {
    host: Arc<Host>,
}

impl SomeoneElse {
    /// As [`GitServer::commit_as_someone_else`].
    pub fn commit(&self, path: &str, bytes: &[u8], message: &str) -> String {
        self.host
            .commit(&[(path, bytes)], message)
            .expect("somebody else's commit")
    }

    /// As [`commit`](Self::commit), for who takes losing a race for an answer.
    pub fn try_commit(&self, path: &str, bytes: &[u8], message: &str) -> anyhow::Result<String> {
        self.host.commit(&[(path, bytes)], message)
    }
}

impl Host {
    fn bare(&self) -> PathBuf {
        self.dir.path().join("repo.git")
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self) -> anyhow::Result<()> {
        let bare = self.bare();
        fs::create_dir(&bare)?;
        fs::create_dir(self.dir.path().join("empty"))?;
        let template = format!("--template={}", self.dir.path().join("empty").display());
        git(
            &bare,
            ["init", "--quiet", "--bare", "-b", BRANCH, &template, "."],
            b"",
        )?;
        fs::create_dir_all(bare.join("hooks"))?;
        git(&bare, ["config", "http.receivepack", "true"], b"").map(drop)
    }

    fn commit(&self, files: &[(&str, &[u8])], message: &str) -> anyhow::Result<String> {
        let bare = self.bare();
        let branch = format!("refs/heads/{BRANCH}");
        let parent = line(git(&bare, ["rev-parse", &branch], b"")?)?;
        let index = TempDir::new_in(self.dir.path())?;
        let index = index.path().join("index");
        let run = |args: &[&str], input: &[u8]| git_with_index(&bare, &index, args, input);
        run(&["read-tree", &parent], b"")?;
        for (path, bytes) in files {
            let blob = line(git(&bare, ["hash-object", "-w", "--stdin"], bytes)?)?;
            let entry = format!("100644,{blob},{path}");
            run(&["update-index", "--add", "--cacheinfo", &entry], b"")?;
        }
        let tree = line(run(&["write-tree"], b"")?)?;
        let arguments = ["commit-tree", &tree, "-p", &parent, "-F", "-"];
        let commit = line(git(&bare, arguments, message.as_bytes())?)?;
        git(&bare, ["update-ref", &branch, &commit, &parent], b"")?;
        Ok(commit)
    }

    fn text(&self, args: &[&str]) -> String {
        git(&self.bare(), args, b"")
            .and_then(line)
            .expect("git answers")
    }
}

async fn serve(
    State(host): State<Arc<Host>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    host.faults().requests += 1;
    if !authorized(&headers) {
        if headers.contains_key(header::AUTHORIZATION) {
            host.faults().unauthorized += 1;
        }
        let mut response = status(StatusCode::UNAUTHORIZED);
        let challenge = header::HeaderValue::from_static("Basic realm=\"git\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    let fault = host.faults().answers.pop_front();
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Status(code)) => return status(code),
        None => {}
    }
    let receives = uri.path().ends_with(RECEIVE_PACK);
    if receives {
        let act = host.faults().before_receive.take();
        if let Some(act) = act {
            let _ = tokio::task::spawn_blocking(act).await;
        }
    }
    let answer = backend(&host, &method, &uri, &headers, &body).await;
    if receives && take_one(&mut host.faults().lose_receive_answers) {
        return status(StatusCode::BAD_GATEWAY);
    }
    answer.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("{error:#}")));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn take_one(count: &mut usize) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

fn authorized(headers: &HeaderMap) -> bool {
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{TOKEN}"));
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Basic ")) == Some(expected.as_str())
}

/// Passes a request to `git http-backend`, which speaks CGI.
async fn backend(
    host: &Host,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> anyhow::Result<Response<Body>> {
    let mut command = tokio::process::Command::from(bare_git(host.dir.path()));
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", host.dir.path())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_USER", USER)
        .env("REMOTE_ADDR", "127.0.0.1")
        .kill_on_drop(true);
    for (name, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = headers.get(name) {
            command.env(variable, value.to_str()?);
        }
    }
    let mut child = command.spawn().context("failed to run git http-backend")?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let body = body.clone();
    let writing = tokio::spawn(async move {
        // The backend may answer an error without reading everything.
        let _ = stdin.write_all(&body).await;
    });
    let output = child.wait_with_output().await?;
    writing.await?;
    response_of(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn response_of(output: &[u8]) -> anyhow::Result<Response<Body>> {
    let mut response = Response::builder();
    let mut rest = output;
    loop {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .context("CGI headers do not end")?;
        let (field, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let field = std::str::from_utf8(field)?.trim_end();
        if field.is_empty() {
            return Ok(response.body(Body::from(rest.to_vec()))?);
        }
        let (name, value) = field
            .split_once(": ")
            .context("a CGI header without colon")?;
        response = if name.eq_ignore_ascii_case("status") {
            response.status(value.split(' ').next().unwrap_or_default())
        } else {
            response.header(name, value)
        };
    }
}

/// The git program, deaf to the settings of whoever runs the tests.
fn bare_git(cwd: &Path) -> std::process::Command {
    let mut command = std::process::Command::new("git");
    command
        .current_dir(cwd)
        .env_clear()
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("HOME", cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Someone Else")
            .env(format!("GIT_{role}_EMAIL"), "someone@example.org");
    }
    command
}

/// Runs git in `cwd` as somebody else and returns what it printed.
pub fn git<A: AsRef<OsStr>>(
    cwd: &Path,
    args: impl IntoIterator<Item = A>,
    input: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let mut command = bare_git(cwd);
    command.args(args);
    output_of(command, input)
}

fn git_with_index(
    cwd: &Path,
    index: &Path,
    args: &[&str],
    input: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let mut command = bare_git(cwd);
    command.env("GIT_INDEX_FILE", index).args(args);
    output_of(command, input)
}

fn output_of(mut command: std::process::Command, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = command.spawn().context("failed to run git")?;
    let stdin = child.stdin.take().context("no stdin")?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = stdin;
            // Commands that read nothing close their end first.
            let _ = std::io::Write::write_all(&mut stdin, input);
        });
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

fn line(output: Vec<u8>) -> anyhow::Result<String> {
    Ok(String::from_utf8(output)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests;
