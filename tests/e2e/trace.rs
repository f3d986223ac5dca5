use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Lab, Options, Protocol, SERVICES};
use testkit::otlp::Span;

use crate::EBOOKS;

/// The spans of the last batch are on their way for a moment.
const ARRIVAL: Duration = Duration::from_secs(30);

/// An upgrade of a service with a database.
const WITH_BACKUP: &str = "webhook (ingest)
  upgrade (ingest)
    admit (ingest) -> appended
    plan (analyzer) -> planned
      git_fetch (analyzer)
      github_releases (analyzer)
      registry_manifest (analyzer)
    take_slots (executor) -> started
      git_fetch (executor)
    begin_backup (executor) -> backing_up
      kubernetes_list_jobs (executor)
    finish_backup (executor) -> waits
      kubernetes_create_job (executor)
      kubernetes_get_job (executor)
      kubernetes_list_jobs (executor)
    finish_backup (executor) -> backed_up
      kubernetes_get_job (executor)
    take_turn (executor) -> ready
    take_baseline (verifier) -> baselined
      http_check (verifier)
      kubernetes_look (verifier)
    build_commit (executor) -> pushing
      git_fetch (executor)
    finish_push (executor) -> pushed
      git_push (executor)
    follow_ci (verifier) -> ci_passed
      ci_look (verifier)
    check_applied (verifier) -> applied
      kubernetes_look (verifier)
    watch (verifier) -> …
      http_check (verifier)
      kubernetes_look (verifier)
    watch (verifier) -> succeeded
      http_check (verifier)
      kubernetes_look (verifier)
    announce (ingest)
      slack_post (ingest)
";

/// An upgrade whose CI is red.
const UNDONE: &str = "webhook (ingest)
  upgrade (ingest)
    admit (ingest) -> appended
    plan (analyzer) -> planned
      git_fetch (analyzer)
      github_releases (analyzer)
      registry_manifest (analyzer)
    take_slots (executor) -> started
      git_fetch (executor)
    take_turn (executor) -> ready
    take_baseline (verifier) -> baselined
      http_check (verifier)
      kubernetes_look (verifier)
    build_commit (executor) -> pushing
      git_fetch (executor)
    finish_push (executor) -> pushed
      git_push (executor)
    follow_ci (verifier) -> rollback_requested
      ci_look (verifier)
      kubernetes_look (verifier)
    build_revert (executor) -> reverting
      git_fetch (executor)
    finish_revert (executor) -> reverted
      git_push (executor)
    follow_ci (verifier) -> ci_passed
      ci_look (verifier)
    check_applied (verifier) -> applied
      kubernetes_look (verifier)
    watch (verifier) -> …
      http_check (verifier)
      kubernetes_look (verifier)
    watch (verifier) -> rolled_back
      http_check (verifier)
      kubernetes_look (verifier)
    announce (ingest)
      slack_post (ingest)
";

fn options(protocol: Protocol) -> Options {
    Options {
        telemetry: Some(protocol),
        ..Options::default()
    }
}

/// The whole trace of an upgrade, once its end and the announcements of it have arrived.
async fn trace_of(lab: &Lab, id: &str, announcements: usize) -> anyhow::Result<Vec<Span>> {
    let of_upgrade = |span: &Span| span.attributes.get("upgrade.id").is_some_and(|of| of == id);
    let has_arrived = || {
        let spans = lab.otlp.spans();
        let ours = spans.iter().filter(|span| of_upgrade(span));
        let ours: Vec<&Span> = ours.collect();
        let named = |name: &str| ours.iter().filter(|span| span.name == name).count();
        let over = ours.iter().any(|span| {
            let phase = span.attributes.get("bowline.phase").map(String::as_str);
            matches!(phase, Some("succeeded" | "rolled_back"))
        });
        over && named("upgrade") == 1 && named("announce") == announcements
    };
    lab.until("the trace arrives", has_arrived, ARRIVAL).await?;
    let spans = lab.otlp.spans();
    let traces: BTreeSet<&str> = spans
        .iter()
        .filter(|span| of_upgrade(span))
        .map(|span| span.trace.as_str())
        .collect();
    ensure!(traces.len() == 1, "{id} has the traces {traces:?}");
    let trace = traces.first().context("one")?.to_string();
    let spans = spans.into_iter().filter(|span| span.trace == trace);
    Ok(spans.collect())
}

