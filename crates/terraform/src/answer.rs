//! What is asked and what is answered.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of the stacks: the path part after it is the service. Empty: the whole tree.
    pub stacks: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stacks: "stacks".to_owned(),
        }
    }
}

/// The new version of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A container image.
    Image {
        /// Its normalised repository, for example `docker.io/vaultwarden/server`.
        repository: String,
        /// The tag to move to.
        tag: String,
        /// Its digest, for sites that are pinned by one as well.
        digest: Option<String>,
    },
    /// A Helm chart.
    Chart {
        /// The chart's name as `chart` says it, or the last part of an `oci://` address.
        name: String,
        /// The chart version to move to.
        version: String,
    },
}

impl Wanted {
    /// The tag or chart version to move to.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Image { tag, .. } => tag,
            Self::Chart { version, .. } => version,
        }
    }
}

/// Everything the tree says about a [`Wanted`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// What to edit, in the order of path and position.
    pub sites: Vec<Site>,
    /// References to the same thing that are not to be edited, and why.
    pub refused: Vec<RefusedSite>,
    /// Files that could not be read, with the position: what they hold is not known.
    pub problems: Vec<String>,
}

/// One place that holds a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The file.
    pub path: String,
    /// The place by name, free of line numbers: `variable.immich_version.default` or
    /// `kubernetes_deployment.x.spec.template.spec.container[web].image`.
    pub address: String,
    /// The line, from 1.
    pub line: usize,
    /// The bytes of exactly the tag or version, inside the quotes.
    pub span: Range<usize>,
    /// What is written there.
    pub before: String,
    /// What is to be written there.
    pub after: String,
    /// The whole tag or version that is in use, of which [`before`](Self::before) may be a part.
    pub tag: String,
    /// What stands around the bytes of this site in the whole tag, and so in every other.
    pub around: Option<(String, String)>,
    /// The path part after the stacks folder.
    pub service: String,
    /// The normalised images that move with this site.
    pub images: Vec<String>,
    /// The resources whose references lead here.
    pub owner: Vec<Owner>,
}

impl Site {
    /// What is to be written here for this tag or version; none if it cannot be, because it does
    /// not fit what stands around, or because a digest goes with it.
    #[must_use]
    pub fn text_for(&self, tag: &str) -> Option<String> {
        let (before, behind) = self.around.as_ref()?;
        let text = tag
            .strip_prefix(before.as_str())?
            .strip_suffix(behind.as_str())?;
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The resource that owns a reference, resolved without running Terraform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `CronJob`, `Job`, `Pod`, `HelmRelease`, or the
    /// Terraform resource type where it is none of these.
    pub kind: String,
    /// The object's name.
    pub name: Option<String>,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The workload's `match_labels`.
    pub match_labels: BTreeMap<String, String>,
    /// The container.
    pub container: Option<String>,
    /// Whether it is an init container.
    pub init: bool,
    /// The repository as it is written; for a Helm release its chart.
    pub image_repository: String,
    /// `replicas`, where it is a plain number.
    pub replicas: Option<u32>,
    /// The hosts of ingresses that lead to the workload.
    pub ingress_hosts: Vec<String>,
    /// The container's memory limit.
    pub memory_limit: Option<String>,
    /// Whether the container has a readiness probe, where its definition is known.
    pub readiness_probe: Option<bool>,
    /// The workload's update strategy, where it is written.
    pub strategy: Option<String>,
    /// The chart repository of a Helm release, where it is written.
    pub chart_repository: Option<String>,
    /// Whether a Helm release undoes itself when it fails.
    pub atomic: Option<bool>,
    /// How long Helm waits, in seconds.
    pub timeout_seconds: Option<u32>,
}

/// A reference that is not edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSite {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The reference by name.
    pub address: String,
    /// The tag or version there, where it is known.
    pub current: Option<String>,
    /// The service that runs it.
    pub service: Option<String>,
    /// Why not.
    pub reason: Refused,
}

/// Why a reference is not edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It has neither tag nor digest.
    NoTag,
    /// Its tag moves by itself (`latest`, `stable`).
    Floating,
    /// It has a digest and no tag.
    DigestOnly,
    /// It has a tag and a digest: both would have to move.
    DigestPinned,
    /// The new tag is of another style; the text says how.
    Style(String),
    /// The new tag is not newer; the text says why.
    NotNewer(String),
    /// It holds the new tag already.
    AlreadyAt,
    /// The same image stands in this stack at a newer tag, which the new one continues.
    OtherLine {
        /// The newer tag.
        moved: String,
    },
    /// `lifecycle.ignore_changes` makes the edit a no-op.
    IgnoredByLifecycle {
        /// The entry of `ignore_changes`.
        by: String,
    },
    /// The tag comes from something that cannot be followed.
    Unresolvable {
        /// The expression.
        expression: String,
    },
    /// It is named in a place that declares nothing: a script, a document, a value of the
    /// environment.
    NotDeclarative,
    /// It is outside the stacks folder.
    OutsideStacks,
    /// What is wanted is no tag that could be written.
    BadTarget,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTag => f.write_str(
                "it names no tag, so whatever is newest runs already; pin a tag to have it upgraded",
            ),
            Self::Floating => f.write_str(
                "its tag moves by itself; pin a version instead of it to have it upgraded",
            ),
            Self::DigestOnly => {
                f.write_str("it is pinned by digest only; add a tag to have it upgraded")
            }
            Self::DigestPinned => f.write_str(
                "it is pinned by a digest besides its tag, and a new tag with the old digest would \
                 still run the old image; remove the digest or upgrade it by hand",
            ),
            Self::Style(why) => {
                write!(f, "the new tag is of another style ({why}); if it is meant, edit it by hand")
            }
            Self::NotNewer(why) => {
                write!(f, "the new tag is not newer ({why}); nothing to do")
            }
            Self::AlreadyAt => f.write_str("it is there already; nothing to do"),
            Self::OtherLine { moved } => write!(
                f,
                "the same stack runs this image at {moved} as well, which the new tag continues; \
                 if this one should follow, edit it by hand"
            ),
            Self::IgnoredByLifecycle { by } => write!(
                f,
                "lifecycle.ignore_changes has `{by}`, so the edit would change nothing that runs; \
                 remove that entry to have it upgraded"
            ),
            Self::Unresolvable { expression } => write!(
                f,
                "its tag comes from `{expression}`, which cannot be followed; write the version as \
                 a literal, or as a variable or local that holds one"
            ),
            Self::NotDeclarative => f.write_str(
                "it is only mentioned there, not declared as something that runs; edit it by hand",
            ),
            Self::OutsideStacks => f.write_str(
                "it is outside the stacks folder, so it belongs to no service; edit it by hand",
            ),
            Self::BadTarget => f.write_str(
                "the wanted version is no tag: only letters, digits, `.`, `_`, `-` and `+` may \
                 stand in one; check the request",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_and_what_to_do() {
        let refused = Refused::IgnoredByLifecycle { by: "spec".into() };
        assert_eq!(
            refused.to_string(),
            "lifecycle.ignore_changes has `spec`, so the edit would change nothing that runs; \
             remove that entry to have it upgraded"
        );
    }
}
