//! The shipped dashboards ask for nothing that Bowline does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What Prometheus itself adds to every series, and to the buckets of a histogram.
const OF_PROMETHEUS: [&str; 3] = ["job", "instance", "le"];
/// Words of the query language that these dashboards use.
const KEYWORDS: [&str; 13] = [
    "sum",
    "max",
    "min",
    "count",
    "by",
    "on",
    "and",
    "rate",
    "increase",
    "time",
    "without",
    "le",
    "histogram_quantile",
];

/// The names of the page, with the series of histograms, and their labels.
fn documented() -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let page = std::fs::read_to_string(page)?;
    let mut found = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _] = cells[..] else {
            anyhow::bail!("{row} has not four cells")
        };
        let labels: BTreeSet<String> = words(labels).map(str::to_owned).collect();
        let name = name.trim_matches('`');
        if kind == "histogram" {
            for series in ["bucket", "count", "sum"] {
                found.insert(format!("{name}_{series}"), labels.clone());
            }
        } else {
            found.insert(name.to_owned(), labels);
        }
    }
    Ok(found)
}

/// Everything that looks like a name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// Without what stands between quotes, and between brackets: values and lengths of time.
fn without_values(query: &str) -> String {
    let unquoted: String = query.split('"').step_by(2).collect();
    let mut parts = unquoted.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.filter_map(|part| part.split_once(']'));
    rest.fold(first, |text, (_, after)| text + after)
}

/// What is wrong with a query; `legend` may show its labels.
fn check(
    query: &str,
    legend: &str,
    known: &BTreeMap<String, BTreeSet<String>>,
) -> anyhow::Result<()> {
    let query = without_values(query);
    let is_metric = |word: &&str| word.starts_with("bowline_") || word.starts_with("process_");
    let (metrics, others): (Vec<&str>, Vec<&str>) = words(&query).partition(is_metric);
    ensure!(!metrics.is_empty(), "`{query}` asks for nothing");
    let mut labels: BTreeSet<&str> = OF_PROMETHEUS.into();
    for metric in metrics {
        let known = known.get(metric);
        let known = known.with_context(|| format!("{metric} is not in docs/metrics.md"))?;
        labels.extend(known.iter().map(String::as_str));
    }
    let others = others.into_iter().filter(|word| !KEYWORDS.contains(word));
    let shown = legend.split("{{").skip(1);
    let shown = shown.filter_map(|part| Some(part.split_once("}}")?.0));
    for label in others.chain(shown) {
        ensure!(labels.contains(label), "`{query}` has no label `{label}`");
    }
    Ok(())
}

#[test]
fn every_query_of_a_dashboard_is_about_documented_metrics() -> anyhow::Result<()> {
    let known = documented()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana");
    let mut uids = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let board: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let name = path.display();
        ensure!(board["schemaVersion"].is_u64(), "{name}: no schemaVersion");
        let uid = board["uid"].as_str().context("no uid")?;
        ensure!(uids.insert(uid.to_owned()), "{name}: the uid is taken");
        let variable = &board["templating"]["list"][0];
        ensure!(variable["type"] == "datasource", "{name}: {variable}");
        let source = format!("${{{}}}", variable["name"].as_str().context("a name")?);
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().context("no panels")? {
            let title = panel["title"].as_str().context("a panel has no title")?;
            ensure!(ids.insert(panel["id"].as_u64()), "{name}: {title}: its id");
            for target in panel["targets"].as_array().context("no targets")? {
                let text = |key: &str| target[key].as_str().unwrap_or_default();
                ensure!(target["datasource"]["uid"] == source, "{name}: {title}");
                check(text("expr"), text("legendFormat"), &known)
                    .with_context(|| format!("{name}: {title}"))?;
            }
        }
    }
    ensure!(uids.len() == 2, "{uids:?}");
    Ok(())
}

#[test]
fn what_is_not_documented_is_seen() -> anyhow::Result<()> {
    let known = documented()?;
    for (query, legend) in [
        ("sum(bowline_surprises_total)", ""),
        ("sum by (colour) (bowline_upgrades)", ""),
        ("bowline_upgrades{colour=\"red\"}", ""),
        ("sum(bowline_upgrades)", "{{colour}}"),
        ("bowline_ci_wait_seconds", ""),
    ] {
        ensure!(check(query, legend, &known).is_err(), "{query}");
    }
    check(
        "rate(bowline_webhooks_total{decision=\"accepted\"}[5m])",
        "{{decision}}",
        &known,
    )
}
