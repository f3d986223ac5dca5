//! The upgrade of a chart: from the releases of the tree and the chart's versions to the plan.

use std::collections::{BTreeMap, BTreeSet};

use bus::History;
use job::{Body, SkipReason};
use runtime::catalogue::{self, Chart, Source};
use terraform::{Refused, Tree, Wanted};

use crate::chart::{self, Asked, Deploys, Route};
use crate::notes::{self, Way};
use crate::planning::{self, Rules};
use crate::ports::PortError;
use crate::sites::{Mentions, Sites};
use crate::work::{Analyzer, entry};

/// Newer than whatever is written, in the two ways to write it.
const PROBES: [&str; 2] = ["999999.0.0", "v999999.0.0"];

/// A chart, and the image that tells which app version runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where the chart is, if no release says it.
    repository: String,
    /// A person says so, whatever the releases say: a mirror, perhaps.
    own: bool,
    /// The chart's name.
    name: String,
    /// The image without its tag.
    image: String,
}

/// The chart that deploys an image: the configuration's word first.
pub(crate) fn of_image(rules: &Rules, image: &str) -> Option<Known> {
    let normalised = version::normalise(image);
    match rules.charts.get(&normalised) {
        Some(text) => Chart::parse(text).map(|chart| known(chart, true, normalised)),
        None => catalogue::chart_of(image).map(|chart| known(chart, false, normalised)),
    }
}

/// The chart of a name, with the image that it deploys.
///
/// # Errors
/// The image is not known.
pub(crate) fn named(rules: &Rules, name: &str) -> Result<Known, SkipReason> {
    let short = name.rsplit('/').next().unwrap_or_default();
    let own = rules.charts.iter().find_map(|(image, text)| {
        let chart = Chart::parse(text).filter(|chart| chart.name == short)?;
        Some(known(chart, true, image.clone()))
    });
    let built_in = || {
        let image = catalogue::images_of(short).next()?;
        let chart = catalogue::chart_of(image)?;
        Some(known(chart, false, version::normalise(image)))
    };
    own.or_else(built_in).ok_or_else(|| {
        SkipReason::Refused(format!(
            "which image chart {name} deploys is not known, so nothing would tell whether it is \
             live; name the image under [charts]"
        ))
    })
}

fn known(chart: Chart<'_>, own: bool, image: String) -> Known {
    Known {
        repository: chart.repository.to_owned(),
        own,
        name: chart.name.to_owned(),
        image,
    }
}

/// What the tree says of a chart in one service.
#[derive(Debug, Default)]
struct Written {
    /// The versions that are written.
    versions: BTreeSet<String>,
    /// The chart repository that a release names.
    repository: Option<String>,
    /// Where a release names no version.
    without: Option<String>,
}

/// One service's releases of the chart, on their way.
struct Moves {
    found: Sites,
    route: Route,
    repository: String,
}

