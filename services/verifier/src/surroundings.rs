//! Whether what is wrong with a service is wrong with more than the service.
//!
//! A node that reboots takes good versions down as well. What was ill long before the push is no
//! excuse; what fell ill after it, elsewhere, is.

use job::Target;

use crate::ports::{Surroundings, Unknown};

/// So many untouched Deployments that fell ill are no chance.
const MANY: usize = 3;
/// One in so many of all untouched ones has to be ill.
const SHARE: usize = 4;

/// Why the trouble may not be the upgrade's doing; none if nothing speaks for that, and unknown if
/// what could not be seen might.
///
/// A node counts while it is away, and until `settle_ms` after its return, if that happened after
/// `pushed_ms`. All times are in milliseconds since the Unix epoch.
pub(crate) fn excuse(
    around: &Surroundings,
    targets: &[&Target],
    pushed_ms: i64,
    now_ms: i64,
    settle_ms: i64,
) -> Result<Option<String>, Unknown> {
    // The cluster tells whole seconds.
    let after = |since_ms: i64| since_ms.saturating_add(1000) > pushed_ms;
    let moved = around.nodes.iter().filter(|node| after(node.since_ms));
    for node in moved {
        if !node.ready {
            return Ok(Some(format!("node {} is not ready", node.name)));
        }
        if now_ms.saturating_sub(node.since_ms) < settle_ms {
            return Ok(Some(format!("node {} has just come back", node.name)));
        }
    }
    let ours = |namespace: &str, name: &str| {
        targets.iter().any(|target| {
            target.kind == "Deployment" && target.namespace == namespace && target.name == name
        })
    };
    let others = around
        .deployments
        .iter()
        .filter(|other| !ours(&other.namespace, &other.name));
    let all = others.clone().count();
    let ill = others
        .filter(|other| !other.available && after(other.since_ms))
        .count();
    if ill >= MANY && ill.saturating_mul(SHARE) >= all {
        return Ok(Some(format!(
            "{ill} of {all} other Deployments have fallen ill as well"
        )));
    }
    around.unknown.clone().map_or(Ok(None), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Node, Other};
    use crate::sample;

    fn check(nodes: &[(bool, i64)], others: &[(&str, bool, i64)], expected: Option<&str>) {
        for unknown in [None, Some(Unknown("away".to_owned()))] {
            let found = found(nodes, others, unknown.as_ref());
            // What is seen is an excuse, whatever is not seen.
            let expected = match (expected, unknown) {
                (None, Some(unknown)) => Err(unknown),
                (expected, _) => Ok(expected.map(str::to_owned)),
            };
            assert_eq!(found, expected, "{nodes:?} {others:?}");
        }
    }

    fn found(
        nodes: &[(bool, i64)],
        others: &[(&str, bool, i64)],
        unknown: Option<&Unknown>,
    ) -> Result<Option<String>, Unknown> {
        let node = |(ready, since_ms): &(bool, i64)| Node {
            name: "n1".to_owned(),
            ready: *ready,
            since_ms: *since_ms * 1000,
        };
        let other = |(name, available, since_ms): &(&str, bool, i64)| Other {
            namespace: "web".to_owned(),
            name: (*name).to_owned(),
            available: *available,
            since_ms: *since_ms * 1000,
        };
        let around = Surroundings {
            nodes: nodes.iter().map(node).collect(),
            deployments: others.iter().map(other).collect(),
            unknown: unknown.cloned(),
        };
        let target = sample::target();
        let targets = [&target];
        // Pushed at 100 s, now 1000 s, settle 200 s.
        excuse(&around, &targets, 100_500, 1_000_000, 200_000)
    }

    #[test]
    fn a_node_that_went_or_came_back_after_the_push_is_an_excuse() {
        check(&[], &[], None);
        check(&[(true, 50)], &[], None);
        check(&[(false, 500)], &[], Some("node n1 is not ready"));
        check(
            &[(true, 50), (false, 100)],
            &[],
            Some("node n1 is not ready"),
        );
        // It was away before the push, and stays away.
        check(&[(false, 99)], &[], None);
        check(&[(true, 801)], &[], Some("node n1 has just come back"));
        check(&[(true, 800)], &[], None);
    }

    #[test]
    fn many_others_that_fell_ill_after_the_push_are_an_excuse() {
        let (a, b, c) = (("a", false, 500), ("b", false, 500), ("c", false, 500));
        let well = ("w", true, 50);
        check(
            &[],
            &[a, b, c],
            Some("3 of 3 other Deployments have fallen ill as well"),
        );
        check(&[], &[a, b, well], None);
        // The targets themselves do not count, nor what was ill before.
        check(&[], &[a, b, ("app", false, 500)], None);
        check(&[], &[a, b, ("old", false, 99)], None);
        let mut many = vec![a, b, c];
        many.extend([well; 9]);
        check(
            &[],
            &many,
            Some("3 of 12 other Deployments have fallen ill as well"),
        );
        many.push(well);
        check(&[], &many, None);
    }
}
