//! Image tags against the app versions that Helm charts name.
//!
//! A chart says `1.2.3` or `v1.2.3`, and its image's tag may say more: `1.2.3-apache`,
//! `1.2.3-debian-12-r3`.

use std::cmp::Ordering;

use crate::grammar::{Kind, Numeric};
use crate::order::same_version;
use crate::prerelease;
use crate::tag::Tag;

/// Whether the tag says this app version: but for `v`, and for a flavour and revisions that only
/// the image has.
///
/// A tag with fewer numbers, such as `1.2`, says no `1.2.3`: what it means moves.
#[must_use]
pub fn says_app(tag: &str, app: &str) -> bool {
    if same_version(tag, app) {
        return true;
    }
    let (tag, app) = (Tag::parse(tag), Tag::parse(app));
    let (Kind::Numeric(tag), Kind::Numeric(app)) = (&tag.kind, &app.kind) else {
        return false;
    };
    let plain = app.flavour.is_empty() && app.revisions.is_empty();
    let rebuilt = app.security.is_none() || app.security == tag.security;
    plain && rebuilt && same_numbers(tag, app)
}

fn same_numbers(a: &Numeric, b: &Numeric) -> bool {
    a.shape == b.shape && a.parts == b.parts && a.prerelease == b.prerelease
}

/// The order of two app versions, or of a tag and one, by their numbers alone; none if one of them
/// is no version, or if they are prereleases of one version that nothing orders.
#[must_use]
pub fn compare_apps(a: &str, b: &str) -> Option<Ordering> {
    if same_version(a, b) {
        return Some(Ordering::Equal);
    }
    let (a, b) = (Tag::parse(a), Tag::parse(b));
    let (Kind::Numeric(a), Kind::Numeric(b)) = (&a.kind, &b.kind) else {
        return None;
    };
    match a.parts.cmp(&b.parts) {
        Ordering::Equal => prerelease::compare(&a.prerelease, &b.prerelease),
        order => Some(order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_its_app_version_whatever_the_image_adds() {
        for (tag, app, expected) in [
            ("2026.2.3", "2026.2.3", true),
            ("v3.6.2", "3.6.2", true),
            ("3.6.2", "v3.6.2", true),
            ("31.0.6-apache", "31.0.6", true),
            ("31.0.6-fpm-alpine", "31.0.6", true),
            ("7.4.2-debian-12-r3", "7.4.2", true),
            ("9.2.0-2.2.3", "9.2.0-2.2.3", true),
            ("11.3.0-security-01", "11.3.0", true),
            ("17.6.1-ce.0", "17.6.1", true),
            ("11.3.0-security-01", "v11.3.0+security-01", true),
            ("11.3.0-security-01-ubuntu", "11.3.0-security-01", true),
            ("11.3.0-security-02", "11.3.0-security-01", false),
            ("11.3.0", "11.3.0-security-01", false),
            ("31.0.6", "31.0.6-apache", false),
            ("31.0", "31.0.6", false),
            ("31.0.6-rc1", "31.0.6", false),
            ("31.0.6", "31.0.6-rc1", false),
            ("2026.2.3", "2026.2.2", false),
            ("latest", "1.0", false),
            ("main", "main", true),
        ] {
            assert_eq!(says_app(tag, app), expected, "{tag} and {app}");
        }
    }

    #[test]
    fn app_versions_are_put_in_order_by_their_numbers() {
        for (a, b, expected) in [
            ("v3.6.2", "3.6.10", Some(Ordering::Less)),
            ("31.0.6-apache", "31.0.5", Some(Ordering::Greater)),
            ("1.0.0-rc1", "1.0.0", Some(Ordering::Less)),
            ("v1.0.0", "1.0.0", Some(Ordering::Equal)),
            ("1.0.0b1", "1.0.0.dev1", Some(Ordering::Greater)),
            ("1.0.0-next.1", "1.0.0-rc.1", None),
            ("latest", "1.0.0", None),
        ] {
            assert_eq!(compare_apps(a, b), expected, "{a} and {b}");
        }
    }
}
