//! `bowline plan`: what one upgrade would change, from a checkout alone.

mod adopt;
mod find;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analyzer::chart::Route;
use analyzer::notes::Way;
use analyzer::{Rules, planning, sites};
use anyhow::Context as _;
use job::SkipReason;
use runtime::Settings;
use runtime::config::Sources;
use terraform::{DirTree, Options, Refound, Site, SiteKey, Wanted};

use crate::failure::{Failure, Outcome};
use crate::output::{Format, Out, note, paragraph, write};
pub(crate) use crate::plan::find::Outside;
use crate::plan::find::{Found, Looker};
use crate::{asked, json};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image without tag; not with --chart.
    #[arg(
        required_unless_present = "chart",
        conflicts_with = "chart",
        requires = "tag"
    )]
    image: Option<String>,
    /// The wanted tag.
    tag: Option<String>,
    /// The digest of the wanted tag, for images that are pinned by one as well.
    #[arg(long, value_name = "SHA256:HEX", requires = "tag")]
    digest: Option<String>,
    /// A Helm chart and its wanted version, instead of an image.
    #[arg(long, num_args = 2, value_names = ["NAME", "VERSION"])]
    chart: Option<Vec<String>>,
    /// The checkout.
    #[arg(long, default_value = ".")]
    repo: PathBuf,
    #[command(flatten)]
    stacks: Stacks,
    /// Shows instead what has to go so that Terraform decides about it again: the entries of
    /// `ignore_changes` that leave it to another updater.
    #[arg(long)]
    adopt: bool,
    /// Reads no release notes.
    #[arg(long)]
    offline: bool,
    /// The configuration, for sources, words and always-step services.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Where the services are in a checkout.
#[derive(clap::Args)]
pub(crate) struct Stacks {
    /// The folder with one folder per stack, or `.` if every folder with Terraform files is a
    /// service; by default `stacks`, if there is such a folder.
    #[arg(long, value_name = "FOLDER")]
    stacks: Option<String>,
}

impl Stacks {
    pub(crate) fn options(&self, repository: &Path) -> Options {
        let usual = Options::default();
        match &self.stacks {
            Some(stacks) => Options {
                stacks: stacks.clone(),
            },
            None if repository.join(&usual.stacks).is_dir() => usual,
            None => Options {
                stacks: String::new(),
            },
        }
    }
}

