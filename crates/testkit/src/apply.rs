//! The CI that applies: watches a bare repository, runs pipelines, changes the stub cluster.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::kubernetes::Cluster;
use crate::server::lock;
use crate::woodpecker::{Outcome, Policy, State, Woodpecker};

/// How often the branch and the pipelines are looked at.
const POLL: Duration = Duration::from_millis(100);

/// The files of a commit by path.
pub type Tree = BTreeMap<String, Vec<u8>>;
/// Namespace, workload, container and image, as a tree wants them to be.
pub type Wanted = (String, String, String, String);

/// What applying a tree makes of the cluster.
pub(crate) type Mapping = Box<dyn Fn(&Tree) -> Vec<Wanted> + Send>;

/// A running glue between repository, CI and cluster; it stops when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Applier {
    knobs: Arc<Mutex<Knobs>>,
    _stop: Arc<Sender<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Good,
    Red,
    RedButApplied,
    OthersRed,
    GreenButNotApplied,
    /// Helm applies, waits in vain, and undoes it.
    Atomic,
    /// The second half of it.
    Undone,
    Lost,
}

#[derive(Debug)]
struct Knobs {
    plans: VecDeque<Plan>,
    hold: bool,
    duration: Duration,
    applied: Vec<String>,
}

/// A pipeline an agent works on.
struct Work {
    number: u64,
    commit: String,
    ends: Instant,
    plan: Plan,
}

struct Glue {
    repository: PathBuf,
    branch: String,
    woodpecker: Woodpecker,
    cluster: Cluster,
    mapping: Mapping,
    knobs: Arc<Mutex<Knobs>>,
    head: String,
    works: Vec<Work>,
}

impl Applier {
    /// Starts watching; the head at this moment counts as applied already.
    ///
    /// # Errors
    /// The repository or its branch cannot be read.
    pub fn start(
        repository: &Path,
        branch: &str,
        woodpecker: &Woodpecker,
        cluster: &Cluster,
        mapping: impl Fn(&Tree) -> Vec<Wanted> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let knobs = Arc::new(Mutex::new(Knobs {
            plans: VecDeque::new(),
            hold: false,
            duration: Duration::from_millis(300),
            applied: Vec::new(),
        }));
        let glue = Glue {
            head: head(repository, branch)?,
            repository: repository.to_owned(),
            branch: branch.to_owned(),
            woodpecker: woodpecker.clone(),
            cluster: cluster.clone(),
            mapping: Box::new(mapping),
            knobs: Arc::clone(&knobs),
            works: Vec::new(),
        };
        let (stop, stopped) = channel();
        std::thread::Builder::new()
            .name("applier".to_owned())
            .spawn(move || glue.run(&stopped))?;
        Ok(Self {
            knobs,
            _stop: Arc::new(stop),
        })
    }

    /// How long a pipeline runs.
    pub fn duration(&self, duration: Duration) {
        lock(&self.knobs).duration = duration;
    }

    /// The next pipeline applies and succeeds, so that the one after it can be chosen now.
    pub fn good_next(&self) {
        self.next(Plan::Good);
    }

    /// The next pipeline's `default` workflow fails and nothing is applied.
    pub fn red_next(&self) {
        self.next(Plan::Red);
    }

    /// The next pipeline fails after everything was applied.
    pub fn red_but_applied_next(&self) {
        self.next(Plan::RedButApplied);
    }

    /// The next pipeline's `default` workflow applies and succeeds, and the others fail.
    pub fn others_red_next(&self) {
        self.next(Plan::OthersRed);
    }

    /// The next pipeline succeeds, but the stack's lock was taken and nothing is applied.
    pub fn green_but_not_applied_next(&self) {
        self.next(Plan::GreenButNotApplied);
    }

    /// The next pipeline applies, and takes everything back after as long again: a release that is
    /// `atomic` and does not become ready. It fails.
    pub fn rolled_back_next(&self) {
        self.next(Plan::Atomic);
    }

    /// The next push's webhook is lost: no pipeline, nothing applied.
    pub fn lost_next(&self) {
        self.next(Plan::Lost);
    }

    /// While set, running pipelines neither apply nor end.
    pub fn hold(&self, yes: bool) {
        lock(&self.knobs).hold = yes;
    }

    /// The commits that were applied, oldest first.
    #[must_use]
    pub fn applied(&self) -> Vec<String> {
        lock(&self.knobs).applied.clone()
    }

    fn next(&self, plan: Plan) {
        lock(&self.knobs).plans.push_back(plan);
    }
}

