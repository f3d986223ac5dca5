//! From the sites and the way to the plan. Pure.

use std::collections::{BTreeMap, BTreeSet};

use job::{
    BackupTarget, Excerpt, Limits, Monitors, Plan, PlanStep, Policy, Risk, SkipReason, Windows,
};
use risk::{Assessment, Input, Rule};
use runtime::settings::Granularity;
use version::Tag;

use crate::changes::{self, Due};
use crate::notes::Way;
use crate::sites::Sites;
use crate::steps;
use crate::targets::targets;

/// More steps than this are refused: an upgrade's log has to stay readable in one piece.
const MAX_STEPS: usize = 40;
/// So much of the summary stands in a commit message.
const SUMMARY_BYTES: usize = 4_000;
/// So many excerpts, and as many reasons, stand in a plan.
const MAX_EXCERPTS: usize = 40;
/// So many settings that notes speak of are told.
const MAX_SETTINGS: usize = 10;
/// So long is one text that others wrote, in characters.
const MAX_TEXT: usize = 300;
/// So many bytes of sites stand in a plan: the whole has to fit into one message of the log.
const MAX_SITES_BYTES: usize = 100_000;

/// What the configuration says about a service.
#[derive(Debug, Clone)]
pub struct ServicePolicy {
    /// The address to ask instead of the ingress hosts.
    pub url: Option<String>,
    /// The backup that is due.
    pub backup: Option<Backup>,
    /// It may be touched at all.
    pub allow: bool,
    /// Stepped through every version.
    pub always_step: bool,
    /// Observe and approval.
    pub policy: Policy,
    /// Its monitors in Uptime Kuma; an empty list: none.
    pub monitors: Option<Vec<String>>,
    /// Whether a certificate that nobody vouches for is accepted, if it says so itself.
    pub insecure_tls: Option<bool>,
    /// Its own settle time, in seconds.
    pub settle_seconds: Option<u32>,
    /// Settings that change together with its version.
    pub changes: Vec<Due>,
}

impl ServicePolicy {
    /// What holds for a service that nothing is said about.
    #[must_use]
    pub fn plain(name: &str, observe: bool) -> ServicePolicy {
        let critical = runtime::catalogue::is_critical(name);
        ServicePolicy {
            url: None,
            backup: None,
            allow: true,
            always_step: false,
            policy: Policy {
                observe,
                approval: critical,
                critical,
                ..Policy::default()
            },
            monitors: None,
            insecure_tls: None,
            settle_seconds: None,
            changes: Vec::new(),
        }
    }
}

/// A backup as configured.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The namespace of the `CronJob`; the service's own if none is said.
    pub namespace: Option<String>,
    /// The `CronJob`.
    pub cronjob: String,
    /// The kind of database, for people.
    pub engine: String,
    /// The database's name, for people.
    pub database: String,
}

/// What the configuration says about all services.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The words that make an upgrade CAUTION.
    pub words: Vec<String>,
    /// The windows by level: safe, caution, unknown; seconds.
    pub windows: (u32, u32, u32),
    /// How long others are waited for.
    pub limits: Limits,
    /// The cluster's name.
    pub cluster: String,
    /// Services with something said about them.
    pub services: BTreeMap<String, ServicePolicy>,
    /// Uptime Kuma is asked.
    pub kuma: bool,
    /// A certificate that nobody vouches for is accepted.
    pub insecure_tls: bool,
    /// Every service that nothing else is said about is only observed.
    pub observe: bool,
    /// Sources by normalised image, before the catalogue.
    pub sources: BTreeMap<String, String>,
    /// Charts by the normalised image that they deploy, before the catalogue: `repository chart`.
    pub charts: BTreeMap<String, String>,
    /// Base images, normalised, that may move although several services use them.
    pub bases: BTreeSet<String>,
    /// Which rule judges the notes.
    pub rule: Rule,
    /// Which versions in between are steps.
    pub granularity: Granularity,
}

