//! `bowline notes`: what the release notes between two versions say, and how both rules judge it.

use std::path::PathBuf;
use std::process::ExitCode;

use analyzer::changelog::{self, Wanted};
use analyzer::notes::{self, Way};
use analyzer::steps::{self, Target};
use analyzer::{Rules, ServicePolicy, planning};
use anyhow::Context as _;
use risk::Assessment;
use runtime::Settings;
use runtime::config::Sources;

use crate::failure::{Failure, Outcome};
use crate::output::{Out, paragraph};
use crate::plan::Outside;
use crate::{asked, json};

/// A changelog of more bytes is not read.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// So much of a release's title is shown.
const MAX_TITLE: usize = 80;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image without tag.
    image: String,
    /// The tag that runs.
    from: String,
    /// The wanted tag.
    to: String,
    /// Reads this changelog, and asks nobody.
    #[arg(long, value_name = "FILE")]
    changelog: Option<PathBuf>,
    /// The configuration, for sources, git hosts, words and the rule.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, out: &Out) -> Outcome {
    let settings = match &args.config {
        Some(file) => {
            Settings::load(&Sources::of_process(Some(file), Vec::new())).map_err(|faults| {
                Failure::usage(format!("the configuration is not right:\n{faults}"))
            })?
        }
        None => Settings::default(),
    };
    let image = asked::image(&args.image, &args.from).map_err(Failure::usage)?;
    asked::image(&args.image, &args.to).map_err(Failure::usage)?;
    let image = image.normalised();
    let rules = analyzer::rules(&settings);
    let wanted = Wanted {
        image: &image,
        from: &args.from,
        to: &args.to,
    };
    let way = match &args.changelog {
        Some(file) => from_file(file, &wanted)?,
        None => from_outside(&settings, &rules, &wanted).await?,
    };
    let told = Told::of(&rules, &wanted, way);
    out.answer(|_| told.text(), || told.json())?;
    Ok(ExitCode::SUCCESS)
}

