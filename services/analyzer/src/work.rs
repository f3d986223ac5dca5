use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bucket, History, Log, Outcome, PutError, Work, WorkError};
use job::{Body, Command, Plan, Request, SkipReason, Transience, UpgradeId};
use runtime::catalogue::Source;
use terraform::{Options, Wanted};

use crate::notes::{self, Sources, Way};
use crate::patience::Patient;
use crate::planning::{self, Rules};
use crate::ports::{Charts, Images, PortError, Releases, Repository};
use crate::release;
use crate::sites::Mentions;
use crate::steps::{self, Target};

/// Carries the analyzer's commands out.
pub struct Analyzer {
    pub(crate) rules: Rules,
    pub(crate) options: Options,
    pub(crate) log: Arc<dyn Log>,
    repository: Arc<dyn Repository>,
    pub(crate) releases: Arc<dyn Releases>,
    pub(crate) charts: Option<Arc<dyn Charts>>,
    images: Option<Arc<dyn Images>>,
}

impl Analyzer {
    /// An analyzer on these parts.
    #[must_use]
    pub fn new(
        rules: Rules,
        options: Options,
        log: Arc<dyn Log>,
        repository: Arc<dyn Repository>,
        releases: Arc<dyn Releases>,
    ) -> Analyzer {
        Analyzer {
            rules,
            options,
            log,
            repository,
            releases,
            charts: None,
            images: None,
        }
    }

    /// As before, with chart repositories; without them no chart is upgraded.
    #[must_use]
    pub fn with_charts(self, charts: Arc<dyn Charts>) -> Analyzer {
        let charts = Some(charts);
        Analyzer { charts, ..self }
    }

    /// As before, with registries; without them the tags in between are taken to exist.
    #[must_use]
    pub fn with_images(self, images: Arc<dyn Images>) -> Analyzer {
        let images = Patient::new(images, Arc::clone(&self.log));
        Analyzer {
            images: Some(Arc::new(images)),
            ..self
        }
    }

