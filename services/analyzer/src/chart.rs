//! Which chart version brings an app version, and which ones lie on the way. Pure.

use std::cmp::Ordering;

use job::SkipReason;
use semver::Version;

/// One version of a chart, as its repository lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartVersion {
    /// The chart's own version.
    pub version: String,
    /// The version of what it deploys; some charts say none.
    pub app: Option<String>,
    /// Its makers want nobody to use it any more.
    pub deprecated: bool,
}

/// A chart version with the app version that it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The chart's version.
    pub version: String,
    /// The app's.
    pub app: String,
}

/// What is asked of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// The tag of its image, from a webhook.
    App(&'a str),
    /// A version of the chart itself, from a person.
    Version(&'a str),
}

/// From the chart version that is written to the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The app version that goes with what is written.
    pub from_app: String,
    /// One stop for each app version in between, oldest first.
    pub between: Vec<Stop>,
    /// Where it leads.
    pub to: Stop,
}

/// A chart's way, and the image that tells which of its app versions runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploys {
    /// The image without its tag.
    pub image: String,
    /// The way.
    pub route: Route,
}

impl Route {
    /// The app version that the chart's version brings, if it lies on the way.
    #[must_use]
    pub fn app_at(&self, version: &str) -> Option<&str> {
        let mut stops = self.between.iter().chain([&self.to]);
        let stop = stops.find(|stop| stop.version == version);
        stop.map(|stop| stop.app.as_str())
    }

    /// How far the app goes.
    #[must_use]
    pub fn jump(&self) -> Option<version::Jump> {
        let tag = |app: &str| version::Tag::parse(app.strip_prefix('v').unwrap_or(app));
        version::upgrade(&tag(&self.from_app), &tag(&self.to.app)).ok()
    }
}

/// A listed version that may be gone to.
struct Candidate<'a> {
    order: Version,
    version: &'a str,
    app: &'a str,
}

/// Chooses the lowest chart version, newer than the one that is written, that brings the app
/// version; or the very version that a person names.
///
/// Prereleases of the chart count only if one is written; deprecated versions never do.
///
/// # Errors
/// The reason why nothing is done.
pub fn route(
    chart: &str,
    all: &[ChartVersion],
    written: &str,
    asked: Asked<'_>,
) -> Result<Route, SkipReason> {
    let refused = |why: String| Err(SkipReason::Refused(why));
    let Some(from) = parse(written) else {
        return refused(format!(
            "the version of chart {chart} is written as {written:?}, which names no single version; \
             write one to have it upgraded"
        ));
    };
    let listed = all
        .iter()
        .filter_map(|one| Some((parse(&one.version)?, one)));
    let mut same = listed.clone().filter(|(version, _)| is(version, &from));
    let Some((_, now)) = same.next() else {
        return refused(format!(
            "version {written} of chart {chart} is not in its repository any more, so nothing tells \
             which app version it brings; upgrade it by hand to one that is"
        ));
    };
    let Some(from_app) = &now.app else {
        return refused(format!(
            "version {written} of chart {chart} names no app version, so nothing would tell whether \
             it is live; upgrade it by hand"
        ));
    };
    let mut newer: Vec<Candidate<'_>> = listed
        .filter(|(version, one)| {
            version.cmp_precedence(&from) == Ordering::Greater
                && (version.pre.is_empty() || !from.pre.is_empty())
                && !one.deprecated
        })
        .filter_map(|(order, one)| {
            Some(Candidate {
                order,
                version: &one.version,
                app: one.app.as_deref()?,
            })
        })
        .collect();
    newer.sort_by(|a, b| a.order.cmp_precedence(&b.order));
    let to = match asked {
        Asked::App(tag) => {
            already(chart, written, from_app, tag)?;
            newer.iter().find(|one| version::says_app(tag, one.app))
        }
        Asked::Version(wanted) => {
            let Some(wanted) = parse(wanted) else {
                return refused(format!("{wanted:?} names no version of a chart"));
            };
            if is(&wanted, &from) {
                return Err(SkipReason::AlreadyThere);
            }
            newer.iter().find(|one| is(&one.order, &wanted))
        }
    };
    let Some(to) = to else {
        return refused(none(chart, written, from_app, &newer, asked));
    };
    let mut route = Route {
        from_app: from_app.clone(),
        between: between(&newer, from_app, to),
        to: to.stop(),
    };
    for stop in route.between.iter_mut().chain([&mut route.to]) {
        // Helm takes a version with `v` and without.
        stop.version = version::respelled(&stop.version, written);
    }
    Ok(route)
}