impl Rules {
    /// What is said about the service; nothing said is the default.
    #[must_use]
    pub fn service(&self, name: &str) -> ServicePolicy {
        let plain = || ServicePolicy::plain(name, self.observe);
        self.services.get(name).cloned().unwrap_or_else(plain)
    }
}

/// Why an image is left alone that many services build on, and that is none of theirs: a tool in an
/// init container, a base to run a script in. Nobody would know which of them it broke.
#[must_use]
pub fn shared_base(rules: &Rules, image: &str, services: &BTreeSet<String>) -> Option<SkipReason> {
    let name = version::normalise(image);
    let shared =
        services.len() > 1 && runtime::catalogue::is_base(&name) && !rules.bases.contains(&name);
    let services = || services.iter().map(String::as_str).collect::<Vec<_>>();
    shared.then(|| {
        SkipReason::Refused(format!(
            "{name} is a base image that {} services use ({}); name it in repository.allow_bases to \
             have it upgraded in each of them",
            services().len(),
            services().join(", ")
        ))
    })
}

/// The risk of a way.
#[must_use]
pub fn assess(
    rules: &Rules,
    service: &ServicePolicy,
    from: &str,
    to: &str,
    way: &Way,
) -> Assessment {
    let own = version::jump(&Tag::parse(from), &Tag::parse(to));
    // A chart may jump while its app does not, and the other way round.
    let jump = own.max(way.chart.as_ref().and_then(|chart| chart.route.jump()));
    let mut assessment = risk::assess(&Input {
        jump,
        always_step: service.always_step,
        notes: if way.notes.is_empty() {
            None
        } else {
            Some(&way.notes)
        },
        words: &rules.words,
        rule: rules.rule,
    });
    if way.headless {
        // Who announces a version is often faster than who writes its notes.
        assessment
            .reasons
            .push(format!("no notes of {} itself are known", way.app_of(to)));
        let levels = [
            &mut assessment.level,
            &mut assessment.plain,
            &mut assessment.weighed,
        ];
        for level in levels
            .into_iter()
            .filter(|level| **level == risk::Level::Safe)
        {
            *level = risk::Level::Unknown;
        }
    }
    if !way.missing.is_empty() {
        assessment.reasons.push(format!(
            "no image was found for {}, so these are no steps",
            listed(&way.missing)
        ));
    }
    for version in steps::stops(way, from, to).1 {
        assessment.reasons.push(format!(
            "the notes tell to go to {version} first, and no tag in between brings it"
        ));
    }
    let others = [&way.without, &way.unseen];
    assessment
        .reasons
        .extend(others.into_iter().flatten().cloned());
    assessment
}

/// The versions to go to, the target last: with caution those in between, and what notes tell to
/// upgrade to first in any case.
#[must_use]
pub fn steps(
    rules: &Rules,
    assessment: &Assessment,
    way: &Way,
    (from, to): (&str, &str),
) -> Vec<String> {
    let (forced, _) = steps::stops(way, from, to);
    let raises = |tag: &str| {
        let app = way.app_of(tag);
        let mut evidence = assessment.evidence();
        evidence.any(|one| version::says_app(app, one.version))
    };
    let (granularity, raising) = match assessment.level {
        risk::Level::Caution => {
            let raising = way.tags.iter().filter(|tag| raises(tag)).cloned();
            (rules.granularity, raising.collect())
        }
        risk::Level::Safe | risk::Level::Unknown => (Granularity::Breaking, BTreeSet::new()),
    };
    let mut steps = steps::thin(&way.tags, to, granularity, &raising, &forced, |tag| {
        way.app_of(tag).to_owned()
    });
    steps.push(to.to_owned());
    steps
}

/// Variables that the notes speak of and that the service sets: whoever reads the plan wants to know,
/// whatever the level is.
#[must_use]
pub fn own_settings(found: &Sites, way: &Way) -> Vec<String> {
    let images = found.sites.iter().flat_map(|site| site.images.clone());
    let images: Vec<String> = images.collect();
    let names = found
        .index
        .variables(&found.options, &found.service, &images);
    let touched = risk::touched(&way.notes, names.iter().map(String::as_str));
    let told = touched.into_iter().take(MAX_SETTINGS);
    told.map(|one| {
        format!(
            "the notes of {} speak of {}, which this service sets: {}",
            one.version, one.name, one.quote
        )
    })
    .collect()
}

