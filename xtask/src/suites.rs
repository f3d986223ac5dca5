//! Running suites one after the other, and the table that closes the run.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// One thing that can be green or red.
pub(crate) struct Suite {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What it does, given the root of the workspace.
    pub(crate) run: fn(&Path) -> Result<()>,
}

struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs all suites, also after one has failed, prints the table, and fails if one did.
pub(crate) fn run_all(root: &Path, suites: &[Suite]) -> Result<()> {
    let mut outcomes = Vec::new();
    for suite in suites {
        println!("\n==> {}", suite.name);
        let start = Instant::now();
        let failure = (suite.run)(root).err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            eprintln!("error: {failure}");
        }
        let outcome = Outcome {
            name: suite.name,
            took: start.elapsed(),
            failure,
        };
        println!("<== {}", line(&outcome));
        outcomes.push(outcome);
    }
    println!("\n{}", table(&outcomes));
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .map(|o| o.name)
        .collect();
    if !failed.is_empty() {
        bail!(
            "{} of {} suites failed: {}",
            failed.len(),
            outcomes.len(),
            failed.join(", ")
        );
    }
    Ok(())
}

fn table(outcomes: &[Outcome]) -> String {
    let mut lines: Vec<_> = outcomes.iter().map(line).collect();
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    lines.push(format!("{:<12}{:>8.1} s", "total", total.as_secs_f64()));
    lines.join("\n")
}

fn line(outcome: &Outcome) -> String {
    let verdict = if outcome.failure.is_none() {
        "ok"
    } else {
        "FAILED"
    };
    format!(
        "{:<12}{:>8.1} s  {verdict}",
        outcome.name,
        outcome.took.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    fn passes(_root: &Path) -> Result<()> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn fails(_root: &Path) -> Result<()> {
        bail!("as it should")
    }

    #[test]
    fn a_failed_suite_does_not_keep_the_next_from_running() {
        let suites = [
            Suite {
                name: "first",
                run: fails,
            },
            Suite {
                name: "second",
                run: passes,
            },
        ];
        let error = run_all(Path::new("."), &suites).unwrap_err();
        assert_eq!(error.to_string(), "1 of 2 suites failed: first");
        assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_table_shows_time_and_verdict_of_each() {
        let outcomes = [
            Outcome {
                name: "build",
                took: Duration::from_millis(1500),
                failure: None,
            },
            Outcome {
                name: "tests",
                took: Duration::from_secs(2),
                failure: Some("x".into()),
            },
        ];
        let expected = "build            1.5 s  ok\n\
                        tests            2.0 s  FAILED\n\
                        total            3.5 s";
        assert_eq!(table(&outcomes), expected);
    }
}