impl Glue {
    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = self.tick() {
                tracing::warn!("the applier could not look: {error:#}");
            }
        }
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        let head = head(&self.repository, &self.branch)?;
        if head != self.head {
            // Every commit was a push of its own, also those that another one followed at once.
            let range = format!("{}..{head}", self.head);
            let new = git(&self.repository, &["rev-list", "--reverse", &range])?;
            for sha in String::from_utf8_lossy(&new).lines() {
                self.register(sha)?;
            }
            self.head = head;
        }
        // Restarts wait for an agent like everything else.
        for run in self.woodpecker.runs() {
            if run.status == State::Pending && self.woodpecker.start_number(run.number) {
                let mut knobs = lock(&self.knobs);
                let plan = knobs.plans.pop_front().unwrap_or(Plan::Good);
                let ends = Instant::now() + knobs.duration;
                let (number, commit) = (run.number, run.commit);
                self.works.push(Work {
                    number,
                    commit,
                    ends,
                    plan,
                });
            }
        }
        if lock(&self.knobs).hold {
            return Ok(());
        }
        let now = Instant::now();
        let (due, rest) = self.works.drain(..).partition(|work| work.ends <= now);
        self.works = rest;
        let due: Vec<Work> = due;
        for mut work in due {
            if work.plan == Plan::Atomic {
                self.apply(&work.commit)?;
                let ends = now + lock(&self.knobs).duration;
                (work.plan, work.ends) = (Plan::Undone, ends);
                self.works.push(work);
            } else {
                self.conclude(&work)?;
            }
        }
        Ok(())
    }

    /// Makes the cluster what the commit's tree wants.
    fn apply(&self, commit: &str) -> anyhow::Result<()> {
        let tree = tree(&self.repository, commit)?;
        for (namespace, workload, container, image) in (self.mapping)(&tree) {
            if !self
                .cluster
                .set_image(&namespace, &workload, &container, &image)
            {
                tracing::warn!(%namespace, %workload, %container, "nothing to apply to");
            }
        }
        Ok(())
    }

    fn register(&self, sha: &str) -> anyhow::Result<()> {
        let message = git(&self.repository, &["log", "-1", "--format=%B", sha])?;
        let message = String::from_utf8_lossy(&message);
        let lost = {
            let mut knobs = lock(&self.knobs);
            let lost = knobs.plans.front() == Some(&Plan::Lost);
            if lost {
                knobs.plans.pop_front();
            }
            lost
        };
        if lost {
            self.woodpecker.next_policy(Policy::Lost);
        }
        self.woodpecker.push(sha, &self.branch, &message);
        let changed = git(&self.repository, &["diff", "--name-only", &self.head, sha])?;
        let changed = String::from_utf8_lossy(&changed);
        self.woodpecker
            .changed(sha, &changed.lines().collect::<Vec<_>>());
        Ok(())
    }

    /// A run that was killed meanwhile applies nothing.
    fn conclude(&self, work: &Work) -> anyhow::Result<()> {
        let runs = self.woodpecker.runs();
        let run = runs.iter().find(|run| run.number == work.number);
        if run.is_none_or(|run| run.status != State::Running) {
            return Ok(());
        }
        if matches!(
            work.plan,
            Plan::Good | Plan::RedButApplied | Plan::OthersRed
        ) {
            self.apply(&work.commit)?;
            lock(&self.knobs).applied.push(work.commit.clone());
        }
        if work.plan == Plan::Undone {
            self.apply(&format!("{}^", work.commit))?;
        }
        let outcome = match work.plan {
            Plan::Red | Plan::RedButApplied | Plan::Atomic | Plan::Undone => Outcome::Failure,
            Plan::OthersRed => Outcome::OthersFail,
            Plan::Good | Plan::GreenButNotApplied | Plan::Lost => Outcome::Success,
        };
        self.woodpecker.finish_number(work.number, outcome);
        Ok(())
    }
}

fn head(repository: &Path, branch: &str) -> anyhow::Result<String> {
    let reference = format!("refs/heads/{branch}");
    let sha = git(repository, &["rev-parse", "--verify", &reference])?;
    Ok(String::from_utf8_lossy(&sha).trim().to_owned())
}

/// Every file of a commit.
pub(crate) fn tree(repository: &Path, sha: &str) -> anyhow::Result<Tree> {
    let listed = git(repository, &["ls-tree", "-rz", sha])?;
    let listed = String::from_utf8(listed).context("a path is not UTF-8")?;
    let files: Vec<(&str, &str)> = listed
        .split_terminator('\0')
        .filter_map(|entry| entry.split_once('\t'))
        // Neither submodules nor links.
        .filter(|(meta, _)| meta.starts_with("100"))
        .filter_map(|(meta, path)| Some((meta.split(' ').nth(2)?, path)))
        .collect();
    let mut asked: String = files.iter().map(|(blob, _)| format!("{blob}\n")).collect();
    let mut child = program(repository)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("git has no input")?;
    let writer = std::thread::spawn(move || input.write_all(std::mem::take(&mut asked).as_bytes()));
    let output = child.wait_with_output()?;
    if !matches!(writer.join(), Ok(Ok(()))) || !output.status.success() {
        bail!("git cat-file failed for {sha}");
    }
    let mut rest = output.stdout.as_slice();
    let mut tree = Tree::new();
    for (_, path) in files {
        let line = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .context("a head line is missing")?;
        let (head, body) = rest.split_at(line + 1);
        let size = String::from_utf8_lossy(head)
            .trim()
            .rsplit(' ')
            .next()
            .map(str::parse::<usize>);
        let size = size.context("a size is missing")??;
        let content = body.get(..size).context("a blob is cut")?;
        tree.insert(path.to_owned(), content.to_vec());
        rest = body.get(size + 1..).unwrap_or_default();
    }
    Ok(tree)
}

