//! `bowline scan`: every image and chart of a checkout, and what would become of each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use terraform::{DirTree, Index, Seen, Verdict};

use crate::failure::{Failure, Outcome};
use crate::json;
use crate::output::{Out, plain};
use crate::plan::Stacks;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The checkout.
    #[arg(default_value = ".")]
    repo: PathBuf,
    #[command(flatten)]
    stacks: Stacks,
    /// Only what would not simply be edited.
    #[arg(long)]
    problems: bool,
}

pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    if !args.repo.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a folder; name a checkout",
            args.repo.display()
        )));
    }
    let tree = DirTree::open(&args.repo)
        .with_context(|| format!("failed to read {}", args.repo.display()))?;
    let index = Index::of(&tree);
    let all = index.scan(&args.stacks.options(&args.repo));
    let coverage = coverage(&all);
    let mut shown: Vec<&Seen> = all
        .iter()
        .filter(|seen| !args.problems || seen.verdict != Verdict::Effective)
        .collect();
    shown.sort_by_key(|seen| (seen.service.is_none(), seen.service.clone()));
    out.answer(
        |_| text(&shown, all.len(), &coverage, index.problems()),
        || json::Scan {
            references: shown.iter().map(|seen| to_json(seen)).collect(),
            coverage: coverage.clone(),
            problems: index.problems().to_vec(),
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn coverage(all: &[Seen]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for seen in all {
        *counts.entry(seen.verdict.word()).or_default() += 1;
    }
    counts
}

fn text(
    shown: &[&Seen],
    all: usize,
    coverage: &BTreeMap<&'static str, usize>,
    problems: &[String],
) -> String {
    let mut text = String::new();
    let mut service: Option<Option<&str>> = None;
    for seen in shown {
        if service != Some(seen.service.as_deref()) {
            service = Some(seen.service.as_deref());
            let name = seen
                .service
                .as_deref()
                .unwrap_or("outside the stacks folder");
            text.push_str(&format!(
                "{}{}\n",
                if text.is_empty() { "" } else { "\n" },
                plain(name)
            ));
        }
        let name = match (&seen.repository, &seen.tag) {
            (Some(name), Some(tag)) => format!("{name}:{tag}"),
            (Some(name), None) => name.clone(),
            (None, _) => "?".to_owned(),
        };
        let kind = if seen.chart { "chart " } else { "" };
        text.push_str(&format!("  {}\n", plain(&format!("{kind}{name}"))));
        let verdict = verdict(&seen.verdict);
        text.push_str(&format!(
            "      {}; {}\n",
            plain(&place(seen)),
            plain(&verdict)
        ));
    }
    let effective = coverage
        .get(Verdict::Effective.word())
        .copied()
        .unwrap_or(0);
    text.push_str(&format!(
        "\n{all} images and charts; an upgrade would be written and run for {effective} of them.\n"
    ));
    for (word, count) in coverage {
        if *word != Verdict::Effective.word() {
            text.push_str(&format!("  {count:>4}  {}\n", meaning(word)));
        }
    }
    if !problems.is_empty() {
        text.push_str("\nNot readable, so not taken into account:\n");
    }
    for problem in problems {
        text.push_str(&format!("  {problem}\n"));
    }
    text
}

/// Where it is named, and where its tag is written if that is elsewhere.
fn place(seen: &Seen) -> String {
    let named = format!("{}:{}", seen.path, seen.line);
    match &seen.written {
        Some((path, line)) if (path, line) != (&seen.path, &seen.line) => {
            format!("{named}, its tag at {path}:{line}")
        }
        _ => named,
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ignored(by) => format!("ignored: {by}"),
        Verdict::Unresolvable(expression) => format!("unresolvable: {expression}"),
        other => other.word().replace('_', " "),
    }
}

fn meaning(word: &str) -> &str {
    match word {
        "needs_digest" => "pinned by a digest as well: the new digest must come with the new tag",
        "ignored" => "ignored by lifecycle.ignore_changes: an edit would change nothing",
        "no_tag" => "without a tag: pin one to have it upgraded",
        "floating" => "with a tag that moves by itself: pin a version to have it upgraded",
        "unordered" => "at a commit: nothing tells which of two is newer",
        "digest_only" => "pinned by a digest alone: add a tag to have it upgraded",
        "unresolvable" => "from an expression that cannot be followed",
        "outside_stacks" => "run by nothing in the stacks folder",
        other => other,
    }
}

fn to_json(seen: &Seen) -> json::Seen {
    json::Seen {
        service: seen.service.clone(),
        chart: seen.chart,
        name: seen.repository.clone(),
        tag: seen.tag.clone(),
        path: seen.path.clone(),
        line: seen.line,
        address: seen.address.clone(),
        written_path: seen.written.as_ref().map(|(path, _)| path.clone()),
        written_line: seen.written.as_ref().map(|(_, line)| *line),
        owner: json::Owner::new(&seen.owner),
        verdict: seen.verdict.word(),
        why: match &seen.verdict {
            Verdict::Ignored(why) | Verdict::Unresolvable(why) => Some(why.clone()),
            _ => None,
        },
    }
}
