//! Every command, killed before its effect, killed after it and before its answer is in the log,
//! and done twice: the end is the same as without.

use std::collections::BTreeMap;
use std::time::Instant;

use bowline_tests::try_in_lab;
use futures::future::join_all;
use job::Command;

use crate::scenarios::{self, Run};

/// What is done to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// Its process dies before the effect.
    Before,
    /// Its process dies after the effect, before the answer is in the log.
    After,
    /// It is carried out twice.
    Twice,
}

impl Column {
    const ALL: [Column; 3] = [Column::Before, Column::After, Column::Twice];
}

/// One of the table's fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell(pub(crate) Command, pub(crate) Column);

impl Cell {
    /// The faults that make it up.
    pub(crate) fn faults(self) -> Vec<String> {
        let Cell(command, column) = self;
        let points: &[&str] = match column {
            Column::Before => &["before"],
            // What these do first leads to no answer yet: a Job is made, a look is taken.
            Column::After
                if matches!(
                    command,
                    Command::FinishBackup
                        | Command::FollowCi
                        | Command::CheckApplied
                        | Command::Watch
                ) =>
            {
                &["carried", "answer"]
            }
            Column::After => &["answer"],
            Column::Twice => &["twice"],
        };
        points
            .iter()
            .map(|point| format!("{command:?}.{point}"))
            .collect()
    }

    /// So many processes die of it.
    pub(crate) fn deaths(self) -> usize {
        if self.1 == Column::Twice {
            0
        } else {
            self.faults().len()
        }
    }
}

/// The fields of a run, as it came out.
type Table = BTreeMap<(String, Column), &'static str>;

#[tokio::test(flavor = "multi_thread")]
async fn every_command_survives_a_kill_before_and_after_it_and_being_done_twice() {
    let (table, errors) = play(&scenarios::runs()).await;
    println!("{}\n{}", draw(&table), errors.join("\n"));
    let all = Command::ALL.iter().all(|command| {
        let field = |column| table.get(&(format!("{command:?}"), column));
        Column::ALL
            .into_iter()
            .all(|column| field(column) == Some(&"ok"))
    });
    assert!(all, "not every field is ok");
}

/// Plays all runs, as many at once as there may be labs.
#[expect(clippy::print_stdout, reason = "it is for whoever reads the table")]
pub(crate) async fn play(runs: &[Run]) -> (Table, Vec<String>) {
    let outcomes = runs.iter().map(async |run| {
        let began = Instant::now();
        let outcome = try_in_lab(run.options(), async |lab| run.go(lab).await).await;
        println!("{:>6.1} s  {}", began.elapsed().as_secs_f32(), run.name);
        outcome
    });
    let (mut table, mut errors) = (Table::new(), Vec::new());
    for (run, outcome) in runs.iter().zip(join_all(outcomes).await) {
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        for Cell(command, column) in run.passes.iter().flat_map(|pass| &pass.cells) {
            let before = table.insert((format!("{command:?}"), *column), word);
            assert!(before.is_none(), "{command:?} {column:?} is there twice");
        }
        errors.extend(
            outcome
                .err()
                .map(|error| format!("the run `{}` failed: {error:#}", run.name)),
        );
    }
    (table, errors)
}

fn draw(table: &Table) -> String {
    let mut text = format!(
        "{:<16}{:<10}{:<10}{:<10}",
        "command", "before", "after", "twice"
    );
    for command in Command::ALL {
        let name = format!("{command:?}");
        text.push_str(&format!("\n{name:<16}"));
        for column in Column::ALL {
            let word = table.get(&(name.clone(), column)).unwrap_or(&"missing");
            text.push_str(&format!("{word:<10}"));
        }
    }
    text
}