fn git(repository: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = program(repository).args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git {} failed: {}", arguments.join(" "), said.trim());
    }
    Ok(output.stdout)
}

fn program(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(repository)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::probe::eventually;

    struct Bench {
        folder: tempfile::TempDir,
        woodpecker: Woodpecker,
        cluster: Cluster,
        applier: Applier,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            git(
                folder.path(),
                &["init", "--quiet", "--initial-branch=master"],
            )
            .unwrap();
            let woodpecker = Woodpecker::start("owner/infra").unwrap();
            let cluster = Cluster::start().unwrap();
            cluster.add_deployment("web", "app", &[("app", "app")], &[("main", "app:1")]);
            commit(folder.path(), "app:1", "first");
            let mapping = |tree: &Tree| {
                let image = String::from_utf8_lossy(&tree["stacks/app/image"]).into_owned();
                vec![("web".to_owned(), "app".to_owned(), "main".to_owned(), image)]
            };
            let applier =
                Applier::start(folder.path(), "master", &woodpecker, &cluster, mapping).unwrap();
            Self {
                folder,
                woodpecker,
                cluster,
                applier,
            }
        }

        fn ended(&self, sha: &str) -> State {
            eventually("the pipeline ends", || {
                let runs = self.woodpecker.runs();
                let run = runs.iter().rev().find(|run| run.commit == sha)?;
                run.status.is_terminal().then_some(run.status)
            })
        }

        fn template(&self) -> String {
            self.cluster.template_image("web", "app", "main").unwrap()
        }
    }

    fn commit(folder: &Path, image: &str, message: &str) -> String {
        std::fs::create_dir_all(folder.join("stacks/app")).unwrap();
        std::fs::write(folder.join("stacks/app/image"), image).unwrap();
        std::fs::write(folder.join("binary"), [0, 255, b'\n', 1]).unwrap();
        git(folder, &["add", "--all"]).unwrap();
        let who = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
        git(
            folder,
            &[&who[..], &["commit", "--quiet", "--message", message]].concat(),
        )
        .unwrap();
        head(folder, "master").unwrap()
    }

    #[test]
    fn a_push_is_built_and_applied() {
        let bench = Bench::new();
        let sha = commit(bench.folder.path(), "app:2", "upgrade");
        assert_eq!(bench.ended(&sha), State::Success);
        assert_eq!(bench.template(), "app:2");
        assert_eq!(bench.applier.applied(), [sha]);
        eventually("live", || {
            (bench.cluster.live_image("web", "app", "main")? == "app:2").then_some(())
        });
    }

    #[test]
    fn red_and_green_can_both_lie() {
        let bench = Bench::new();
        bench.applier.red_next();
        let red = commit(bench.folder.path(), "app:2", "upgrade");
        assert_eq!(
            (bench.ended(&red), bench.template().as_str()),
            (State::Failure, "app:1")
        );
        bench.applier.green_but_not_applied_next();
        let green = commit(bench.folder.path(), "app:3", "upgrade");
        assert_eq!(
            (bench.ended(&green), bench.template().as_str()),
            (State::Success, "app:1")
        );
        bench.applier.red_but_applied_next();
        let applied = commit(bench.folder.path(), "app:4", "upgrade");
        assert_eq!(
            (bench.ended(&applied), bench.template().as_str()),
            (State::Failure, "app:4")
        );
    }

    #[test]
    fn a_superseded_run_applies_nothing_and_the_newer_one_applies_both() {
        let bench = Bench::new();
        bench.applier.hold(true);
        let first = commit(bench.folder.path(), "app:2", "one");
        eventually("running", || {
            let runs = bench.woodpecker.runs();
            runs.iter()
                .any(|run| run.commit == first && run.status == State::Running)
                .then_some(())
        });
        let second = commit(bench.folder.path(), "app:3", "two");
        assert_eq!(bench.ended(&first), State::Killed);
        bench.applier.hold(false);
        assert_eq!(bench.ended(&second), State::Success);
        assert_eq!(bench.applier.applied(), [second]);
    }
}
