//! Laying file, environment and flags over one another, with a memory of what came from where.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{Fault, Faults, PREFIX, Sources, insert};

/// Variables that hold secrets; they are read elsewhere and never become configuration.
const SECRETS: &str = "BOWLINE_SECRET_";

/// Keys outside any section that can be set by a variable without a double underscore. Others are
/// not ours: Kubernetes, for one, sets `BOWLINE_INGEST_SERVICE_HOST` for a service of that name.
const TOP_LEVEL: [&str; 2] = ["instance", "mode"];
/// Whether a variable of the environment is for us.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || STANDARD.iter().any(|(standard, _)| *standard == name)
}

/// All layers in one table.
pub(super) struct Layered {
    pub(super) table: Table,
    file: Option<String>,
    /// What variables and flags have set: key path → who set it, and to which text.
    outside: BTreeMap<Vec<String>, (String, String)>,
}

/// Variables that others have named, and our keys for them. Ours go before.
const STANDARD: [(&str, &str); 4] = [
    ("NATS_URL", "nats.url"),
    ("BOWLINE_NATS_SERVER", "embedded.nats_server"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "telemetry.otlp_protocol"),
];

impl Layered {
    pub(super) fn read(sources: &Sources, faults: &mut Faults) -> Self {
        let table = sources.file.as_deref().map(|file| read_file(file, faults));
        let file = sources.file.as_ref().map(|file| file.display().to_string());
        let mut layered = Self {
            table: table.unwrap_or_default(),
            file,
            outside: BTreeMap::new(),
        };
        let mut environment: Vec<_> = sources.environment.iter().collect();
        environment.sort();
        for (standard, key) in STANDARD {
            let given = environment.iter().find(|(name, _)| name == standard);
            if let Some((name, text)) = given.filter(|(_, text)| !text.is_empty()) {
                let path = key.split('.').map(str::to_owned).collect();
                layered.set(path, name.clone(), text, faults);
            }
        }
        for (name, text) in environment {
            if let Some(path) = path_of_variable(name) {
                layered.set(path, name.clone(), text, faults);
            }
        }
        for (key, text) in &sources.overrides {
            let path = key.split('.').map(str::to_owned).collect();
            layered.set(path, format!("--set {key}"), text, faults);
        }
        layered
    }

    fn set(&mut self, path: Vec<String>, origin: String, text: &str, faults: &mut Faults) {
        if path.iter().any(String::is_empty) {
            faults
                .push(Fault::new(path.join("."), "a part of the key is empty").from(Some(origin)));
        } else if insert(&mut self.table, &path, parse(text)) {
            self.outside.insert(path, (origin, text.to_owned()));
        }
    }

    /// Who set the value at a path.
    pub(super) fn origin(&self, path: &[String]) -> Option<String> {
        let origin = self.outside.get(path).map(|(origin, _)| origin.clone());
        origin.or_else(|| self.file.clone())
    }

    /// Variables and flags carry no type: makes the value at a path a text, if it was given by one
    /// of them and is not yet; false when there is nothing to try.
    pub(super) fn retry_as_text(&mut self, path: &[String]) -> bool {
        let Some((_, text)) = self.outside.get(path) else {
            return false;
        };
        let text = Value::String(text.clone());
        if get(&self.table, path).is_none_or(|value| *value == text) {
            return false;
        }
        insert(&mut self.table, path, text)
    }

    /// Leaves out the value at a path, or what holds it; false when there is none.
    pub(super) fn remove(&mut self, path: &[String]) -> bool {
        let mut path = path;
        while let Some((last, parents)) = path.split_last() {
            if remove_leaf(&mut self.table, parents, last) {
                return true;
            }
            path = parents;
        }
        false
    }
}

fn remove_leaf(root: &mut Table, parents: &[String], last: &str) -> bool {
    if parents.is_empty() {
        return root.remove(last).is_some();
    }
    let Some(Value::Table(table)) = get_mut(root, parents) else {
        return false;
    };
    table.remove(last).is_some()
}

fn read_file(file: &Path, faults: &mut Faults) -> Table {
    let origin = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            faults.add("", format!("failed to read {origin}: {error}"));
            return Table::new();
        }
    };
    text.parse().unwrap_or_else(|error: toml::de::Error| {
        // The error's own text quotes the line, which may hold what nobody should see.
        let start = error.span().map_or(0, |span| span.start);
        let line = text
            .bytes()
            .take(start)
            .filter(|&byte| byte == b'\n')
            .count()
            + 1;
        faults.add(
            "",
            format!("{origin} is not TOML at line {line}: {}", error.message()),
        );
        Table::new()
    })
}

fn path_of_variable(name: &str) -> Option<Vec<String>> {
    if name.starts_with(SECRETS) {
        return None;
    }
    let key = name.strip_prefix(PREFIX)?.to_lowercase();
    let path: Vec<_> = key.split("__").map(str::to_owned).collect();
    let ours = if path.len() == 1 {
        TOP_LEVEL.contains(&key.as_str())
    } else {
        path.iter().all(|part| !part.is_empty())
    };
    ours.then_some(path)
}

/// A TOML value if the text is one, else the text itself.
fn parse(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    let value = parsed
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(first)?, |value, key| value.get(key))
}

fn get_mut<'a>(table: &'a mut Table, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get_mut(first)?, |value, key| value.get_mut(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_underscore_parts_the_levels() {
        let path = path_of_variable("BOWLINE_RATE__MAX_UPGRADES_PER_WINDOW").unwrap();
        assert_eq!(path, ["rate", "max_upgrades_per_window"]);
    }

    #[test]
    fn a_value_is_toml_where_it_can_be() {
        assert_eq!(parse("3"), Value::Integer(3));
        assert_eq!(parse("true"), Value::Boolean(true));
        assert_eq!(parse("[1, 2]"), Value::Array(vec![1.into(), 2.into()]));
        assert_eq!(
            parse("nats://127.0.0.1:4222"),
            Value::String("nats://127.0.0.1:4222".into())
        );
        assert_eq!(parse("1\nother = 2"), Value::String("1\nother = 2".into()));
    }
}