/// The tree below a span, as text. What happens a varying number of times is told once, and
/// announcements, which run beside everything else, come last.
fn tree(spans: &[Span], parent: &str, depth: usize) -> String {
    let mut children: Vec<&Span> = spans.iter().filter(|span| span.parent == parent).collect();
    children.sort_by_key(|span| (span.name == "announce", span.start));
    let mut texts: Vec<String> = Vec::new();
    for span in children {
        let looked = ["healthy_since", "failing_since", "observed"];
        let outcome = match span.attributes.get("bowline.outcome").map(String::as_str) {
            Some(outcome) if looked.contains(&outcome) => " -> …".to_owned(),
            Some(outcome) => format!(" -> {outcome}"),
            None => String::new(),
        };
        let failed = if span.failed { " FAILED" } else { "" };
        let text = format!(
            "{}{} ({}){outcome}{failed}\n{}",
            "  ".repeat(depth),
            span.name,
            span.service,
            tree(spans, &span.id, depth + 1)
        );
        texts.push(text);
    }
    // Calls of one command run side by side.
    if depth >= 3 {
        texts.sort();
    }
    texts.dedup();
    texts.concat()
}

/// One root, and nobody without a parent; every command names its cause.
fn is_connected(spans: &[Span], root: &str) -> anyhow::Result<()> {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    ensure!(ids.len() == spans.len(), "a span came twice");
    for span in spans {
        ensure!(
            span.parent == root || ids.contains(span.parent.as_str()),
            "the parent of {span:?} is missing"
        );
        ensure!(span.start <= span.end, "{span:?} ends before it begins");
        let caused = span.attributes.contains_key("bowline.looks") && span.name != "admit";
        ensure!(!caused || span.links.len() == 1, "{span:?} has no cause");
    }
    Ok(())
}

fn shows_no_secret(lab: &Lab) -> anyhow::Result<()> {
    for span in lab.otlp.spans() {
        let shown = span
            .attributes
            .values()
            .chain(&span.texts)
            .chain([&span.name]);
        for text in shown {
            for secret in lab.secrets() {
                ensure!(
                    !text.contains(&secret),
                    "{text:?} of {span:?} shows a secret"
                );
            }
        }
    }
    Ok(())
}

