//! `bowline plan --adopt`: what lets Terraform decide about an image again that another updater
//! moves.

use std::process::ExitCode;

use terraform::{Adoption, DirTree, Entry, Index, Options, Wanted};

use crate::failure::{Failure, Outcome};
use crate::json;
use crate::output::{Format, Out, paragraph, plain, write};

/// Shows the diff without the entries of `ignore_changes`.
pub(super) fn run(tree: &DirTree, options: &Options, wanted: &Wanted, out: &Out) -> Outcome {
    let Adoption { edits, entries } = Index::of(tree).adopt(tree, options, wanted);
    let name = match wanted {
        Wanted::Image { repository, .. } => repository,
        Wanted::Chart { name, .. } => name,
    };
    if entries.is_empty() {
        return Err(Failure::refused(format!(
            "refused: no lifecycle.ignore_changes covers {name}, so there is nothing to take over"
        )));
    }
    let diff = terraform::diff(&edits);
    if out.format == Format::Diff {
        write(&diff)?;
    } else {
        out.answer(
            |_| text(name, &entries, &diff),
            || json::Adoption {
                entries: entries.iter().map(to_json).collect(),
                diff: diff.clone(),
            },
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(name: &str, entries: &[Entry], diff: &str) -> String {
    let mut text = format!(
        "Without these entries Terraform decides about {} again:\n",
        plain(name)
    );
    for entry in entries {
        let more = match entry.broad {
            true => "; it covers more than the image, so whatever else differs is put back too",
            false => "",
        };
        text.push_str(&paragraph(
            "  ",
            &format!("{}: {}{more}", plain(&entry.path), plain(&entry.entry)),
        ));
    }
    text.push_str(&format!("\n{diff}\n"));
    text.push_str(&paragraph(
        "",
        "Before this is applied: take the workload away from the other updater, or both will move \
         it; and write the version that runs now into the files, because applying them puts back \
         what they say.",
    ));
    text
}

fn to_json(entry: &Entry) -> json::IgnoredEntry {
    json::IgnoredEntry {
        service: entry.service.clone(),
        path: entry.path.clone(),
        entry: entry.entry.clone(),
        broad: entry.broad,
    }
}
