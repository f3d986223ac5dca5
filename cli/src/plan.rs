//! `bowline plan`: what one upgrade would change, from a checkout alone.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use analyzer::notes::{self, Way};
use analyzer::planning;
use analyzer::{GitHub, Rules, sites};
use anyhow::Context as _;
use job::SkipReason;
use runtime::Settings;
use runtime::config::Sources;
use terraform::{DirTree, Options, Wanted};

use crate::{Output, PlanArgs, USAGE};

/// The exit code for an upgrade that is refused.
const REFUSED: u8 = 3;

pub(crate) async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    if !args.repo.is_dir() {
        eprintln!(
            "bowline: {} is not a folder; name a checkout with --repo",
            args.repo.display()
        );
        return Ok(ExitCode::from(USAGE));
    }
    let settings = match settings(&args) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("bowline: the configuration is not right:\n{faults}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let wanted = match wanted(&args) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("bowline: {why}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let rules = analyzer::rules(&settings);
    let tree = DirTree::open(&args.repo)
        .with_context(|| format!("failed to read {}", args.repo.display()))?;
    let options = Options {
        stacks: args.stacks.clone(),
    };
    let found = match sites::find(&tree, &options, &wanted, "", None) {
        Ok(found) => found,
        Err(reason) => return Ok(refused(reason)),
    };
    if !rules.service(&found.service).allow {
        // The plan itself says so, before anybody is asked for release notes.
        if let Err(reason) = whole(&rules, &found, &wanted, &Way::default()) {
            return Ok(refused(reason));
        }
    }
    let edits = terraform::edit(&tree, &found.sites).context("failed to derive the edit")?;
    let diff = terraform::diff(&edits);
    let (text, way) = match args.output {
        Output::Diff => (diff, Way::default()),
        Output::Text => {
            let way = way(&args, &settings, &rules, &found, &wanted).await;
            let mut text = head(&found, &wanted);
            text.push_str(&judged(&rules, &found, &wanted, way.as_ref()));
            text.push_str(&format!("\n{diff}"));
            (text, way.unwrap_or_default())
        }
    };
    print(&text).context("failed to write the plan to stdout")?;
    if let Err(reason) = whole(&rules, &found, &wanted, &way) {
        eprintln!(
            "note: the running Bowline would not do this by itself: {}",
            job::describe(&job::Body::Skipped(reason))
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(reason: SkipReason) -> ExitCode {
    eprintln!("refused: {}", job::describe(&job::Body::Skipped(reason)));
    ExitCode::from(REFUSED)
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

/// Writes the answer; a reader that had enough of it is no failure.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// The configuration, or the defaults in observe mode: planning needs nothing that must be given.
fn settings(args: &PlanArgs) -> Result<Settings, runtime::config::Faults> {
    match &args.config {
        Some(file) => Settings::load(&Sources::of_process(Some(file), Vec::new())),
        None => Ok(Settings::default()),
    }
}

fn wanted(args: &PlanArgs) -> Result<Wanted, String> {
    if let Some(chart) = &args.chart {
        let [name, version] = chart.as_slice() else {
            return Err("--chart takes a name and a version".to_owned());
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if version.is_empty() || !version.chars().all(plain) {
            return Err(format!(
                "{version:?} is no chart version: use letters, digits, `.`, `_`, `-` and `+`"
            ));
        }
        if name.is_empty() || !name.chars().all(|c| plain(c) || "/:".contains(c)) {
            return Err(format!("{name:?} is no name of a chart"));
        }
        return Ok(Wanted::Chart {
            name: name.clone(),
            version: version.clone(),
        });
    }
    let (Some(image), Some(tag)) = (&args.image, &args.tag) else {
        return Err("name an image and its wanted tag".to_owned());
    };
    let parsed = version::ImageRef::parse(image).map_err(|error| error.to_string())?;
    if parsed.tag.is_some() || parsed.digest.is_some() {
        return Err(format!(
            "`{image}` holds a tag or a digest already; give the image without it, then the tag"
        ));
    }
    let with_tag = version::ImageRef::parse(&format!("{image}:{tag}"));
    if !with_tag.is_ok_and(|all| all.digest.is_none() && all.tag.as_deref() == Some(tag)) {
        return Err(format!("{tag:?}: {}", version::ParseError::Tag));
    }
    Ok(Wanted::Image {
        repository: parsed.normalised(),
        tag: tag.clone(),
    })
}

/// What moves, and where.
fn head(found: &sites::Sites, wanted: &Wanted) -> String {
    let mut text = format!(
        "{}: {} -> {}\n\nsites:\n",
        found.service,
        found.from,
        wanted.target()
    );
    for site in &found.sites {
        text.push_str(&format!(
            "  {}:{}  {}\n",
            site.path, site.line, site.address
        ));
        if !site.images.is_empty() {
            text.push_str(&format!("      moves {}\n", site.images.join(", ")));
        }
    }
    if !found.notes.is_empty() {
        text.push_str("\nnot readable, so not taken into account:\n");
    }
    for note in &found.notes {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

/// The risk with its evidence, and the steps; `way` says why it is not known otherwise.
fn judged(
    rules: &Rules,
    found: &sites::Sites,
    wanted: &Wanted,
    way: Result<&Way, &String>,
) -> String {
    let to = wanted.target();
    let nothing = Way::default();
    let service = rules.service(&found.service);
    let mut assessment =
        planning::assess(rules, &service, &found.from, to, way.unwrap_or(&nothing));
    if let Err(why) = way {
        // A jump or a service that is risky by itself stays so; all else takes the notes.
        if assessment.level == risk::Level::Unknown {
            assessment.reasons.clear();
        }
        assessment.reasons.push(why.clone());
    }
    let mut text = format!("\nrisk: {}\n", assessment.level);
    for reason in &assessment.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    for finding in &assessment.findings {
        text.push_str(&format!(
            "  {} `{}`: {}\n",
            finding.version, finding.word, finding.quote
        ));
    }
    let steps = match way {
        Err(_) if assessment.level == risk::Level::Caution => {
            format!("every release in between, which the notes would tell; then {to}")
        }
        _ => planning::steps(assessment.level, way.unwrap_or(&nothing), to).join(", "),
    };
    text.push_str(&format!("\nsteps: {steps}\n"));
    text
}

/// The notes and releases in between, or a sentence that says why nobody looked.
async fn way(
    args: &PlanArgs,
    settings: &Settings,
    rules: &Rules,
    found: &sites::Sites,
    wanted: &Wanted,
) -> Result<Way, String> {
    let Wanted::Image { repository, tag } = wanted else {
        return Err("release notes of charts are not read".to_owned());
    };
    if args.offline {
        return Err("no release notes were read (--offline)".to_owned());
    }
    let read = async {
        let github = GitHub::new(
            &settings.github.url,
            settings.secrets().github_token()?,
            settings.github.timeout,
        )?;
        let entry = analyzer::entry(rules, repository);
        anyhow::Ok(notes::way(&github, repository, entry.as_ref(), &found.from, tag).await?)
    };
    read.await
        .map_err(|error| format!("the release notes could not be read: {error:#}"))
}
