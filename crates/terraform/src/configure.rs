//! Changes of a workload's settings that go with a version, as sites like those of the version.

use std::collections::BTreeSet;

use crate::answer::{Options, Site};
use crate::container::Container;
use crate::find::service_of;
use crate::index::Index;
use crate::parts::{Part, Place, whole};
use crate::refind::SiteKey;

const RENAMED: &str = ".env.";
const SET: &str = ".env[";
const MEMORY: &str = ".resources.limits.memory";

/// Whether a site's address is of a setting that goes with a version, and not of the version.
#[must_use]
pub fn is_setting(address: &str) -> bool {
    address.contains(RENAMED) || address.contains(SET) || address.ends_with(MEMORY)
}

/// A change of what a container is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A variable of the environment bears another name.
    RenameVariable {
        /// Its name so far.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// A variable of the environment is set, unless it is.
    SetVariable {
        /// Its name.
        name: String,
        /// Its value, if nobody has set it.
        value: String,
    },
    /// The memory limit is at least this.
    RaiseMemory {
        /// As Kubernetes writes quantities: `2Gi`.
        limit: String,
    },
}

impl Index {
    /// The variables of the environment that the containers of a service set which run these images.
    #[must_use]
    pub fn variables(
        &self,
        options: &Options,
        service: &str,
        images: &[String],
    ) -> BTreeSet<String> {
        self.running(options, service, images)
            .flat_map(|found| &found.variables)
            .map(|variable| variable.name.clone())
            .filter(|name| !name.is_empty())
            .collect()
    }

    fn running(
        &self,
        options: &Options,
        service: &str,
        images: &[String],
    ) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(move |found| {
            service_of(&found.root, options).as_deref() == Some(service)
                && images.contains(&found.image)
        })
    }

    /// The sites that a change needs in the containers of a service that run these images; none if
    /// everything is so already.
    ///
    /// # Errors
    /// A sentence on what is written in a way that cannot be changed.
    pub fn configure(
        &self,
        options: &Options,
        service: &str,
        images: &[String],
        change: &Change,
    ) -> Result<Vec<Site>, String> {
        let containers: Vec<&Container> = self.running(options, service, images).collect();
        if containers.is_empty() {
            return Err(format!(
                "no container of {} is written as a block in {service}",
                images.join(", ")
            ));
        }
        let mut sites: Vec<Site> = Vec::new();
        let mut add = |site: Site| {
            if !sites
                .iter()
                .any(|known| known.path == site.path && known.span == site.span)
            {
                sites.push(site);
            }
        };
        match change {
            Change::RenameVariable { from, to } => {
                let named = |found: &&&Container| {
                    found
                        .variables
                        .iter()
                        .any(|one| one.name == *from || one.name == *to)
                };
                if containers.iter().find(named).is_none() {
                    return Err(format!("no container of {service} sets {from} in a block"));
                }
                for container in containers {
                    for variable in container.variables.iter().filter(|one| one.name == *from) {
                        let place = variable.place.as_ref().ok_or_else(|| {
                            format!(
                                "{from} in {} is not written as a plain text",
                                container.path
                            )
                        })?;
                        add(site(
                            container,
                            place.clone(),
                            name_of(container, from),
                            from,
                            to,
                            service,
                        ));
                    }
                }
            }
            Change::SetVariable { name, value } => {
                for container in containers.into_iter().filter(|found| !found.init) {
                    if container.variables.iter().any(|one| one.name == *name) {
                        continue;
                    }
                    let block = block(container, name, value);
                    let address = block_of(container, name);
                    add(site(
                        container,
                        room(container),
                        address,
                        "",
                        &block,
                        service,
                    ));
                }
            }
            Change::RaiseMemory { limit } => {
                let wanted = bytes(limit).ok_or_else(|| format!("{limit} is no quantity"))?;
                for container in containers.into_iter().filter(|found| !found.init) {
                    let known = whole(&container.memory).and_then(|text| bytes(&text));
                    if known.is_some_and(|known| known >= wanted) {
                        continue;
                    }
                    let [
                        Part::Text {
                            text,
                            place: Some(place),
                        },
                    ] = container.memory.as_slice()
                    else {
                        return Err(format!(
                            "the memory limit of {} in {} is not written as a plain text",
                            container.address, container.path
                        ));
                    };
                    let address = memory_of(container);
                    add(site(
                        container,
                        place.clone(),
                        address,
                        text,
                        limit,
                        service,
                    ));
                }
            }
        }
        Ok(sites)
    }

    /// What stands at a site of a setting, and where; none if the key is of no setting.
    pub(crate) fn setting(&self, key: &SiteKey) -> Option<(String, Place, String)> {
        let here =
            |found: &&Container| found.path == key.path && key.address.starts_with(&found.address);
        for container in self.containers.iter().filter(here) {
            let root = || container.root.clone();
            if key.address == memory_of(container)
                && let [
                    Part::Text {
                        text,
                        place: Some(place),
                    },
                ] = container.memory.as_slice()
            {
                return Some((text.clone(), place.clone(), root()));
            }
            let renamed = container.variables.iter().any(|one| {
                (one.name == key.before || one.name == key.after)
                    && [&key.before, &key.after]
                        .iter()
                        .any(|from| key.address == name_of(container, from))
            });
            if renamed {
                let named = |name: &str| container.variables.iter().find(|one| one.name == name);
                let variable = named(&key.before).or_else(|| named(&key.after))?;
                return Some((variable.name.clone(), variable.place.clone()?, root()));
            }
            let own = container
                .variables
                .iter()
                .find(|one| key.address == block_of(container, &one.name));
            if let Some(variable) = own {
                let place = Place {
                    span: variable.lines.clone(),
                    ..room(container)
                };
                return Some((variable.text.clone(), place, root()));
            }
            let prefix = format!("{}{SET}", container.address);
            if key.address.starts_with(&prefix) {
                return Some((String::new(), room(container), root()));
            }
        }
        None
    }
}

/// By the name that the variable has before the change.
fn name_of(container: &Container, from: &str) -> String {
    format!("{}{RENAMED}{from}", container.address)
}

fn block_of(container: &Container, name: &str) -> String {
    format!("{}{SET}{name}]", container.address)
}

fn memory_of(container: &Container) -> String {
    format!("{}{MEMORY}", container.address)
}

fn room(container: &Container) -> Place {
    Place {
        path: container.path.clone(),
        address: String::new(),
        line: container.room.line,
        span: container.room.at..container.room.at,
        bare: false,
    }
}

/// The block that sets a variable, as wide as those around it.
fn block(container: &Container, name: &str, value: &str) -> String {
    let (indent, newline) = (&container.room.indent, container.room.newline);
    format!(
        "{indent}env {{{newline}{indent}  name  = \"{name}\"{newline}{indent}  value = \
         \"{value}\"{newline}{indent}}}{newline}"
    )
}

fn site(
    container: &Container,
    place: Place,
    address: String,
    before: &str,
    after: &str,
    service: &str,
) -> Site {
    Site {
        path: container.path.clone(),
        address,
        line: place.line,
        span: place.span,
        before: before.to_owned(),
        after: after.to_owned(),
        tag: String::new(),
        around: None,
        service: service.to_owned(),
        images: Vec::new(),
        owner: Vec::new(),
    }
}

/// A quantity of memory in bytes.
fn bytes(quantity: &str) -> Option<u128> {
    let end = quantity
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at_checked(end)?;
    let unit: u128 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.parse::<u128>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests;
