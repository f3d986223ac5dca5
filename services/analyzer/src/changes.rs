//! Settings that change in the same commit as the version, as the configuration says.

use job::{PlanStep, Site, SkipReason};
use terraform::Change;
use version::Tag;

use crate::sites::Sites;

/// What changes, and with which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Due with the first version that is this one or newer.
    pub to: String,
    /// Only from this version or a newer one on.
    pub from: Option<String>,
    /// What changes.
    pub changes: Vec<Change>,
}

/// Adds to each step what is due with it.
///
/// # Errors
/// What is due cannot be changed: the version alone would leave the service without it.
pub(crate) fn add(due: &[Due], found: &Sites, steps: &mut [PlanStep]) -> Result<(), SkipReason> {
    let images: Vec<String> = found
        .sites
        .iter()
        .flat_map(|site| site.images.clone())
        .collect();
    let mut written: Vec<Site> = Vec::new();
    let mut from = found.from.clone();
    for step in steps {
        for change in due.iter().filter(|due| due.is_due(&from, &step.to)) {
            for change in &change.changes {
                let sites = found
                    .index
                    .configure(&found.options, &found.service, &images, change)
                    .map_err(|why| {
                        SkipReason::Refused(format!(
                            "{why}, and services.{}.changes wants it changed with {}; write it as \
                             a plain block, or change the configuration",
                            found.service, step.to
                        ))
                    })?;
                for site in sites {
                    // An earlier step may have changed it already.
                    let same =
                        |known: &&Site| known.path == site.path && known.address == site.address;
                    let before = written
                        .iter()
                        .rev()
                        .find(same)
                        .map(|known| known.after.clone());
                    let site = Site {
                        path: site.path,
                        address: site.address,
                        before: before.unwrap_or(site.before),
                        after: site.after,
                    };
                    if site.before != site.after {
                        written.push(site.clone());
                        step.sites.push(site);
                    }
                }
            }
        }
        from.clone_from(&step.to);
    }
    Ok(())
}

impl Due {
    fn is_due(&self, from: &str, to: &str) -> bool {
        let begun = self.from.as_ref().is_none_or(|bound| reaches(from, bound));
        begun && reaches(to, &self.to) && !reaches(from, &self.to)
    }
}

/// Whether a version is this one or a newer one; a leading `v` may be missing in one of them.
fn reaches(version: &str, bound: &str) -> bool {
    let plain = |text: &str| text.strip_prefix('v').unwrap_or(text).to_owned();
    let (version, bound) = (plain(version), plain(bound));
    version == bound || version::upgrade(&Tag::parse(&bound), &Tag::parse(&version)).is_ok()
}

#[cfg(test)]
mod tests {
    use terraform::{MemTree, Options, Wanted};

    use super::*;
    use crate::sites;

    const TEXT: &str = r#"resource "kubernetes_deployment" "x" {
  spec {
    template {
      spec {
        container {
          image = "acme/app:1.0.0"
          env {
            name  = "OLD"
            value = "1"
          }
          resources {
            limits = {
              memory = "1Gi"
            }
          }
        }
      }
    }
  }
}
"#;

    fn due(to: &str, from: Option<&str>, change: Change) -> Due {
        Due {
            to: to.to_owned(),
            from: from.map(str::to_owned),
            changes: vec![change],
        }
    }

    fn memory(limit: &str) -> Change {
        Change::RaiseMemory {
            limit: limit.to_owned(),
        }
    }

    fn steps(due: &[Due], versions: &[&str]) -> Result<Vec<Vec<String>>, SkipReason> {
        let tree = MemTree([("stacks/x/main.tf".to_owned(), TEXT.into())].into());
        let wanted = Wanted::Image {
            repository: "acme/app".to_owned(),
            tag: (*versions.last().unwrap()).to_owned(),
            digest: None,
        };
        let found = sites::find(&tree, &Options::default(), &wanted, "", None).unwrap();
        let mut steps: Vec<PlanStep> = versions
            .iter()
            .map(|to| PlanStep {
                to: (*to).to_owned(),
                app: None,
                sites: Vec::new(),
            })
            .collect();
        add(due, &found, &mut steps)?;
        let told = |site: &Site| format!("{} -> {}", site.before, site.after);
        Ok(steps
            .iter()
            .map(|step| step.sites.iter().map(told).collect())
            .collect())
    }

    #[test]
    fn a_change_goes_with_the_step_that_reaches_its_version() {
        let way = ["1.1.0", "1.2.0", "2.0.0"];
        let none: [String; 0] = [];
        let table = [
            (
                due("1.2.0", None, memory("2Gi")),
                [none.to_vec(), vec!["1Gi -> 2Gi".into()], none.to_vec()],
            ),
            (
                due("v1.1.5", None, memory("2Gi")),
                [none.to_vec(), vec!["1Gi -> 2Gi".into()], none.to_vec()],
            ),
            (
                due("1.2.0", Some("1.1.0"), memory("2Gi")),
                [none.to_vec(), vec!["1Gi -> 2Gi".into()], none.to_vec()],
            ),
            (
                due("1.2.0", Some("1.1.1"), memory("2Gi")),
                [none.to_vec(), none.to_vec(), none.to_vec()],
            ),
            (
                due("1.0.0", None, memory("2Gi")),
                [none.to_vec(), none.to_vec(), none.to_vec()],
            ),
            (
                due("3.0.0", None, memory("2Gi")),
                [none.to_vec(), none.to_vec(), none.to_vec()],
            ),
            (
                due("2.0.0", None, memory("1Gi")),
                [none.to_vec(), none.to_vec(), none.to_vec()],
            ),
        ];
        for (due, expected) in table {
            assert_eq!(
                steps(std::slice::from_ref(&due), &way).unwrap(),
                expected,
                "{due:?}"
            );
        }
    }

    #[test]
    fn a_second_change_begins_where_the_first_one_ended() {
        let both = [
            due("1.1.0", None, memory("2Gi")),
            due("2.0.0", None, memory("4Gi")),
        ];
        assert_eq!(
            steps(&both, &["1.1.0", "2.0.0"]).unwrap(),
            [["1Gi -> 2Gi"], ["2Gi -> 4Gi"]]
        );
    }

    #[test]
    fn what_cannot_be_changed_keeps_the_version_from_going_alone() {
        let rename = Change::RenameVariable {
            from: "GONE".to_owned(),
            to: "NEW".to_owned(),
        };
        let Err(SkipReason::Refused(why)) = steps(&[due("2.0.0", None, rename)], &["2.0.0"]) else {
            panic!("it was not refused")
        };
        assert!(
            why.contains("GONE") && why.contains("services.x.changes"),
            "{why}"
        );
    }
}
