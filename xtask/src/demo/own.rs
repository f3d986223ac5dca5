//! `cargo xtask demo --repo`: one's own repository in place of the sample tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use terraform::{MemTree, Options as Where, Running, running};
use testkit::apply::Tree;
use testkit::kubernetes::Kind;
use testkit::lab::{Container, Estate, Lab, Options};

use super::keep;
use super::timeline::Timeline;

/// Files that can say what runs.
const READ: [&str; 4] = [".tf", ".tf.json", ".tfvars", ".hcl"];
const HEALTHY_FOR: Duration = Duration::from_secs(5);

pub(super) async fn run(repository: &Path, stacks: &str) -> Result<()> {
    let estate = Estate {
        repository: repository.to_owned(),
        stacks: stacks.to_owned(),
        running: containers,
    };
    let options = Options {
        windows: (HEALTHY_FOR, HEALTHY_FOR, HEALTHY_FOR),
        estate: Some(estate),
        ..Options::default()
    };
    let lab = Lab::start(options).await?;
    let found = look(&lab.files("main")?, stacks);
    print!("{}", report(&found, stacks));
    ensure!(
        found.iter().any(|image| container(image).is_ok()),
        "there is nothing to simulate; name the folder of the stacks with --stacks, or another \
         repository with --repo"
    );
    println!(
        "\nA copy of the committed HEAD is in the stub git host; {} itself is not touched.\n\
         Each image is simulated in a stub cluster, where every image starts and stays healthy; an \
         upgrade is watched for {} s.\nRelease notes are those of a stub without any, so the risk \
         is UNKNOWN or comes from the version alone.\nWhat the repository's databases need for a \
         backup is not known here: none is made.",
        repository.display(),
        HEALTHY_FOR.as_secs()
    );
    let (image, tag) = example(&found);
    keep::until_interrupted(&lab, &mut Timeline::default(), (&image, &tag)).await
}

/// An image that can be simulated, and a tag that would be newer.
fn example(found: &[Running]) -> (String, String) {
    let simulated = found.iter().filter(|image| container(image).is_ok());
    let mut newer = simulated.filter_map(|image| {
        let tag = newer(image.tag.as_deref()?)?;
        Some((image.repository.clone(), tag))
    });
    newer
        .next()
        .unwrap_or_else(|| ("IMAGE".to_owned(), "TAG".to_owned()))
}

/// The tag with the last number of its version raised by one.
fn newer(tag: &str) -> Option<String> {
    let begins = tag.find(|c: char| c.is_ascii_digit())?;
    let (before, version) = tag.split_at(begins);
    let ends = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (version, after) = version.split_at(ends);
    let (rest, last) = version.rsplit_once('.')?;
    let last: u64 = last.parse().ok()?;
    Some(format!("{before}{rest}.{}{after}", last.checked_add(1)?))
}

/// The images that the files of a tree name.
fn look(tree: &Tree, stacks: &str) -> Vec<Running> {
    let read = tree
        .iter()
        .filter(|(path, _)| READ.iter().any(|end| path.ends_with(end)));
    let tree = MemTree(
        read.map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect(),
    );
    let options = Where {
        stacks: stacks.to_owned(),
    };
    running(&tree, &options)
}

/// Those that can be simulated.
fn containers(tree: &Tree, stacks: &str) -> Vec<Container> {
    let found = look(tree, stacks);
    found
        .iter()
        .filter_map(|image| container(image).ok())
        .collect()
}

/// What is simulated of an image, or why nothing is.
fn container(image: &Running) -> Result<Container, String> {
    let owner = &image.owner;
    let Some(service) = &image.service else {
        return Err("it is outside the stacks folder".to_owned());
    };
    let kind = match owner.kind.as_str() {
        "Deployment" => Kind::Deployment,
        "StatefulSet" => Kind::StatefulSet,
        "DaemonSet" => Kind::DaemonSet,
        other => return Err(format!("it belongs to a {other}")),
    };
    if let Some(entry) = &image.ignored_by {
        return Err(format!("lifecycle.ignore_changes has `{entry}`"));
    }
    let (Some(namespace), Some(workload)) = (&owner.namespace, &owner.name) else {
        return Err("its workload's name or namespace cannot be read".to_owned());
    };
    let Some(name) = &owner.container else {
        return Err("its container's name cannot be read".to_owned());
    };
    let Some(tag) = &image.tag else {
        return Err("it has no tag that can be followed".to_owned());
    };
    Ok(Container {
        service: service.clone(),
        kind,
        namespace: namespace.clone(),
        workload: workload.clone(),
        labels: owner.match_labels.clone(),
        replicas: owner.replicas.unwrap_or(1),
        name: name.clone(),
        init: owner.init,
        image: format!("{}:{tag}", image.repository),
    })
}