/// Up to five of them, and how many more.
fn listed(versions: &[String]) -> String {
    let shown = versions
        .iter()
        .take(5)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match versions.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Puts the plan together.
///
/// # Errors
/// The reason why nothing is done.
pub fn plan(
    rules: &Rules,
    repository: &str,
    head: &str,
    found: &Sites,
    to: &str,
    way: &Way,
) -> Result<Plan, SkipReason> {
    let service = rules.service(&found.service);
    if !service.allow {
        return Err(SkipReason::Refused(format!(
            "service {} may not be touched (services.{}.allow)",
            found.service, found.service
        )));
    }
    let mut assessment = assess(rules, &service, &found.from, to, way);
    assessment.reasons.extend(own_settings(found, way));
    let versions = steps(rules, &assessment, way, (&found.from, to));
    if versions.len() > MAX_STEPS {
        return Err(SkipReason::Refused(format!(
            "the way from {} to {to} has {} steps, and more than {MAX_STEPS} are not made in one \
             upgrade; ask for a version in between first",
            found.from,
            versions.len()
        )));
    }
    let mut steps = plan_steps(found, &versions)?;
    changes::add(&service.changes, found, &mut steps)?;
    if let Some(chart) = &way.chart {
        for step in &mut steps {
            step.app = chart.route.app_at(&step.to).map(str::to_owned);
        }
    }
    if bytes(&steps) > MAX_SITES_BYTES {
        return Err(SkipReason::Refused(format!(
            "{} steps at {} places are too many for one upgrade; ask for a version in between first",
            steps.len(),
            found.sites.len()
        )));
    }
    let image = way.chart.as_ref().map(|chart| chart.image.as_str());
    let targets =
        targets(&found.sites, service.url.as_deref(), image).map_err(SkipReason::Refused)?;
    let monitors = if rules.kuma {
        monitors(found, &service)
    } else {
        None
    };
    let backup = service.backup.map(|backup| BackupTarget {
        namespace: backup.namespace.unwrap_or_else(|| {
            targets
                .first()
                .map_or_else(String::new, |target| target.namespace.clone())
        }),
        cronjob: backup.cronjob,
        engine: backup.engine,
        database: backup.database,
    });
    let (safe, caution, unknown) = rules.windows;
    let level = level(assessment.level);
    Ok(Plan {
        service: found.service.clone(),
        repository: repository.to_owned(),
        cluster: rules.cluster.clone(),
        from: found.from.clone(),
        from_app: way.chart.as_ref().map(|chart| chart.route.from_app.clone()),
        head: head.to_owned(),
        steps,
        targets,
        backup,
        windows: Windows {
            forward_seconds: match level {
                job::Level::Safe => safe,
                job::Level::Caution => caution,
                job::Level::Unknown => unknown,
            },
            undo_seconds: safe,
        },
        limits: Limits {
            settle_seconds: service
                .settle_seconds
                .unwrap_or(rules.limits.settle_seconds),
            ci_patience_seconds: rules
                .limits
                .ci_patience_seconds
                .saturating_add(helm_seconds(found)),
            ..rules.limits
        },
        policy: Policy {
            insecure_tls: service.insecure_tls.unwrap_or(rules.insecure_tls),
            ..service.policy
        },
        summary: summary(way, &assessment),
        releases: u32::try_from(way.notes.len()).unwrap_or(u32::MAX),
        source_url: way.source_url.clone(),
        monitors,
        risk: Risk {
            level,
            reasons: assessment
                .reasons
                .iter()
                .take(MAX_EXCERPTS)
                .map(|reason| bounded(reason))
                .collect(),
            excerpts: excerpts(&assessment),
        },
    })
}

/// What the notes say in short, and before it what nobody could see: that is told at any level.
fn summary(way: &Way, assessment: &Assessment) -> String {
    let unseen = way.unseen.iter().map(|why| {
        let why: String = bounded(why)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        format!("Note: {}\n", risk::defuse(&why))
    });
    let unseen: String = unseen.collect();
    let room = SUMMARY_BYTES.saturating_sub(unseen.len());
    format!("{unseen}{}", risk::summary(&way.notes, assessment, room))
}

/// The lines that raised the level.
fn excerpts(assessment: &Assessment) -> Vec<Excerpt> {
    let evidence = assessment.evidence().take(MAX_EXCERPTS);
    evidence
        .map(|one| Excerpt {
            version: bounded(one.version),
            word: bounded(one.what),
            quote: bounded(one.quote),
            // Half an address is none.
            url: Some(one.url)
                .filter(|url| url.len() <= MAX_TEXT)
                .unwrap_or_default()
                .to_owned(),
        })
        .collect()
}

/// How long Helm may keep CI waiting, over what CI takes by itself: for the release, and once more
/// for undoing it, if it does that.
fn helm_seconds(found: &Sites) -> u32 {
    let owners = found.sites.iter().flat_map(|site| &site.owner);
    let waits = owners.filter_map(|owner| {
        let once = owner.timeout_seconds?;
        let again = if owner.atomic == Some(true) { once } else { 0 };
        Some(once.saturating_add(again))
    });
    waits.max().unwrap_or(0)
}

/// The service's monitors: what a person listed, else what its hosts tell.
fn monitors(found: &Sites, service: &ServicePolicy) -> Option<Monitors> {
    match &service.monitors {
        Some(none) if none.is_empty() => None,
        Some(names) => Some(Monitors {
            names: names.clone(),
            hosts: Vec::new(),
        }),
        None => {
            let owners = found.sites.iter().flat_map(|site| &site.owner);
            let ingress = owners.flat_map(|owner| owner.ingress_hosts.iter().cloned());
            let said = service.url.as_deref().and_then(host).map(str::to_owned);
            let hosts: BTreeSet<String> = ingress.chain(said).collect();
            Some(Monitors {
                names: Vec::new(),
                hosts: hosts.into_iter().collect(),
            })
        }
    }
}

/// The host of an address, without port.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    (!host.is_empty()).then_some(host)
}