fn from_file(file: &PathBuf, wanted: &Wanted<'_>) -> Result<Way, Failure> {
    let shown = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("failed to read {shown}"))?;
    if size.len() > MAX_FILE {
        return Err(Failure::usage(format!(
            "{shown} is larger than {MAX_FILE} bytes"
        )));
    }
    let bytes = std::fs::read(file).with_context(|| format!("failed to read {shown}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let notes = changelog::notes_in(&text, wanted, |line| format!("{shown}:{line}"));
    let without = notes.is_empty().then(|| match risk::sections(&text).len() {
        0 => format!("no heading in {shown} names a version"),
        _ => format!(
            "{shown} has no section between {} and {}",
            wanted.from, wanted.to
        ),
    });
    Ok(Way {
        tags: notes::tags_of(&notes, wanted),
        headless: notes::is_headless(&notes, wanted.to),
        tried: vec![match notes.len() {
            1 => format!("{shown}: 1 section"),
            count => format!("{shown}: {count} sections"),
        }],
        notes,
        without,
        ..Way::default()
    })
}

async fn from_outside(
    settings: &Settings,
    rules: &Rules,
    wanted: &Wanted<'_>,
) -> Result<Way, Failure> {
    let outside = Outside::new(settings)?;
    let entry = analyzer::entry(rules, wanted.image);
    let image = wanted.image;
    let (sources, target) = outside.seeing(image, wanted.to).await;
    let read = notes::way(sources, image, entry.as_ref(), wanted.from, wanted.to).await;
    let mut way = read.map_err(|error| {
        Failure::failed(format!("the release notes could not be read: {error}"))
    })?;
    way.unseen = match target {
        Target::Here => None,
        Target::Absent(why) | Target::Unseen(why) => Some(why),
    };
    if let Some(images) = sources.images {
        let ends = (wanted.from, wanted.to);
        let released = way.released.then_some(way.tags.as_slice());
        match steps::there(images, image, ends, released).await {
            Ok(there) => {
                way.tags = there.tags;
                way.missing = there.missing;
            }
            Err(error) => way.tried.push(format!(
                "the registry, for which tags in between exist: {error}"
            )),
        }
    }
    Ok(way)
}

/// What is known, and what both rules make of it.
struct Told {
    image: String,
    from: String,
    to: String,
    way: Way,
    assessment: Assessment,
    steps: Vec<String>,
}

impl Told {
    fn of(rules: &Rules, wanted: &Wanted<'_>, way: Way) -> Told {
        // Of a service nothing is known here but its image.
        let service = ServicePolicy::plain("", false);
        let assessment = planning::assess(rules, &service, wanted.from, wanted.to, &way);
        Told {
            image: wanted.image.to_owned(),
            from: wanted.from.to_owned(),
            to: wanted.to.to_owned(),
            steps: planning::steps(rules, &assessment, &way, (wanted.from, wanted.to)),
            way,
            assessment,
        }
    }

    fn rule(&self) -> &'static str {
        match self.assessment.rule {
            risk::Rule::Plain => "plain",
            risk::Rule::Weighed => "weighed",
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {} -> {}\n\nlooked at:\n",
            self.image, self.from, self.to
        );
        for tried in &self.way.tried {
            text.push_str(&paragraph("  ", tried));
        }
        text.push_str("\nnotes:\n");
        for note in &self.way.notes {
            let title = note.title.as_deref().unwrap_or_default();
            let title = if version::same_version(title, &note.version) {
                ""
            } else {
                title
            };
            let title: String = title
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_TITLE)
                .collect();
            let parts = [note.version.as_str(), title.trim(), note.url.as_str()];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            text.push_str(&format!("  {}\n", parts.collect::<Vec<_>>().join("  ")));
        }
        if self.way.notes.is_empty() {
            text.push_str("  none\n");
        }
        let Assessment { plain, weighed, .. } = &self.assessment;
        text.push_str(&format!(
            "\nrisk: {plain} by the plain rule, {weighed} by the weighed one; the {} one decides\n",
            self.rule()
        ));
        for reason in &self.assessment.reasons {
            text.push_str(&paragraph("  ", reason));
        }
        self.lines(&mut text);
        if !self.assessment.security.is_empty() {
            text.push_str(&paragraph(
                "\nsecurity: ",
                &self.assessment.security.join(", "),
            ));
        }
        text.push_str(&paragraph("\nsteps: ", &self.steps.join(", ")));
        text
    }

    /// The evidence, and why the rules differ.
    fn lines(&self, text: &mut String) {
        if !self.assessment.findings.is_empty() {
            text.push_str("\nlisted words, which the plain rule counts:\n");
        }
        for finding in &self.assessment.findings {
            let line = format!(
                "{} \"{}\": {}",
                finding.version, finding.word, finding.quote
            );
            text.push_str(&paragraph("  ", &line));
        }
        let (counting, harmless): (Vec<_>, Vec<_>) =
            (self.assessment.announced.iter()).partition(|line| line.lowered.is_none());
        if !counting.is_empty() {
            text.push_str("\nlines that the weighed rule counts:\n");
        }
        for line in counting {
            let line = format!("{} {}: {}", line.version, line.kind.as_str(), line.quote);
            text.push_str(&paragraph("  ", &line));
        }
        if !harmless.is_empty() {
            text.push_str("\nlines that the weighed rule takes for harmless:\n");
        }
        for line in harmless {
            let why = line.lowered.unwrap_or_default();
            let line = format!("{} ({why}): {}", line.version, line.quote);
            text.push_str(&paragraph("  ", &line));
        }
    }

    fn json(&self) -> json::Notes {
        let assessment = &self.assessment;
        let note = |note: &risk::Note| json::Note {
            version: note.version.clone(),
            title: note.title.clone(),
            url: note.url.clone(),
        };
        let finding = |finding: &risk::Finding| json::Finding {
            version: finding.version.clone(),
            word: finding.word.clone(),
            quote: finding.quote.clone(),
            url: finding.url.clone(),
        };
        let announced = |line: &risk::Announced| json::Announced {
            version: line.version.clone(),
            kind: line.kind.as_str(),
            quote: line.quote.clone(),
            url: line.url.clone(),
            lowered: line.lowered,
        };
        json::Notes {
            image: self.image.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            tried: self.way.tried.clone(),
            source: self.way.source_url.clone(),
            notes: self.way.notes.iter().map(note).collect(),
            rule: self.rule(),
            level: assessment.level.to_string(),
            plain: assessment.plain.to_string(),
            weighed: assessment.weighed.to_string(),
            reasons: assessment.reasons.clone(),
            findings: assessment.findings.iter().map(finding).collect(),
            announced: assessment.announced.iter().map(announced).collect(),
            security: assessment.security.clone(),
            steps: self.steps.clone(),
            missing: self.way.missing.clone(),
        }
    }
}
