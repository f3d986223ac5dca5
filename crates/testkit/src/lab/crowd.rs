//! As many services as somebody wants, all alike, beside those of the sample tree.

use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::apply::{Tree, Wanted};
use crate::github::GitHub;
use crate::kubernetes::{Cluster, Kind, Workload};
use crate::registry::Registry;

/// What all of them run at first.
const FIRST: &str = "1.0.0";
/// `1.1.0` and so on are published beside it, so many of them.
const LATER: usize = 12;
const FOLDER: &str = "stacks/crowd-";

/// A service of the crowd, by its number.
pub(super) fn service(number: usize) -> String {
    format!("crowd-{number:03}")
}

/// Its image, without tag.
pub(super) fn image(number: usize) -> String {
    format!("ghcr.io/crowd/app-{number:03}")
}

/// A copy of a tree with a folder for each of the crowd.
pub(super) fn tree_with(sample: &Path, count: usize) -> anyhow::Result<TempDir> {
    let tree = TempDir::with_prefix("bowline-crowd-")?;
    copy(sample, tree.path())?;
    for number in 0..count {
        let folder = tree.path().join("stacks").join(service(number));
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("main.tf"), stack(number))?;
    }
    Ok(tree)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("a folder's entry has a name")?);
        if path.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn stack(number: usize) -> String {
    let (service, image) = (service(number), image(number));
    format!(
        r#"resource "kubernetes_deployment" "app" {{
  metadata {{
    name      = "app"
    namespace = "{service}"
  }}
  spec {{
    replicas = 1
    selector {{
      match_labels = {{
        app = "{service}"
      }}
    }}
    template {{
      metadata {{
        labels = {{
          app = "{service}"
        }}
      }}
      spec {{
        container {{
          name  = "app"
          image = "{image}:{FIRST}"
        }}
      }}
    }}
  }}
}}
"#
    )
}

/// Puts the workloads of the crowd into the cluster.
pub(super) fn add_to(cluster: &Cluster, count: usize) {
    for number in 0..count {
        let service = service(number);
        let workload = Workload::new(Kind::Deployment, &service, "app")
            .label("app", &service)
            .container("app", &format!("{}:{FIRST}", image(number)));
        cluster.add(workload);
    }
}

/// Publishes the releases of the crowd, and their images.
pub(super) fn publish(github: &GitHub, registry: &Registry, count: usize) {
    for number in 0..count {
        let repository = format!("crowd/app-{number:03}");
        for minor in 0..=LATER {
            let version = format!("1.{minor}.0");
            github.add_release(&repository, &version, "* fix: a rare crash at the start");
            registry.push_image(&repository, &version);
        }
    }
}

/// What applying the tree makes of the crowd.
pub(super) fn wanted(tree: &Tree) -> Vec<Wanted> {
    let files = tree.iter().filter(|(path, _)| path.starts_with(FOLDER));
    files
        .filter_map(|(path, bytes)| {
            let service = path.strip_prefix("stacks/")?.split('/').next()?;
            let text = String::from_utf8_lossy(bytes);
            let (_, rest) = text.split_once("image = \"")?;
            let (image, _) = rest.split_once('"')?;
            Some((
                service.to_owned(),
                "app".to_owned(),
                "app".to_owned(),
                image.to_owned(),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_wanted_to_run_what_the_tree_says() {
        let tree = (0..2)
            .map(|number| {
                let path = format!("stacks/{}/main.tf", service(number));
                (path, stack(number).into_bytes())
            })
            .collect();
        let wanted = wanted(&tree);
        let images: Vec<&str> = wanted
            .iter()
            .map(|(_, _, _, image)| image.as_str())
            .collect();
        assert_eq!(
            images,
            ["ghcr.io/crowd/app-000:1.0.0", "ghcr.io/crowd/app-001:1.0.0"]
        );
        assert_eq!(wanted[1].0, "crowd-001");
    }
}