/// What was found, one line for each image, by service.
fn report(found: &[Running], stacks: &str) -> String {
    let mut services: BTreeMap<&str, Vec<&Running>> = BTreeMap::new();
    for image in found {
        let service = image.service.as_deref().unwrap_or("(outside)");
        services.entry(service).or_default().push(image);
    }
    let simulated = found
        .iter()
        .filter(|image| container(image).is_ok())
        .count();
    let mut text = format!(
        "\nFound {} images in {} services below {stacks}/; {simulated} are simulated.\n",
        found.len(),
        services.len()
    );
    for (service, images) in services {
        text.push_str(&format!("\n{service}\n"));
        for image in images {
            let tag = image.tag.as_deref().unwrap_or("?");
            text.push_str(&format!(
                "  {}:{tag}  {}:{}\n",
                image.repository, image.path, image.line
            ));
            match container(image) {
                Ok(found) => text.push_str(&format!(
                    "      {} {}/{}, container {}\n",
                    image.owner.kind, found.namespace, found.workload, found.name
                )),
                Err(why) => text.push_str(&format!("      not simulated: {why}\n")),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn workload(kind: &str, image: &str, more: &str) -> String {
        format!(
            r#"resource "{kind}" "web" {{
  metadata {{
    name      = "web"
    namespace = "site"
  }}
  {more}
  spec {{
    selector {{ match_labels = {{ app = "web" }} }}
    template {{
      spec {{
        container {{
          name  = "main"
          image = "{image}"
        }}
      }}
    }}
  }}
}}
"#
        )
    }

    #[test]
    fn an_example_is_a_newer_tag_of_the_same_style() {
        let table = [
            ("1.2.3", Some("1.2.4")),
            ("v2.7.9", Some("v2.7.10")),
            ("4.6.3-r1", Some("4.6.4-r1")),
            ("17-alpine", None),
            ("latest", None),
        ];
        for (tag, expected) in table {
            assert_eq!(newer(tag).as_deref(), expected, "{tag}");
        }
    }

    #[test]
    fn what_can_be_simulated_is_and_the_rest_says_why_not() {
        let ignored =
            "lifecycle { ignore_changes = [spec[0].template[0].spec[0].container[0].image] }";
        let tree = tree(&[
            (
                "stacks/site/main.tf",
                &workload("kubernetes_deployment", "a/b:1.2", ""),
            ),
            (
                "stacks/job/main.tf",
                &workload("kubernetes_job", "a/c:1", ""),
            ),
            (
                "stacks/keel/main.tf",
                &workload("kubernetes_deployment", "a/d:1", ignored),
            ),
            (
                "stacks/var/main.tf",
                &workload("kubernetes_deployment", "a/e:${var.x}", ""),
            ),
            (
                "modules/m/main.tf",
                &workload("kubernetes_deployment", "a/f:1", ""),
            ),
            ("stacks/site/notes.md", "image = \"a/g:1\""),
        ]);
        let simulated = containers(&tree, "stacks");
        let [only] = simulated.as_slice() else {
            unreachable!("{simulated:?}")
        };
        assert_eq!(
            (
                only.service.as_str(),
                only.image.as_str(),
                only.name.as_str()
            ),
            ("site", "a/b:1.2", "main")
        );
        let report = report(&look(&tree, "stacks"), "stacks");
        for words in [
            "Found 5 images in 5 services below stacks/; 1 are simulated.",
            "Deployment site/web, container main",
            "not simulated: it belongs to a Job",
            "not simulated: lifecycle.ignore_changes has",
            "not simulated: it has no tag that can be followed",
            "not simulated: it is outside the stacks folder",
        ] {
            assert!(report.contains(words), "{words} is not in {report}");
        }
    }
}
