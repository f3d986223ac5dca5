//! Measured figures as a plain table.

use std::fmt;
use std::time::Duration;

/// Rows of a table, each with a value, its unit, and what it is a ratio of.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<[String; 4]>);

impl Figures {
    /// Adds a figure; `than` says what it is compared with, or is empty.
    pub fn add(&mut self, name: &str, value: f64, unit: &str, than: &str) {
        let digits = if value < 10.0 { 2 } else { 0 };
        self.0.push([
            name.to_owned(),
            format!("{value:.digits$}"),
            unit.to_owned(),
            than.to_owned(),
        ]);
    }

    /// Adds the middle and the slow end of many times, in milliseconds.
    pub fn add_times(&mut self, name: &str, times: &mut [Duration], than: &str) {
        times.sort_unstable();
        for (share, label) in [(50, "p50"), (99, "p99")] {
            let at = (times.len() * share).div_ceil(100).saturating_sub(1);
            if let Some(time) = times.get(at) {
                let name = format!("{name}, {label}");
                self.add(&name, time.as_secs_f64() * 1_000.0, "ms", than);
            }
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (names, values, units) = (width(0), width(1), width(2));
        for [name, value, unit, than] in &self.0 {
            let line = format!("{name:<names$}  {value:>values$} {unit:<units$}  {than}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_stand_below_each_other() {
        let mut figures = Figures::default();
        figures.add("raw", 1234.5, "messages/s", "");
        let mut times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        figures.add_times("a stage", &mut times, "of 100");
        let expected = "raw           1234 messages/s\n\
                        a stage, p50    50 ms          of 100\n\
                        a stage, p99    99 ms          of 100\n";
        assert_eq!(figures.to_string(), expected);
    }
}
