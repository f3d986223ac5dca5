//! Which workloads are watched.

use super::*;

fn owner(kind: &str, name: &str, container: &str, init: bool, hosts: &[&str]) -> Owner {
    Owner {
        kind: kind.to_owned(),
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        container: Some(container.to_owned()),
        init,
        image_repository: "acme/app".to_owned(),
        ingress_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..Owner::default()
    }
}

fn site(owner: Vec<Owner>) -> Site {
    Site {
        path: "stacks/x/main.tf".to_owned(),
        address: "a".to_owned(),
        line: 7,
        span: 0..1,
        before: "1.0.0".to_owned(),
        after: "1.1.0".to_owned(),
        tag: "1.0.0".to_owned(),
        around: Some((String::new(), String::new())),
        service: "x".to_owned(),
        images: Vec::new(),
        owner,
    }
}

#[test]
fn an_init_and_a_main_container_are_one_workload() {
    let sites = [
        site(vec![owner(
            "Deployment",
            "synapse",
            "setup",
            true,
            &["m.example.org"],
        )]),
        site(vec![owner(
            "Deployment",
            "synapse",
            "synapse",
            false,
            &["m.example.org"],
        )]),
    ];
    let found = targets(&sites, None, None).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].init_containers, ["setup"]);
    assert_eq!(found[0].containers, ["synapse"]);
    assert_eq!(found[0].http, ["https://m.example.org"]);
}

#[test]
fn one_variable_may_move_several_workloads() {
    let sites = [site(vec![
        owner("Deployment", "server", "server", false, &["p.example.org"]),
        owner("StatefulSet", "worker", "worker", false, &["p.example.org"]),
    ])];
    let found = targets(&sites, None, None).unwrap();
    let told: Vec<(&str, usize)> = found
        .iter()
        .map(|target| (target.name.as_str(), target.http.len()))
        .collect();
    // A shared address is asked once.
    assert_eq!(told, [("server", 1), ("worker", 0)]);
}

#[test]
fn a_configured_address_replaces_the_hosts() {
    let hosts = ["a.example.org", "b.example.org"];
    let sites = [site(vec![owner("DaemonSet", "x", "x", false, &hosts)])];
    let found = targets(&sites, Some("http://x.local/health"), None).unwrap();
    assert_eq!(found[0].http, ["http://x.local/health"]);
}

#[test]
fn what_cannot_be_watched_is_refused_with_its_place() {
    let nameless = Owner {
        namespace: None,
        ..owner("Deployment", "x", "x", false, &[])
    };
    for (owners, expected) in [
        (
            vec![owner("CronJob", "x", "x", false, &[])],
            "stacks/x/main.tf:7 belongs to a CronJob, whose health cannot be watched; upgrade it \
             by hand",
        ),
        (
            vec![nameless],
            "stacks/x/main.tf:7: the name or namespace of its Deployment cannot be read from the \
             files",
        ),
        (
            vec![],
            "no workload owns the sites, so nothing could be verified",
        ),
    ] {
        assert_eq!(
            targets(&[site(owners)], None, None),
            Err(expected.to_owned())
        );
    }
}