/// Every line is an object; every line about an upgrade says which, in which trace.
fn logs_are_json(lab: &Lab, id: &str, trace: &str) -> anyhow::Result<()> {
    for service in SERVICES {
        let text = std::fs::read_to_string(lab.log_path(service))?;
        let mut of_upgrade = 0;
        for line in text.lines() {
            let line: serde_json::Value =
                serde_json::from_str(line).with_context(|| format!("{service} said {line}"))?;
            ensure!(line["service"] == service, "{line}");
            ensure!(
                line["message"].is_string() && line["level"].is_string(),
                "{line}"
            );
            if line["span"].is_string() {
                ensure!(line["trace_id"].is_string(), "{line} has no trace");
            }
            let span = line["span"].as_str().unwrap_or_default();
            if span.starts_with("delivery") {
                ensure!(line["upgrade.id"].is_string(), "{line} has no upgrade");
            }
            if line["upgrade.id"] == id && line["span"].is_string() {
                ensure!(line["trace_id"] == trace, "{line} is not of {trace}");
                of_upgrade += 1;
            }
        }
        ensure!(of_upgrade > 0, "{service} said nothing of {id}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_an_undo_are_one_trace_each_over_all_services() {
    in_lab(options(Protocol::Grpc), async |lab| {
        let good = lab.upgrade("phpipam/phpipam-www", "v1.7.4").await?;
        lab.ended(&good, "Succeeded", LIMIT).await?;
        lab.said(&["phpipam", "starting", &good], LIMIT).await?;
        lab.said(&["phpipam", "done", &good], LIMIT).await?;
        let trace = trace_of(lab, &good, 2).await?;
        is_connected(&trace, "")?;
        assert_eq!(tree(&trace, "", 0), WITH_BACKUP);
        logs_are_json(lab, &good, &trace[0].trace)?;

        lab.applier.red_next();
        let bad = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&bad, "RolledBack", LIMIT).await?;
        for words in ["starting", "rolling back", "rolled back"] {
            lab.said(&["ebooks", words, &bad], LIMIT).await?;
        }
        let trace = trace_of(lab, &bad, 3).await?;
        is_connected(&trace, "")?;
        assert_eq!(tree(&trace, "", 0), UNDONE);

        shows_no_secret(lab)?;
        for headers in lab.otlp.headers() {
            assert_eq!(headers["authorization"], "Bearer otlp-c0de");
            assert_eq!(headers["x-scope-orgid"], "lab");
        }
        metrics_are_as_documented(lab).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_from_outside_outlives_a_killed_executor() {
    in_lab(options(Protocol::Http), async |lab| {
        lab.cluster.job_delay(Duration::from_secs(2));
        let caller = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let traceparent = format!("00-{}-{}-01", caller.0, caller.1);
        let id = lab
            .upgrade_in_trace("phpipam/phpipam-www", "v1.7.4", &traceparent)
            .await?;
        lab.until("the Job is made", || !lab.cluster.jobs().is_empty(), LIMIT)
            .await?;
        let made = || {
            let spans = lab.otlp.spans();
            spans
                .iter()
                .any(|span| span.name == "kubernetes_create_job")
        };
        lab.until("its span has arrived", made, ARRIVAL).await?;
        lab.kill9("executor")?;
        lab.spawn("executor")?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        lab.said(&["phpipam", "starting", &id], LIMIT).await?;
        lab.said(&["phpipam", "done", &id], LIMIT).await?;

        let trace = trace_of(lab, &id, 2).await?;
        assert_eq!(trace[0].trace, caller.0);
        is_connected(&trace, caller.1)?;
        assert_eq!(tree(&trace, caller.1, 0), WITH_BACKUP);
        shows_no_secret(lab)?;
        let exports = lab.otlp.headers();
        assert!(
            exports
                .iter()
                .all(|headers| headers["authorization"] == "Bearer otlp-c0de")
        );
        Ok(())
    })
    .await;
}

/// Name, type and labels of every metric.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Reads a scrape.
fn scraped(text: &str, into: &mut Metrics) -> anyhow::Result<()> {
    ensure!(text.ends_with("# EOF\n"), "the scrape is not whole");
    let mut kind = (String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').context("a type")?;
            kind = (name.to_owned(), of.to_owned());
            let total = if of == "counter" { "_total" } else { "" };
            into.entry(format!("{name}{total}"))
                .or_insert_with(|| (of.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').context("a value")?;
            value.parse::<f64>().with_context(|| line.to_owned())?;
            let (_, labels) = series.split_once('{').unwrap_or((series, "}"));
            let total = if kind.1 == "counter" { "_total" } else { "" };
            let known = into
                .get_mut(&format!("{}{total}", kind.0))
                .context("a name")?;
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter_map(|label| label.split_once('='));
            known.1.extend(
                labels
                    .map(|(name, _)| name.to_owned())
                    .filter(|name| name != "le"),
            );
        }
    }
    Ok(())
}

/// Reads the table of the page.
fn documented() -> anyhow::Result<Metrics> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let page = std::fs::read_to_string(page)?;
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _] = cells[..] else {
            anyhow::bail!("{row} has not four cells")
        };
        let labels = labels
            .split(", ")
            .map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        Ok((name.trim_matches('`').to_owned(), (kind.to_owned(), labels)))
    })
    .collect()
}

async fn metrics_are_as_documented(lab: &Lab) -> anyhow::Result<()> {
    let mut found = Metrics::new();
    for service in SERVICES {
        scraped(&lab.metrics(service).await?, &mut found)?;
    }
    let documented = documented()?;
    let names = |metrics: &Metrics| metrics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&documented), "docs/metrics.md");
    for (name, (kind, labels)) in found {
        let (said, with) = &documented[&name];
        ensure!(*said == kind, "{name} is a {kind}, not a {said}");
        // What has not happened has no series, and so shows no labels.
        ensure!(
            labels == *with || labels.is_empty(),
            "{name} has {labels:?}, not {with:?}"
        );
    }
    let ingest = lab.metrics("ingest").await?;
    for line in [
        "bowline_webhooks_total{decision=\"accepted\"} 2",
        "bowline_nats_connected 1",
        "bowline_upgrades{phase=\"stuck\",risk=\"none\"} 0",
    ] {
        ensure!(ingest.contains(line), "{line} is missing in\n{ingest}");
    }
    let verifier = lab.metrics("verifier").await?;
    for line in [
        "bowline_upgrades_ended_total{end=\"rolled_back\"} 1",
        "bowline_upgrades_ended_total{end=\"succeeded\"} 1",
        "bowline_rollbacks_total{cause=\"ci_failed\"} 1",
        "bowline_ci_wait_seconds_count{of=\"undo\"} 1",
    ] {
        ensure!(verifier.contains(line), "{line} is missing in\n{verifier}");
    }
    let executor = lab.metrics("executor").await?;
    let backup = "bowline_backup_duration_seconds_count 1";
    ensure!(
        executor.contains(backup),
        "{backup} is missing in\n{executor}"
    );
    Ok(())
}
