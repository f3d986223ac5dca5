//! Where an upgrade would be written, and the way there; charts are asked of their repositories.

use analyzer::chart::Asked;
use std::sync::Arc;

use analyzer::notes::{self, Sources, Way};
use analyzer::release::{self, Known, Moves, Search};
use analyzer::sites::{Mentions, Sites};
use analyzer::steps::{self, Target};
use analyzer::{Cache, Forges, Helm, Images as _, Own, PortError, Registered, Rules, planning};
use job::SkipReason;
use runtime::Settings;
use terraform::{DirTree, Options, Wanted};

use crate::failure::Failure;
use crate::plan::{Args, in_words, refused, whole};

const OFFLINE: &str = "no release notes were read (--offline)";

/// What moves, and what is known of the way.
pub(super) struct Found {
    pub(super) sites: Sites,
    /// What was asked for, or the chart's version that brings it.
    pub(super) wanted: Wanted,
    /// A sentence says why nobody looked.
    pub(super) way: Result<Way, String>,
}

/// Who looks, and how.
pub(super) struct Looker<'a> {
    pub(super) args: &'a Args,
    pub(super) settings: &'a Settings,
    pub(super) rules: &'a Rules,
    pub(super) options: &'a Options,
    pub(super) tree: &'a DirTree,
    /// Only the sites are wanted: nobody is asked for release notes.
    pub(super) quick: bool,
}

impl Looker<'_> {
    pub(super) async fn find(&self, wanted: Wanted) -> Result<Found, Failure> {
        match &wanted {
            Wanted::Image {
                repository, tag, ..
            } => {
                let mentions = Mentions::read(self.tree, self.options, &wanted);
                if mentions.is_silent()
                    && let Some(chart) = release::of_image(self.rules, repository)
                {
                    return self.brought_by(chart, tag).await;
                }
                let services = mentions.mentioning();
                if let Some(reason) = planning::shared_base(self.rules, repository, &services) {
                    return Err(refused(reason));
                }
                let sites = mentions.of_service("", None).map_err(refused)?;
                let way = self.unless_pointless(&sites, &wanted, &Way::default())?;
                let way = match way {
                    Some(way) => way,
                    None => self.notes_of(repository, &sites, tag).await?,
                };
                Ok(Found { sites, wanted, way })
            }
            Wanted::Chart { name, version } => {
                let why = if self.quick || self.args.offline {
                    OFFLINE.to_owned()
                } else {
                    match release::named(self.rules, name) {
                        Err(reason) => in_words(reason),
                        Ok(chart) => match self.search(chart, Asked::Version(version)).await? {
                            Ok(moves) => return self.moved(moves.map_err(refused)?).await,
                            Err(error) => {
                                format!("the chart's repository could not be asked: {error}")
                            }
                        },
                    }
                };
                let mentions = Mentions::read(self.tree, self.options, &wanted);
                let sites = mentions.of_service("", None).map_err(refused)?;
                let way = self.unless_pointless(&sites, &wanted, &Way::default())?;
                Ok(Found {
                    sites,
                    wanted,
                    way: way.unwrap_or(Err(why)),
                })
            }
        }
    }

    /// The chart's version that brings an image's tag.
    async fn brought_by(&self, chart: Known, tag: &str) -> Result<Found, Failure> {
        let name = chart.name().to_owned();
        if self.args.offline {
            return Err(Failure::refused(format!(
                "refused: chart {name} deploys it, and which of the chart's versions brings {tag} \
                 only its repository tells; leave out --offline, or plan a version of the chart with \
                 --chart {name} VERSION"
            )));
        }
        match self.search(chart, Asked::App(tag)).await? {
            Ok(moves) => self.moved(moves.map_err(refused)?).await,
            Err(error) => Err(Failure::failed(format!(
                "chart {name} deploys it, and its repository could not be asked: {error}"
            ))),
        }
    }

    async fn search(
        &self,
        chart: Known,
        asked: Asked<'_>,
    ) -> Result<Result<Result<Moves, SkipReason>, PortError>, Failure> {
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        let helm = Helm::new(self.settings, &cache)?;
        let search = Search {
            rules: self.rules,
            options: self.options,
            tree: self.tree,
            charts: Some(&helm),
            chart,
            asked,
            status: "",
        };
        Ok(search.find().await)
    }

    async fn moved(&self, moves: Moves) -> Result<Found, Failure> {
        let wanted = moves.wanted();
        let way = match self.unless_pointless(&moves.found, &wanted, &moves.bare())? {
            Some(way) => way,
            None => {
                let read = async {
                    let outside = Outside::new(self.settings)?;
                    anyhow::Ok(moves.way(self.rules, outside.sources()).await?)
                };
                // Without its notes the chart's way is known all the same.
                Ok(read.await.unwrap_or_else(|error| Way {
                    without: Some(not_read(&error)),
                    ..moves.bare()
                }))
            }
        };
        Ok(Found {
            sites: moves.found,
            wanted,
            way,
        })
    }

    /// The way as far as it is known without notes, if nobody is to be asked for any.
    fn unless_pointless(
        &self,
        sites: &Sites,
        wanted: &Wanted,
        bare: &Way,
    ) -> Result<Option<Result<Way, String>>, Failure> {
        if !self.rules.service(&sites.service).allow {
            // The plan itself says so, before anybody is asked for release notes.
            whole(self.rules, sites, wanted, bare).map_err(refused)?;
        }
        if self.quick {
            return Ok(Some(Ok(bare.clone())));
        }
        let offline = self.args.offline;
        Ok(offline.then(|| Err(OFFLINE.to_owned())))
    }

    async fn notes_of(
        &self,
        image: &str,
        sites: &Sites,
        to: &str,
    ) -> Result<Result<Way, String>, Failure> {
        let outside = Outside::new(self.settings)?;
        let images = &outside.images;
        let (sources, target) = outside.seeing(image, to).await;
        let unseen = match target {
            Target::Here => None,
            Target::Unseen(why) => Some(why),
            Target::Absent(why) => return Err(refused(SkipReason::Refused(why))),
        };
        let entry = analyzer::entry(self.rules, image);
        let read = notes::way(sources, image, entry.as_ref(), &sites.from, to).await;
        let mut way = match read {
            Ok(way) => Way { unseen, ..way },
            Err(error) => return Ok(Err(not_read(&error.into()))),
        };
        let looked = steps::look_up(images, self.rules, image, sites, to, &mut way).await;
        if let Err(error) = looked {
            way.without = Some(error.to_string());
        }
        Ok(Ok(way))
    }
}

/// Git hosts and registries.
pub(crate) struct Outside {
    forges: Forges,
    images: Registered,
}

impl Outside {
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Outside> {
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        Ok(Outside {
            forges: Forges::new(settings, &cache)?,
            images: Registered::new(settings, &cache)?,
        })
    }

    /// Who is asked about an image, and what is known of a tag of it. A registry that is asked in
    /// vain is not asked for the image's source either.
    pub(crate) async fn seeing(&self, image: &str, tag: &str) -> (Sources<'_>, Target) {
        let looked = self.images.look(image, tag).await;
        let target = steps::target(looked, image, tag).unwrap_or_else(|error| {
            Target::Unseen(format!(
                "whether {image}:{tag} exists is not known: {error}"
            ))
        });
        let mut sources = self.sources();
        if matches!(target, Target::Unseen(_)) {
            sources.images = None;
        }
        (sources, target)
    }

    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources {
            releases: &self.forges,
            images: Some(&self.images),
        }
    }
}

fn not_read(error: &anyhow::Error) -> String {
    format!("the release notes could not be read: {error:#}")
}
