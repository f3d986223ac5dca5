//! The upgrade of a chart: from the releases of the tree and the chart's versions to the plan.
//!
//! [`Search`] also answers `bowline plan`.

use std::collections::{BTreeMap, BTreeSet};

use bus::History;
use job::{Body, SkipReason};
use runtime::catalogue::{self, Chart, Source};
use terraform::{Options, Refused, Tree, Wanted};

use crate::chart::{self, Asked, Deploys, Route};
use crate::notes::{self, Sources, Way};
use crate::planning::{self, Rules};
use crate::ports::{Charts, PortError};
use crate::sites::{Mentions, Sites};
use crate::work::{Analyzer, entry};

/// Newer than whatever is written, in the two ways to write it.
const PROBES: [&str; 2] = ["999999.0.0", "v999999.0.0"];

/// A chart, and the image that tells which app version runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where the chart is, if no release says it.
    repository: String,
    /// A person says so, whatever the releases say: a mirror, perhaps.
    own: bool,
    /// The chart's name.
    name: String,
    /// The image without its tag.
    image: String,
}

impl Known {
    /// What the chart is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The chart that deploys an image: the configuration's word first.
#[must_use]
pub fn of_image(rules: &Rules, image: &str) -> Option<Known> {
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
pub fn named(rules: &Rules, name: &str) -> Result<Known, SkipReason> {
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

/// One service's releases of a chart, on their way.
#[derive(Debug)]
pub struct Moves {
    /// The places of the chart's version.
    pub found: Sites,
    /// From the chart version that is written to the wanted one.
    pub route: Route,
    chart: String,
    /// The image without its tag that tells which app version runs.
    image: String,
    repository: String,
}

impl Moves {
    /// The way as the chart's repository tells it, without the notes of the app.
    #[must_use]
    pub fn bare(&self) -> Way {
        let stops = self.route.between.iter();
        Way {
            // The steps are the chart's versions, whatever releases its app has.
            tags: stops.map(|stop| stop.version.clone()).collect(),
            chart: Some(Deploys {
                image: self.image.clone(),
                route: self.route.clone(),
            }),
            ..Way::default()
        }
    }

    /// The chart's version as the engine looks for it.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted::Chart {
            name: self.chart.clone(),
            version: self.route.to.version.clone(),
        }
    }

    /// The way with the notes of the app.
    ///
    /// # Errors
    /// The source of the notes is out of reach.
    pub async fn way(&self, rules: &Rules, sources: Sources<'_>) -> Result<Way, PortError> {
        let source = app_source(rules, &self.image, &self.repository);
        let (from, to) = (&self.route.from_app, &self.route.to.app);
        let notes = notes::way(sources, &self.image, source.as_ref(), from, to).await?;
        let bare = self.bare();
        Ok(Way {
            tags: bare.tags,
            chart: bare.chart,
            ..notes
        })
    }
}

/// The releases of a chart in a tree, and what is wanted of them.
pub struct Search<'a> {
    /// What the configuration says.
    pub rules: &'a Rules,
    /// Where the services are in the tree.
    pub options: &'a Options,
    /// The tree.
    pub tree: &'a (dyn Tree + Send + Sync),
    /// Who knows the chart's versions.
    pub charts: Option<&'a dyn Charts>,
    /// The chart.
    pub chart: Known,
    /// The wanted version.
    pub asked: Asked<'a>,
    /// What DIUN called it.
    pub status: &'a str,
}

/// What came of a search, by service.
pub(crate) struct Results {
    moves: BTreeMap<String, Result<Moves, SkipReason>>,
    /// What was searched, for people.
    searched: String,
    chart: String,
}

