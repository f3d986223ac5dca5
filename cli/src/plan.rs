//! `bowline plan`: what one upgrade would change, from a checkout alone.

use std::path::PathBuf;
use std::process::ExitCode;

use analyzer::notes::{self, Way};
use analyzer::planning;
use analyzer::{GitHub, Rules, sites};
use anyhow::Context as _;
use job::SkipReason;
use runtime::Settings;
use runtime::config::Sources;
use terraform::{DirTree, Options, Wanted};

use crate::failure::{Failure, Outcome};
use crate::output::{Format, Out, note, write};
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
    /// A Helm chart and its wanted version, instead of an image.
    #[arg(long, num_args = 2, value_names = ["NAME", "VERSION"])]
    chart: Option<Vec<String>>,
    /// The checkout.
    #[arg(long, default_value = ".")]
    repo: PathBuf,
    /// The folder with one folder per stack.
    #[arg(long, default_value = "stacks")]
    stacks: String,
    /// Reads no release notes.
    #[arg(long)]
    offline: bool,
    /// The configuration, for sources, words and always-step services.
    #[arg(long)]
    config: Option<PathBuf>,
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
    let options = Options {
        stacks: args.stacks.clone(),
    };
    let found = sites::find(&tree, &options, &wanted, "", None).map_err(refused)?;
    if !rules.service(&found.service).allow {
        // The plan itself says so, before anybody is asked for release notes.
        whole(&rules, &found, &wanted, &Way::default()).map_err(refused)?;
    }
    let edits = terraform::edit(&tree, &found.sites).context("failed to derive the edit")?;
    let diff = terraform::diff(&edits);
    let way = match out.format {
        Format::Diff => Ok(Way::default()),
        Format::Text | Format::Json => way(&args, &settings, &rules, &found, &wanted).await,
    };
    let nothing = Way::default();
    let not_by_itself = whole(&rules, &found, &wanted, way.as_ref().unwrap_or(&nothing))
        .err()
        .map(in_words);
    if out.format == Format::Diff {
        write(&diff)?;
    } else {
        let judged = judge(&rules, &found, &wanted, way.as_ref());
        out.answer(
            |_| format!("{}{}\n{diff}", head(&found, &wanted), judged.text()),
            || judged.json(&found, &wanted, &diff, not_by_itself.clone()),
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
            assessment.level,
            way.unwrap_or(&nothing),
            to,
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
        diff: &str,
        refused: Option<String>,
    ) -> json::Plan {
        let site = |site: &terraform::Site| json::Site {
            path: site.path.clone(),
            line: site.line,
            address: site.address.clone(),
            images: site.images.clone(),
        };
        let finding = |finding: &risk::Finding| json::Finding {
            version: finding.version.clone(),
            word: finding.word.clone(),
            quote: finding.quote.clone(),
        };
        json::Plan {
            service: found.service.clone(),
            from: found.from.clone(),
            to: wanted.target().to_owned(),
            sites: found.sites.iter().map(site).collect(),
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

/// The notes and releases in between, or a sentence that says why nobody looked.
async fn way(
    args: &Args,
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
