//! Which announcements become upgrades. Pure.

use job::Source;
use version::{ImageRef, Tag, matches_pattern};

use crate::body::Announcement;

/// What the configuration lets through.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The statuses of DIUN's native body that pass.
    pub statuses: Vec<String>,
    /// Images that are never upgraded.
    pub skip_images: Vec<String>,
}

/// What passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The normalised image.
    pub image: String,
    /// The tag.
    pub tag: String,
}

impl Filter {
    /// Lets an announcement pass.
    ///
    /// # Errors
    /// The reason for skipping it, as a sentence.
    pub fn judge(&self, announcement: &Announcement) -> Result<Wanted, String> {
        self.status(announcement)?;
        self.image(&announcement.image)
    }

    /// Real DIUN sends a new tag as `new`; the bulk loop says `update` by hand.
    fn status(&self, announcement: &Announcement) -> Result<(), String> {
        let status = announcement.status.as_str();
        if !matches!(status, "new" | "update") {
            return Err(format!(
                "status `{}` announces nothing: only `new` and `update` do",
                status.chars().take(40).collect::<String>()
            ));
        }
        let passes = match announcement.source {
            Source::DiunEntry => status == "update",
            Source::Diun => self.statuses.iter().any(|allowed| allowed == status),
            Source::Person | Source::Bowline => true,
        };
        if passes {
            Ok(())
        } else {
            Err(format!("status `{status}` is not one that upgrades"))
        }
    }

    /// The skip list and the tag.
    ///
    /// # Errors
    /// The reason for skipping it, as a sentence.
    pub fn image(&self, image: &ImageRef) -> Result<Wanted, String> {
        let normalised = image.normalised();
        if let Some(pattern) = self
            .skip_images
            .iter()
            .find(|pattern| matches_pattern(pattern, image))
        {
            return Err(format!("{normalised} is on the skip list (`{pattern}`)"));
        }
        let Some(tag) = &image.tag else {
            return Err(format!(
                "{normalised} has no tag, so there is no version to go to"
            ));
        };
        if Tag::parse(tag).is_floating() {
            return Err(format!("the tag `{tag}` of {normalised} moves by itself"));
        }
        Ok(Wanted {
            image: normalised,
            tag: tag.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: Source, status: &str, image: &str, expected: Result<&str, &str>) {
        let filter = Filter {
            statuses: vec!["new".to_owned(), "update".to_owned()],
            skip_images: ["*postgres*", "*redis*", "registry.k8s.io/*", "acme/*"]
                .map(str::to_owned)
                .to_vec(),
        };
        let announcement = Announcement {
            image: ImageRef::parse(image).expect("an image"),
            status: status.to_owned(),
            source,
            digest: None,
            hub_link: String::new(),
        };
        let judged = filter.judge(&announcement);
        match (judged, expected) {
            (Ok(wanted), Ok(name)) => assert_eq!(format!("{}:{}", wanted.image, wanted.tag), name),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (judged, expected) => assert!(judged.is_err() && expected.is_err(), "{judged:?}"),
        }
    }

    #[test]
    fn a_new_tag_of_real_diun_passes() {
        check(Source::Diun, "new", "a/b:1.2", Ok("docker.io/a/b:1.2"));
        check(Source::Diun, "update", "a/b:1.2", Ok("docker.io/a/b:1.2"));
    }

    #[test]
    fn the_bulk_body_passes_on_update_only() {
        check(
            Source::DiunEntry,
            "update",
            "a/b:1.2",
            Ok("docker.io/a/b:1.2"),
        );
        check(
            Source::DiunEntry,
            "new",
            "a/b:1.2",
            Err("not one that upgrades"),
        );
        check(
            Source::DiunEntry,
            "unchanged",
            "a/b:1.2",
            Err("announces nothing"),
        );
    }

    #[test]
    fn skipped_images_are_named_with_their_pattern() {
        check(
            Source::Diun,
            "new",
            "docker.io/library/postgres:16.1",
            Err("`*postgres*`"),
        );
        check(
            Source::Diun,
            "new",
            "docker.io/acme/app:1.0",
            Err("`acme/*`"),
        );
        check(
            Source::Diun,
            "new",
            "registry.k8s.io/pause:3.9",
            Err("`registry.k8s.io/*`"),
        );
    }

    #[test]
    fn what_names_no_version_is_skipped() {
        check(Source::Diun, "update", "a/b:latest", Err("moves by itself"));
        check(Source::Diun, "update", "a/b", Err("has no tag"));
    }
}