    /// Who is asked for notes.
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources {
            releases: self.releases.as_ref(),
            images: self.images.as_deref(),
        }
    }

    async fn plan(&self, history: &History) -> Result<Body, PortError> {
        let request = &history.state.request;
        let (head, tree) = self.repository.newest().await?;
        let tree = tree.as_ref();
        if request.chart {
            let chart = release::named(&self.rules, &request.image);
            return self.plan_chart(history, &head, tree, chart).await;
        }
        let wanted = Wanted::Image {
            repository: request.image.clone(),
            tag: request.tag.clone(),
            digest: request.digest.clone(),
        };
        let mentions = Mentions::read(tree, &self.options, &wanted);
        if mentions.is_silent()
            && let Some(chart) = release::of_image(&self.rules, &request.image)
        {
            return self.plan_chart(history, &head, tree, Ok(chart)).await;
        }
        // A new plan is for the service of the first one.
        let planned = history.state.plan.as_ref().map(|plan| &plan.service);
        let only = request.service.as_ref().or(planned);
        if only.is_none() {
            let (mentioning, moving) = (mentions.mentioning(), mentions.moving());
            if let Some(reason) = planning::shared_base(&self.rules, &request.image, &mentioning) {
                return Ok(Body::Skipped(reason));
            }
            if let Some(split) = self.split(history, &mentioning, &moving).await? {
                return Ok(split);
            }
        }
        let only = only.map(String::as_str);
        let found = match mentions.of_service(&request.status, only) {
            Ok(found) => found,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        let judged = |way: &Way| {
            planning::plan(
                &self.rules,
                &request.repository,
                &head,
                &found,
                &request.tag,
                way,
            )
        };
        if let Err(reason) = judged(&Way::default()) {
            // What no release notes can change does not wait for them.
            return Ok(Body::Skipped(reason));
        }
        let entry = entry(&self.rules, &request.image);
        let image = &request.image;
        let (from, to) = (&found.from, &request.tag);
        let unseen = match self.target(history).await? {
            Ok(unseen) => unseen,
            Err(body) => return Ok(body),
        };
        let mut way = notes::way(self.sources(), image, entry.as_ref(), from, to).await?;
        way.unseen = unseen;
        if let Some(images) = &self.images {
            let looked = steps::look_up(images.as_ref(), &self.rules, image, &found, to, &mut way);
            looked.await?;
        }
        let plan = match judged(&way) {
            Ok(plan) => plan,
            Err(reason) => return Ok(Body::Skipped(reason)),
        };
        if let Some(version) = self.fenced(request, &plan).await? {
            return Ok(Body::Skipped(SkipReason::Fenced(version)));
        }
        Ok(Body::Planned(plan))
    }

    /// Looks the wanted tag up: why it could not be seen, if DIUN has seen it, or the answer that ends
    /// the upgrade.
    async fn target(&self, history: &History) -> Result<Result<Option<String>, Body>, PortError> {
        let Some(images) = &self.images else {
            return Ok(Ok(None));
        };
        let request = &history.state.request;
        let announced = !request.status.is_empty();
        let looked = images.look(&request.image, &request.tag).await;
        Ok(match steps::target(looked, &request.image, &request.tag)? {
            Target::Here => Ok(None),
            // Some projects publish one platform hours after the other.
            Target::Absent(why) if announced => Err(Body::Aborted {
                at: history.state.live().to_owned(),
                why: format!("{why}, although it was announced"),
                transience: Transience::Transient,
            }),
            Target::Unseen(why) if announced => Ok(Some(format!("{why}; DIUN has seen it"))),
            Target::Absent(why) | Target::Unseen(why) => {
                Err(Body::Skipped(SkipReason::Refused(why)))
            }
        })
    }

    /// The first version of the plan that was rolled back before. If a person wants it all the
    /// same, the fences of all its steps are taken away instead; what fails again is fenced again.
    pub(crate) async fn fenced(
        &self,
        request: &Request,
        plan: &Plan,
    ) -> Result<Option<String>, PortError> {
        for step in &plan.steps {
            let key = job::fence(plan, &request.image, &step.to);
            let Some((revision, _)) = self.log.get(Bucket::Fences, &key).await? else {
                continue;
            };
            if !request.lift_fence {
                return Ok(Some(step.to.clone()));
            }
            if plan.policy.observe {
                continue;
            }
            match self.log.delete(Bucket::Fences, &key, revision).await {
                // Another replica took it away, or an undo has just put it there anew.
                Ok(()) | Err(PutError::Conflict) => {}
                Err(PutError::Unavailable(error)) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// The configured source of an image, else the catalogue's.
#[must_use]
pub fn entry<'a>(rules: &'a Rules, image: &str) -> Option<Source<'a>> {
    match rules.sources.get(&version::normalise(image)) {
        Some(text) => Source::parse(text),
        None => runtime::catalogue::image(image),
    }
}

#[async_trait]
impl Work for Analyzer {
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        let body = match command {
            Command::Plan => match self.plan(history).await {
                Ok(body) => body,
                // A person has to mend something: that is told, and tried again for a while.
                Err(PortError {
                    what,
                    lasting: true,
                    ..
                }) => Body::Aborted {
                    at: history.state.live().to_owned(),
                    why: what,
                    transience: Transience::Transient,
                },
                // No failure: it is known when to look again.
                Err(PortError {
                    what,
                    retry_after: Some(wait),
                    ..
                }) => {
                    let pause = spread(wait, &history.id);
                    tracing::warn!(upgrade.id = %history.id, "analysis waits {pause:?}: {what}");
                    return Ok(Outcome::Delayed { pause, why: what });
                }
                Err(PortError { what, .. }) => {
                    return Err(WorkError {
                        retry_after: None,
                        message: what,
                    });
                }
            },
            Command::ReportObserve => Body::Skipped(SkipReason::Observe(
                history
                    .state
                    .plan
                    .as_ref()
                    .map_or_else(String::new, would_do),
            )),
            Command::Cancel => Body::Cancelled {
                at: history.state.live().to_owned(),
            },
            other => Body::Aborted {
                at: history.state.live().to_owned(),
                why: format!("{other:?} is not the analyzer's"),
                transience: Transience::Lasting,
            },
        };
        Ok(Outcome::Append(body))
    }
}

/// Up to a tenth longer, differently for each upgrade: who waited together does not come together.
fn spread(wait: Duration, id: &UpgradeId) -> Duration {
    let place = id.as_str().bytes().map(u32::from).sum::<u32>() % 100;
    wait + wait * place / 1_000
}

/// What would be done, in a sentence for people.
fn would_do(plan: &Plan) -> String {
    let with_app = |version: &str| {
        if plan.is_chart() {
            format!("chart {version} (app {})", plan.app_of(version))
        } else {
            version.to_owned()
        }
    };
    let steps = plan.steps.iter().map(|step| with_app(&step.to));
    let steps: Vec<String> = steps.collect();
    let sites: Vec<String> = plan
        .step(1)
        .into_iter()
        .flat_map(|step| &step.sites)
        .map(|site| format!("{} ({})", site.path, site.address))
        .collect();
    format!(
        "would upgrade {} from {} through {} at {} ({})",
        plan.service,
        with_app(&plan.from),
        steps.join(", "),
        sites.join(", "),
        plan.risk.level
    )
}
