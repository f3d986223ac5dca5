//! The walls between the crates.

use super::graph::Graph;

/// Crates that only compute: no clock, no I/O, no async runtime, nothing of ours but each other.
const PURE: [&str; 4] = ["job", "version", "risk", "terraform"];

/// What a pure crate must not pull in, not even through others.
const IMPURE: [&str; 9] = [
    "tokio",
    "tokio-util",
    "async-std",
    "smol",
    "futures-executor",
    "async-nats",
    "hyper",
    "reqwest",
    "git2",
];

/// A foreign crate, and the only one of ours that may name it.
const WRAPPED: [(&str, &str); 2] = [("async-nats", "bus"), ("git2", "mirror")];

/// Who may build on the test kit outside its own tests.
const MAY_USE_TESTKIT: [&str; 2] = ["xtask", "bowline-tests"];

/// Every breach, as a sentence.
pub(super) fn faults(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, member) in &graph.members {
        for (foreign, owner) in WRAPPED {
            if name != owner && member.direct.contains(foreign) {
                faults.push(format!("{name} depends on {foreign}: only {owner} may"));
            }
        }
        if member.direct.contains("testkit") && !MAY_USE_TESTKIT.contains(&name.as_str()) {
            faults.push(format!(
                "{name} depends on testkit: only tests and the demo may"
            ));
        }
        // The command line may: `bowline up` runs all four, `bowline plan` asks the analyzer.
        if member.folder == "services" || member.folder == "crates" {
            for other in service_dependencies(graph, name) {
                faults.push(format!(
                    "{name} depends on {other}: nobody builds on a service"
                ));
            }
        }
    }
    for pure in PURE {
        faults.extend(impurities(graph, pure));
    }
    faults
}

fn service_dependencies<'a>(graph: &'a Graph, name: &str) -> Vec<&'a String> {
    let Some(member) = graph.members.get(name) else {
        return Vec::new();
    };
    let is_service = |other: &&String| {
        graph
            .members
            .get(*other)
            .is_some_and(|other| other.folder == "services")
    };
    member.direct.iter().filter(is_service).collect()
}

fn impurities(graph: &Graph, pure: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for pulled in graph.pulled_in_by(pure) {
        if IMPURE.contains(&pulled) {
            faults.push(format!("{pure} pulls in {pulled}: it must stay pure"));
        }
        if graph.members.contains_key(pulled) && !PURE.contains(&pulled) {
            faults.push(format!(
                "{pure} depends on {pulled}: it may build only on pure crates"
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &str, &[&str])], expected: &[&str]) {
        assert_eq!(faults(&Graph::of(edges)), expected);
    }

    #[test]
    fn the_intended_shape_has_no_faults() {
        check(
            &[
                ("services", "ingest", &["bus", "job", "runtime"]),
                ("crates", "bus", &["async-nats", "job"]),
                ("crates", "mirror", &["git2"]),
                ("crates", "job", &["version"]),
                ("crates", "version", &["semver"]),
                ("cli", "bowline", &["bus", "ingest", "runtime"]),
                ("tests", "bowline-tests", &["testkit", "ingest"]),
                ("xtask", "xtask", &["testkit"]),
                ("", "async-nats", &["tokio"]),
            ],
            &[],
        );
    }

    #[test]
    fn only_the_wrapper_may_name_the_wrapped() {
        check(
            &[
                ("services", "ingest", &["async-nats"]),
                ("cli", "bowline", &["git2"]),
            ],
            &[
                "bowline depends on git2: only mirror may",
                "ingest depends on async-nats: only bus may",
            ],
        );
    }

    #[test]
    fn services_do_not_know_each_other() {
        check(
            &[
                ("services", "ingest", &["analyzer"]),
                ("services", "analyzer", &[]),
            ],
            &["ingest depends on analyzer: nobody builds on a service"],
        );
    }

    #[test]
    fn a_pure_crate_reaches_no_runtime_through_others() {
        check(
            &[
                ("crates", "job", &["innocent"]),
                ("", "innocent", &["tokio"]),
            ],
            &["job pulls in tokio: it must stay pure"],
        );
    }

    #[test]
    fn a_pure_crate_builds_only_on_pure_ones() {
        check(
            &[("crates", "risk", &["wire"]), ("crates", "wire", &[])],
            &["risk depends on wire: it may build only on pure crates"],
        );
    }

    #[test]
    fn the_test_kit_stays_out_of_the_product() {
        check(
            &[
                ("services", "verifier", &["testkit"]),
                ("crates", "testkit", &[]),
            ],
            &["verifier depends on testkit: only tests and the demo may"],
        );
    }
}