fn bounded(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.to_owned();
    }
    text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
}

fn bytes(steps: &[PlanStep]) -> usize {
    let sites = steps.iter().flat_map(|step| &step.sites);
    sites
        .map(|site| {
            // The four lengths and the frame around them take a few bytes each.
            site.path.len() + site.address.len() + site.before.len() + site.after.len() + 16
        })
        .sum()
}

fn level(level: risk::Level) -> job::Level {
    match level {
        risk::Level::Safe => job::Level::Safe,
        risk::Level::Caution => job::Level::Caution,
        risk::Level::Unknown => job::Level::Unknown,
    }
}

/// The steps with what each of them writes.
///
/// # Errors
/// A version in between cannot be written at one of the sites.
fn plan_steps(found: &Sites, versions: &[String]) -> Result<Vec<PlanStep>, SkipReason> {
    let mut before: Vec<String> = found.sites.iter().map(|site| site.before.clone()).collect();
    let mut steps = Vec::with_capacity(versions.len());
    for (at, to) in versions.iter().enumerate() {
        let last = at + 1 == versions.len();
        let mut sites = Vec::with_capacity(found.sites.len());
        for (site, before) in found.sites.iter().zip(&mut before) {
            let text = if last {
                Some(site.after.clone())
            } else {
                site.text_for(to)
            };
            let after = text.ok_or_else(|| {
                SkipReason::Refused(format!(
                    "{to} is a version on the way, and it cannot be written at {}:{}: what stands \
                     there goes with a digest or with other words; ask for {to} itself first",
                    site.path, site.line
                ))
            })?;
            sites.push(job::Site {
                path: site.path.clone(),
                address: site.address.clone(),
                before: std::mem::replace(before, after.clone()),
                after,
            });
        }
        steps.push(PlanStep {
            app: None,
            to: to.clone(),
            sites,
        });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests;