impl Analyzer {
    /// Plans the upgrade of a chart, or says why not.
    pub(crate) async fn plan_chart(
        &self,
        history: &History,
        head: &str,
        tree: &(dyn Tree + Send + Sync),
        chart: Result<Known, SkipReason>,
    ) -> Result<Body, PortError> {
        let request = &history.state.request;
        let chart = match chart {
            Ok(chart) => chart,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        let (written, searched) = self.written(tree, &chart.name);
        let planned = history.state.plan.as_ref().map(|plan| &plan.service);
        let only = request.service.as_ref().or(planned);
        let mut results = BTreeMap::new();
        for (service, written) in &written {
            if only.is_none_or(|only| only == service) {
                let moves = self.moves(history, tree, &chart, service, written).await?;
                results.insert(service.clone(), moves);
            }
        }
        if only.is_none() {
            let mentioning = results.keys().cloned().collect();
            let moving = results.iter().filter(|(_, moves)| moves.is_ok());
            let moving = moving.map(|(service, _)| service.clone()).collect();
            if let Some(split) = self.split(history, &mentioning, &moving).await? {
                return Ok(split);
            }
        }
        let moves = match one(results, &chart, &searched) {
            Ok(moves) => moves,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        self.plan_moves(history, head, chart, moves).await
    }

    async fn plan_moves(
        &self,
        history: &History,
        head: &str,
        chart: Known,
        moves: Moves,
    ) -> Result<Body, PortError> {
        let request = &history.state.request;
        let Moves {
            found,
            route,
            repository,
        } = moves;
        let judged = |way: &Way| {
            let to = route.to.version.as_str();
            planning::plan(&self.rules, &request.repository, head, &found, to, way)
        };
        let bare = Way {
            chart: Some(Deploys {
                image: chart.image.clone(),
                route: route.clone(),
            }),
            ..Way::default()
        };
        if let Err(reason) = judged(&bare) {
            return Ok(Body::Skipped(reason));
        }
        let source = app_source(&self.rules, &chart.image, &repository);
        let notes = notes::way(
            self.releases.as_ref(),
            &chart.image,
            source.as_ref(),
            &route.from_app,
            &route.to.app,
        );
        let stops = route.between.iter().map(|stop| stop.version.clone());
        let way = Way {
            // The steps are the chart's versions, whatever releases its app has.
            tags: stops.collect(),
            chart: bare.chart,
            ..notes.await?
        };
        let plan = match judged(&way) {
            Ok(plan) => plan,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        if let Some(version) = self.fenced(request, &plan).await? {
            return Ok(Body::Skipped(SkipReason::Fenced(version)));
        }
        Ok(Body::Planned(plan))
    }

    /// What is written of the chart by service, and what was searched.
    fn written(&self, tree: &dyn Tree, name: &str) -> (BTreeMap<String, Written>, String) {
        let mut all: BTreeMap<String, Written> = BTreeMap::new();
        let mut searched = String::new();
        for probe in PROBES {
            let mentions = Mentions::read(tree, &self.options, &wanted(name, probe));
            mentions.searched().clone_into(&mut searched);
            let answer = mentions.answer();
            for site in &answer.sites {
                let written = all.entry(site.service.clone()).or_default();
                written.versions.insert(site.tag.clone());
                let mut owners = site.owner.iter();
                let repository = owners.find_map(|owner| owner.chart_repository.clone());
                written.repository = written.repository.take().or(repository);
            }
            for refused in &answer.refused {
                let Some(service) = &refused.service else {
                    continue;
                };
                let written = all.entry(service.clone()).or_default();
                written.versions.extend(refused.current.clone());
                if refused.reason == Refused::NoTag {
                    written.without = Some(format!("{}:{}", refused.path, refused.line));
                }
            }
        }
        (all, searched)
    }

    /// Where the chart goes in one service.
    async fn moves(
        &self,
        history: &History,
        tree: &(dyn Tree + Send + Sync),
        chart: &Known,
        service: &str,
        written: &Written,
    ) -> Result<Result<Moves, SkipReason>, PortError> {
        let request = &history.state.request;
        let refused = |why: String| Ok(Err(SkipReason::Refused(why)));
        let Some(version) = newest(&written.versions) else {
            return Ok(Err(match &written.without {
                Some(place) => SkipReason::Refused(format!(
                    "the release of chart {} at {place} names no version, so Helm takes whatever is \
                     newest; write one to have it upgraded",
                    chart.name
                )),
                // The engine's own reason says it best.
                None => reason(tree, self, &chart.name, &request.tag, service),
            }));
        };
        let Some(charts) = &self.charts else {
            return refused("no chart repository can be asked here".to_owned());
        };
        let named = written.repository.as_ref().filter(|_| !chart.own);
        let repository = named.unwrap_or(&chart.repository);
        let listed = charts.versions(repository, &chart.name, version).await?;
        let Some(listed) = listed else {
            return refused(format!("{repository} has no chart {}", chart.name));
        };
        let asked = if request.chart {
            Asked::Version(&request.tag)
        } else {
            Asked::App(&request.tag)
        };
        let route = match chart::route(&chart.name, &listed, version, asked) {
            Ok(route) => route,
            Err(reason) => return Ok(Err(reason)),
        };
        let wanted = wanted(&chart.name, &route.to.version);
        let mentions = Mentions::read(tree, &self.options, &wanted);
        let found = mentions.of_service(&request.status, Some(service));
        Ok(found.map(|found| Moves {
            found,
            route,
            repository: repository.clone(),
        }))
    }
}

fn wanted(name: &str, version: &str) -> Wanted {
    Wanted::Chart {
        name: name.to_owned(),
        version: version.to_owned(),
    }
}

/// Why nothing can be moved where no version can be read.
fn reason(
    tree: &dyn Tree,
    analyzer: &Analyzer,
    name: &str,
    tag: &str,
    service: &str,
) -> SkipReason {
    let mentions = Mentions::read(tree, &analyzer.options, &wanted(name, tag));
    match mentions.of_service("", Some(service)) {
        Err(reason) => reason,
        Ok(found) => SkipReason::Refused(format!(
            "the version of chart {name} in {} cannot be read",
            found.service
        )),
    }
}

/// Where a stack has several releases of a chart, the newest one's line goes on.
fn newest(versions: &BTreeSet<String>) -> Option<&String> {
    let newer = |a: &&String, b: &&String| {
        version::compare_apps(a, b).unwrap_or_else(|| a.as_str().cmp(b.as_str()))
    };
    versions.iter().max_by(newer)
}

/// The one service that moves, or why none does.
fn one(
    results: BTreeMap<String, Result<Moves, SkipReason>>,
    chart: &Known,
    searched: &str,
) -> Result<Moves, SkipReason> {
    if results.is_empty() {
        return Err(SkipReason::NotFound(format!(
            "chart {} deploys it, and {searched}",
            chart.name
        )));
    }
    let several = results.len() > 1;
    let mut reasons = Vec::new();
    for (service, result) in results {
        match result {
            Ok(moves) => return Ok(moves),
            Err(reason) => reasons.push((service, reason)),
        }
    }
    if reasons
        .iter()
        .all(|(_, reason)| *reason == SkipReason::AlreadyThere)
    {
        return Err(SkipReason::AlreadyThere);
    }
    reasons.retain(|(_, reason)| *reason != SkipReason::AlreadyThere);
    if !several && let Some((_, reason)) = reasons.pop() {
        return Err(reason);
    }
    let texts: Vec<String> = reasons
        .into_iter()
        .map(|(service, reason)| format!("{service}: {}", job::describe(&Body::Skipped(reason))))
        .collect();
    Err(SkipReason::Refused(texts.join("; ")))
}

/// Where the notes of the app are.
fn app_source<'a>(rules: &'a Rules, image: &str, repository: &'a str) -> Option<Source<'a>> {
    entry(rules, image)
        .or_else(|| catalogue::app_source(image))
        .or_else(|| catalogue::chart(repository))
}