impl Candidate<'_> {
    fn stop(&self) -> Stop {
        Stop {
            version: self.version.to_owned(),
            app: self.app.to_owned(),
        }
    }
}

/// Chart versions are semantic versions, and some wear a `v`.
fn parse(version: &str) -> Option<Version> {
    Version::parse(version.strip_prefix('v').unwrap_or(version)).ok()
}

fn is(a: &Version, b: &Version) -> bool {
    a.cmp_precedence(b) == Ordering::Equal
}

/// Nothing goes back, and nothing goes where it is.
fn already(chart: &str, written: &str, from_app: &str, tag: &str) -> Result<(), SkipReason> {
    if version::says_app(tag, from_app) {
        return Err(SkipReason::AlreadyThere);
    }
    if version::compare_apps(tag, from_app) == Some(Ordering::Less) {
        return Err(SkipReason::Refused(format!(
            "version {written} of chart {chart} brings app version {from_app}, which is newer than \
             {tag}; nothing to do"
        )));
    }
    Ok(())
}

/// The lowest chart version for each app version in between; each newer than the one before.
fn between(newer: &[Candidate<'_>], from_app: &str, to: &Candidate<'_>) -> Vec<Stop> {
    let before = newer
        .iter()
        .filter(|one| one.order.cmp_precedence(&to.order) == Ordering::Less);
    let mut stops: Vec<Stop> = Vec::new();
    for one in before {
        let last = stops.last().map_or(from_app, |stop| stop.app.as_str());
        let forward = version::compare_apps(last, one.app) == Some(Ordering::Less);
        let short = version::compare_apps(one.app, to.app) == Some(Ordering::Less);
        let release = version::Tag::parse(from_app).is_prerelease()
            || !version::Tag::parse(one.app).is_prerelease();
        if forward && short && release {
            stops.push(one.stop());
        }
    }
    stops
}

/// Why no version will do, with the nearest ones.
fn none(
    chart: &str,
    written: &str,
    from_app: &str,
    newer: &[Candidate<'_>],
    asked: Asked<'_>,
) -> String {
    let what = match asked {
        Asked::App(tag) => {
            format!("no version of chart {chart} newer than {written} brings app version {tag}")
        }
        Asked::Version(version) => {
            format!("chart {chart} has no version {version} newer than {written}")
        }
    };
    let against = |one: &Candidate<'_>| match asked {
        Asked::App(tag) => version::compare_apps(one.app, tag),
        Asked::Version(wanted) => parse(wanted).map(|wanted| one.order.cmp_precedence(&wanted)),
    };
    let below = newer.iter().rev();
    let mut below = below.filter(|one| against(one) == Some(Ordering::Less));
    let mut above = newer
        .iter()
        .filter(|one| against(one) == Some(Ordering::Greater));
    let told = |one: &Candidate<'_>| format!("{} (app {})", one.version, one.app);
    let below = below
        .next()
        .map_or_else(|| format!("{written} (app {from_app})"), told);
    match above.next().map(told) {
        Some(above) => format!("{what}; the nearest are {below} and {above}"),
        None => format!("{what}; the nearest is {below}, and nothing newer is listed"),
    }
}

#[cfg(test)]
mod tests;
