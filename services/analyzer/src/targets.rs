//! From the owners of the sites to the workloads that have to run the new version.

use std::collections::{BTreeMap, BTreeSet};

use job::Target;
use terraform::{Owner, Site};

/// The workloads to watch; a Helm release stands for all of its own. `image` is what a release's
/// chart deploys, where the sites hold a chart's version.
///
/// # Errors
/// A sentence that says which owner cannot be watched, and why.
pub(crate) fn targets(
    sites: &[Site],
    url: Option<&str>,
    image: Option<&str>,
) -> Result<Vec<Target>, String> {
    let mut found: BTreeMap<(String, String, String, String), Target> = BTreeMap::new();
    let mut owners = 0usize;
    for (site, owner) in sites
        .iter()
        .flat_map(|site| site.owner.iter().map(move |o| (site, o)))
    {
        owners += 1;
        let target = watched(site, owner, image)?;
        let key = (
            target.namespace.clone(),
            target.kind.clone(),
            target.name.clone(),
            target.image.clone(),
        );
        let known = found.entry(key).or_insert(target);
        if let Some(container) = &owner.container {
            let list = if owner.init {
                &mut known.init_containers
            } else {
                &mut known.containers
            };
            if !list.contains(container) {
                list.push(container.clone());
            }
        }
        for address in owner
            .ingress_hosts
            .iter()
            .map(|host| format!("https://{host}"))
        {
            if !known.http.contains(&address) {
                known.http.push(address);
            }
        }
    }
    if owners == 0 {
        return Err("no workload owns the sites, so nothing could be verified".to_owned());
    }
    let mut targets: Vec<Target> = found.into_values().collect();
    if let Some(url) = url {
        // What a person configured stands for all that was found.
        for target in &mut targets {
            target.http = vec![url.to_owned()];
        }
    }
    probe_once(&mut targets);
    Ok(targets)
}

fn watched(site: &Site, owner: &Owner, image: Option<&str>) -> Result<Target, String> {
    let at = format!("{}:{}", site.path, site.line);
    if !matches!(
        owner.kind.as_str(),
        "Deployment" | "StatefulSet" | "DaemonSet" | "HelmRelease"
    ) {
        return Err(format!(
            "{at} belongs to a {}, whose health cannot be watched; upgrade it by hand",
            owner.kind
        ));
    }
    let (Some(name), Some(namespace)) = (&owner.name, &owner.namespace) else {
        return Err(format!(
            "{at}: the name or namespace of its {} cannot be read from the files",
            owner.kind
        ));
    };
    Ok(Target {
        kind: owner.kind.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
        match_labels: owner.match_labels.clone(),
        containers: Vec::new(),
        init_containers: Vec::new(),
        image: image.unwrap_or(&owner.image_repository).to_owned(),
        http: Vec::new(),
    })
}

/// An address that several targets share is asked once.
fn probe_once(targets: &mut [Target]) {
    let mut seen = BTreeSet::new();
    for target in targets {
        target.http.retain(|address| seen.insert(address.clone()));
    }
}

#[cfg(test)]
mod tests;