impl Search<'_> {
    /// Where the chart goes in the one service that has it.
    ///
    /// # Errors
    /// The chart's repository is out of reach. The inner error is the reason why nothing is done.
    pub async fn find(&self) -> Result<Result<Moves, SkipReason>, PortError> {
        let results = self.results(None).await?;
        let moving = results.moving();
        if moving.len() > 1 {
            let services = moving.into_iter().collect();
            return Ok(Err(SkipReason::SeveralServices(services)));
        }
        Ok(results.one())
    }

    /// Where the chart goes, by service.
    pub(crate) async fn results(&self, only: Option<&str>) -> Result<Results, PortError> {
        let (written, searched) = self.written();
        let mut moves = BTreeMap::new();
        for (service, written) in &written {
            if only.is_none_or(|only| only == service) {
                moves.insert(service.clone(), self.moves(service, written).await?);
            }
        }
        Ok(Results {
            moves,
            searched,
            chart: self.chart.name.clone(),
        })
    }

    /// What is written of the chart by service, and what was searched.
    fn written(&self) -> (BTreeMap<String, Written>, String) {
        let mut all: BTreeMap<String, Written> = BTreeMap::new();
        let mut searched = String::new();
        for probe in PROBES {
            let mentions = self.mentions(probe);
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
        service: &str,
        written: &Written,
    ) -> Result<Result<Moves, SkipReason>, PortError> {
        let refused = |why: String| Ok(Err(SkipReason::Refused(why)));
        let chart = &self.chart;
        let Some(version) = newest(&written.versions) else {
            return Ok(Err(match &written.without {
                Some(place) => SkipReason::Refused(format!(
                    "the release of chart {} at {place} names no version, so Helm takes whatever is \
                     newest; write one to have it upgraded",
                    chart.name
                )),
                None => self.reason(service),
            }));
        };
        let Some(charts) = self.charts else {
            return refused("no chart repository can be asked here".to_owned());
        };
        let named = written.repository.as_ref().filter(|_| !chart.own);
        let repository = named.unwrap_or(&chart.repository);
        let listed = charts.versions(repository, &chart.name, version).await?;
        let Some(listed) = listed else {
            return refused(format!("{repository} has no chart {}", chart.name));
        };
        let route = match chart::route(&chart.name, &listed, version, self.asked) {
            Ok(route) => route,
            Err(reason) => return Ok(Err(reason)),
        };
        let mentions = self.mentions(&route.to.version);
        let found = mentions.of_service(self.status, Some(service));
        Ok(found.map(|found| Moves {
            found,
            route,
            chart: chart.name.clone(),
            image: chart.image.clone(),
            repository: repository.clone(),
        }))
    }

    /// Why nothing can be moved where no version can be read: the engine's own reason says it best.
    fn reason(&self, service: &str) -> SkipReason {
        let (Asked::App(tag) | Asked::Version(tag)) = self.asked;
        match self.mentions(tag).of_service("", Some(service)) {
            Err(reason) => reason,
            Ok(found) => SkipReason::Refused(format!(
                "the version of chart {} in {} cannot be read",
                self.chart.name, found.service
            )),
        }
    }

    fn mentions(&self, version: &str) -> Mentions {
        let wanted = Wanted::Chart {
            name: self.chart.name.clone(),
            version: version.to_owned(),
        };
        Mentions::read(self.tree, self.options, &wanted)
    }
}

impl Results {
    /// The services that have the chart.
    pub(crate) fn mentioning(&self) -> BTreeSet<String> {
        self.moves.keys().cloned().collect()
    }

    /// Those in which it can be moved.
    pub(crate) fn moving(&self) -> BTreeSet<String> {
        let moving = self.moves.iter().filter(|(_, moves)| moves.is_ok());
        moving.map(|(service, _)| service.clone()).collect()
    }

    /// The one service that moves, or why none does.
    pub(crate) fn one(self) -> Result<Moves, SkipReason> {
        if self.moves.is_empty() {
            return Err(SkipReason::NotFound(format!(
                "chart {} deploys it, and {}",
                self.chart, self.searched
            )));
        }
        let several = self.moves.len() > 1;
        let mut reasons = Vec::new();
        for (service, result) in self.moves {
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
        let told = |reason: SkipReason| job::describe(&Body::Skipped(reason));
        let texts = reasons.into_iter();
        let texts = texts.map(|(service, reason)| format!("{service}: {}", told(reason)));
        Err(SkipReason::Refused(
            texts.collect::<Vec<String>>().join("; "),
        ))
    }
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
        let search = Search {
            rules: &self.rules,
            options: &self.options,
            tree,
            charts: self.charts.as_deref().map(|charts| charts as &dyn Charts),
            chart,
            asked: if request.chart {
                Asked::Version(&request.tag)
            } else {
                Asked::App(&request.tag)
            },
            status: &request.status,
        };
        let planned = history.state.plan.as_ref().map(|plan| &plan.service);
        let only = request.service.as_ref().or(planned).map(String::as_str);
        let results = search.results(only).await?;
        if only.is_none() {
            let (mentioning, moving) = (results.mentioning(), results.moving());
            if let Some(split) = self.split(history, &mentioning, &moving).await? {
                return Ok(split);
            }
        }
        let moves = match results.one() {
            Ok(moves) => moves,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        let judged = |way: &Way| {
            let to = moves.route.to.version.as_str();
            let repository = &request.repository;
            planning::plan(&self.rules, repository, head, &moves.found, to, way)
        };
        if let Err(reason) = judged(&moves.bare()) {
            return Ok(Body::Skipped(reason));
        }
        let way = moves.way(&self.rules, self.sources()).await?;
        let plan = match judged(&way) {
            Ok(plan) => plan,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        if let Some(version) = self.fenced(request, &plan).await? {
            return Ok(Body::Skipped(SkipReason::Fenced(version)));
        }
        Ok(Body::Planned(plan))
    }
}

/// Where a stack has several releases of a chart, the newest one's line goes on.
fn newest(versions: &BTreeSet<String>) -> Option<&String> {
    let newer = |a: &&String, b: &&String| {
        version::compare_apps(a, b).unwrap_or_else(|| a.as_str().cmp(b.as_str()))
    };
    versions.iter().max_by(newer)
}

/// Where the notes of the app are.
fn app_source<'a>(rules: &'a Rules, image: &str, repository: &'a str) -> Option<Source<'a>> {
    entry(rules, image)
        .or_else(|| catalogue::app_source(image))
        .or_else(|| catalogue::chart(repository))
}