pub(crate) async fn run(args: Args, out: &Out) -> Outcome {
    if !args.repo.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a folder; name a checkout with --repo",
            args.repo.display()
        )));
    }
    let settings = settings(&args)
        .map_err(|faults| Failure::usage(format!("the configuration is not right:\n{faults}")))?;
    let wanted = wanted(&args).map_err(Failure::usage)?;
    let rules = analyzer::rules(&settings);
    let tree = DirTree::open(&args.repo)
        .with_context(|| format!("failed to read {}", args.repo.display()))?;
    let options = args.stacks.options(&args.repo);
    if args.adopt {
        return adopt::run(&tree, &options, &wanted, out);
    }
    let looker = Looker {
        args: &args,
        settings: &settings,
        rules: &rules,
        options: &options,
        tree: &tree,
        quick: out.format == Format::Diff,
    };
    let Found {
        sites: found,
        wanted,
        way,
    } = looker.find(wanted).await?;
    let nothing = Way::default();
    let whole = whole(&rules, &found, &wanted, way.as_ref().unwrap_or(&nothing));
    let settings = whole
        .as_ref()
        .map_or_else(|_| Vec::new(), |plan| settings_of(plan, &found));
    let sites: Vec<Site> = found.sites.iter().cloned().chain(settings).collect();
    let edits = found
        .index
        .edit(&tree, &sites)
        .context("failed to derive the edit")?;
    let diff = terraform::diff(&edits);
    let not_by_itself = whole.err().map(in_words);
    if out.format == Format::Diff {
        write(&diff)?;
    } else {
        let judged = judge(&rules, &found, &wanted, way.as_ref());
        let apps = way.as_ref().ok().and_then(|way| way.chart.as_ref());
        let apps = apps.map(|chart| &chart.route);
        out.answer(
            |_| format!("{}{}\n{diff}", head(&found, &wanted, apps), judged.text()),
            || judged.json(&found, &wanted, apps, &diff, not_by_itself.clone()),
        )?;
    }
    if let Some(why) = not_by_itself {
        note(&format!(
            "note: the running Bowline would not do this by itself: {why}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(reason: SkipReason) -> Failure {
    Failure::refused(format!("refused: {}", in_words(reason)))
}

fn in_words(reason: SkipReason) -> String {
    job::describe(&job::Body::Skipped(reason))
}

/// The settings that change on the way, from the first value to the last.
fn settings_of(plan: &job::Plan, found: &sites::Sites) -> Vec<Site> {
    let mut keys: Vec<SiteKey> = Vec::new();
    let sites = plan.steps.iter().flat_map(|step| &step.sites);
    for site in sites.filter(|site| terraform::is_setting(&site.address)) {
        let same = |key: &&mut SiteKey| key.path == site.path && key.address == site.address;
        match keys.iter_mut().find(same) {
            Some(key) => key.after.clone_from(&site.after),
            None => keys.push(SiteKey {
                path: site.path.clone(),
                address: site.address.clone(),
                before: site.before.clone(),
                after: site.after.clone(),
            }),
        }
    }
    match found.index.refind(&found.options, &keys) {
        Refound::Ready(sites) => sites,
        _ => Vec::new(),
    }
}

/// The plan as the analyzer would append it.
fn whole(
    rules: &Rules,
    found: &sites::Sites,
    wanted: &Wanted,
    way: &Way,
) -> Result<job::Plan, SkipReason> {
    planning::plan(rules, "", "", found, wanted.target(), way)
}

/// The configuration, or the defaults in observe mode: planning needs nothing that must be given.
fn settings(args: &Args) -> Result<Settings, runtime::config::Faults> {
    match &args.config {
        Some(file) => Settings::load(&Sources::of_process(Some(file), Vec::new())),
        None => Ok(Settings::default()),
    }
}

fn wanted(args: &Args) -> Result<Wanted, String> {
    if let Some(chart) = &args.chart {
        let [name, version] = chart.as_slice() else {
            return Err("--chart takes a name and a version".to_owned());
        };
        asked::chart(name, version)?;
        return Ok(Wanted::Chart {
            name: name.clone(),
            version: version.clone(),
        });
    }
    let (Some(image), Some(tag)) = (&args.image, &args.tag) else {
        return Err("name an image and its wanted tag".to_owned());
    };
    let parsed = asked::image(image, tag)?;
    Ok(Wanted::Image {
        repository: parsed.normalised(),
        tag: tag.clone(),
        digest: args.digest.clone(),
    })
}

/// What moves, and where.
fn head(found: &sites::Sites, wanted: &Wanted, apps: Option<&Route>) -> String {
    let with_app = |version: &str, app: Option<&str>| match app {
        Some(app) => format!("chart {version} (app {app})"),
        None => version.to_owned(),
    };
    let mut text = format!(
        "{}: {} -> {}\n\nsites:\n",
        found.service,
        with_app(&found.from, apps.map(|route| route.from_app.as_str())),
        with_app(wanted.target(), apps.map(|route| route.to.app.as_str())),
    );
    for site in &found.sites {
        text.push_str(&format!(
            "  {}:{}  {}\n",
            site.path, site.line, site.address
        ));
        if !site.images.is_empty() {
            text.push_str(&format!("      moves {}\n", site.images.join(", ")));
        }
        for owner in &site.owner {
            text.push_str(&paragraph("      runs in ", &run_by(owner)));
        }
    }
    if !found.left.is_empty() {
        text.push_str("\nleft as they are:\n");
    }
    for left in &found.left {
        let current = left.current.as_deref().unwrap_or("no tag");
        text.push_str(&format!(
            "  {}:{} ({current}): {}\n",
            left.path, left.line, left.reason
        ));
    }
    if !found.notes.is_empty() {
        text.push_str("\nnot readable, so not taken into account:\n");
    }
    for note in &found.notes {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

/// A workload as far as the files tell.
fn run_by(owner: &terraform::Owner) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
    let mut text = format!(
        "{} {}/{}",
        owner.kind,
        name(&owner.namespace),
        name(&owner.name)
    );
    if let Some(container) = &owner.container {
        let init = if owner.init {
            "init container"
        } else {
            "container"
        };
        text.push_str(&format!(", {init} {container}"));
    }
    if let Some(replicas) = owner.replicas {
        text.push_str(&match replicas {
            0 => ", replicas 0: nothing would be seen of the new version".to_owned(),
            1 => ", 1 replica".to_owned(),
            more => format!(", {more} replicas"),
        });
    }
    if owner.readiness_probe == Some(false) && !owner.init {
        text.push_str(", no readiness probe");
    }
    if let Some(limit) = &owner.memory_limit {
        text.push_str(&format!(", memory limit {limit}"));
    }
    if let Some(seconds) = owner.timeout_seconds {
        text.push_str(&format!(", Helm waits {seconds} s"));
    }
    if owner.atomic == Some(true) {
        text.push_str(", undone by Helm itself if it fails");
    }
    for host in &owner.ingress_hosts {
        text.push_str(&format!(", https://{host}"));
    }
    text
}

/// The risk with its evidence, and the steps.
struct Judged {
    assessment: risk::Assessment,
    /// None if nobody looked, and the notes would tell.
    steps: Option<Vec<String>>,
    to: String,
}

/// Judges the upgrade; `way` says why it is not known otherwise.
fn judge(
    rules: &Rules,
    found: &sites::Sites,
    wanted: &Wanted,
    way: Result<&Way, &String>,
) -> Judged {
    let to = wanted.target();
    let nothing = Way::default();
    let service = rules.service(&found.service);
    let mut assessment =
        planning::assess(rules, &service, &found.from, to, way.unwrap_or(&nothing));
    let settings = planning::own_settings(found, way.unwrap_or(&nothing));
    assessment.reasons.extend(settings);
    if let Err(why) = way {
        // A jump or a service that is risky by itself stays so; all else takes the notes.
        if assessment.level == risk::Level::Unknown {
            assessment.reasons.clear();
        }
        assessment.reasons.push(why.clone());
    }
    let steps = match way {
        Err(_) if assessment.level == risk::Level::Caution => None,
        _ => Some(planning::steps(
            rules,
            &assessment,
            way.unwrap_or(&nothing),
            (&found.from, to),
        )),
    };
    Judged {
        assessment,
        steps,
        to: to.to_owned(),
    }
}

impl Judged {
    fn text(&self) -> String {
        let mut text = format!("\nrisk: {}\n", self.assessment.level);
        for reason in &self.assessment.reasons {
            text.push_str(&format!("  {reason}\n"));
        }
        for finding in &self.assessment.findings {
            text.push_str(&format!(
                "  {} `{}`: {}\n",
                finding.version, finding.word, finding.quote
            ));
        }
        let steps = match &self.steps {
            None => format!(
                "every release in between, which the notes would tell; then {}",
                self.to
            ),
            Some(steps) => steps.join(", "),
        };
        text.push_str(&format!("\nsteps: {steps}\n"));
        text
    }

    fn json(
        &self,
        found: &sites::Sites,
        wanted: &Wanted,
        apps: Option<&Route>,
        diff: &str,
        refused: Option<String>,
    ) -> json::Plan {
        let site = |site: &Site| json::Site {
            path: site.path.clone(),
            line: site.line,
            address: site.address.clone(),
            images: site.images.clone(),
            owners: site.owner.iter().map(json::Owner::new).collect(),
        };
        let left = |left: &terraform::RefusedSite| json::Left {
            path: left.path.clone(),
            line: left.line,
            current: left.current.clone(),
            reason: left.reason.to_string(),
        };
        let finding = |finding: &risk::Finding| json::Finding {
            version: finding.version.clone(),
            word: finding.word.clone(),
            quote: finding.quote.clone(),
            url: finding.url.clone(),
        };
        json::Plan {
            service: found.service.clone(),
            from: found.from.clone(),
            to: wanted.target().to_owned(),
            app: apps.map(|route| json::Apps {
                from: route.from_app.clone(),
                to: route.to.app.clone(),
            }),
            sites: found.sites.iter().map(site).collect(),
            left: found.left.iter().map(left).collect(),
            notes: found.notes.clone(),
            risk: json::Risk {
                level: self.assessment.level.to_string(),
                reasons: self.assessment.reasons.clone(),
                findings: self.assessment.findings.iter().map(finding).collect(),
            },
            steps: self.steps.clone(),
            diff: diff.to_owned(),
            refused,
        }
    }
}
