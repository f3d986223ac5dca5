use super::builders::plan;
use crate::Policy;

#[test]
fn a_charts_versions_are_told_with_what_they_bring() {
    let mut plan = plan(2, false, Policy::default());
    assert_eq!(plan.app_of("2"), "2");
    assert_eq!(plan.way(&plan.from, plan.to(), "->"), "0 -> 2");
    plan.from_app = Some("v7.0".to_owned());
    for step in &mut plan.steps {
        step.app = Some(format!("v7.{}", step.to));
    }
    let apps = ["0", "1", "2", "9"].map(|version| plan.app_of(version));
    assert_eq!(apps, ["v7.0", "v7.1", "v7.2", "9"]);
    assert_eq!(
        plan.way(&plan.from, plan.to(), "->"),
        "chart 0 -> 2, app v7.0 -> v7.2"
    );
}
