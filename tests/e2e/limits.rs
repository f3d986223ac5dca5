//! Many upgrades at once, as people ask for them: the limits from the command line, the requests
//! from a loop around curl or from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bowline_tests::{LIMIT, in_lab};
use serde_json::{Value, json};
use testkit::lab::{Lab, Options};

/// Twelve upgrades of many steps take turns at CI.
const ALL_TWELVE: Duration = Duration::from_secs(400);
/// Longer than any test: a new window begins only if somebody asks for it.
const WINDOW: Duration = Duration::from_secs(6 * 3_600);

/// Service, image, and the version that is asked for.
const TWELVE: [(&str, &str, &str); 12] = [
    ("ebooks", "ghcr.io/advplyr/audiobookshelf", "2.33.1"),
    ("owntracks", "owntracks/recorder", "1.0.1"),
    ("open-webui", "ghcr.io/open-webui/open-webui", "v0.8.12"),
    ("immich", "ghcr.io/immich-app/immich-server", "v2.7.5"),
    ("coturn", "coturn/coturn", "4.10.0-r1"),
    ("url", "shlinkio/shlink", "5.0.2"),
    ("phpipam", "phpipam/phpipam-www", "v1.7.4"),
    ("onlyoffice", "onlyoffice/documentserver", "9.3.1"),
    (
        "paperless-ngx",
        "ghcr.io/paperless-ngx/paperless-ngx",
        "2.20.14",
    ),
    ("linkwarden", "ghcr.io/linkwarden/linkwarden", "v2.14.0"),
    ("matrix", "matrixdotorg/synapse", "v1.151.0"),
    ("dawarich", "freikin/dawarich", "1.6.1"),
];

fn ids(limits: &Value, key: &str) -> Vec<String> {
    let list = limits[key].as_array().map(Vec::as_slice);
    list.unwrap_or_default()
        .iter()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect()
}

/// Waits until the window is as wanted.
async fn limits(lab: &Lab, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let limits = lab.bowline_json(&["limits", "show"]).await?;
        if wanted(&limits) {
            return Ok(limits);
        }
        ensure!(
            tokio::time::Instant::now() < deadline,
            "never happened: {what}; the limits are {limits}"
        );
    }
}

/// Each commit is a step of one upgrade, once, in one file of its service, and moves nothing there
/// but the version; the last one of a service brings the wanted version.
fn no_foreign_line(lab: &Lab, wanted: &[(&str, &str, String)]) -> anyhow::Result<()> {
    let mut steps = BTreeSet::new();
    let mut reached = BTreeMap::new();
    for commit in lab.commits() {
        let trailer = commit.message.lines().find_map(|line| {
            let (id, step) = line.strip_prefix("Upgrade-Id: ")?.split_once('/')?;
            Some((id.to_owned(), step.to_owned()))
        });
        let (id, step) = trailer.with_context(|| format!("whose is {commit:?}?"))?;
        let mut found = wanted.iter().filter(|(_, _, wanted)| *wanted == id);
        let (service, ..) = found
            .next()
            .with_context(|| format!("whose is {commit:?}?"))?;
        ensure!(
            steps.insert((id, step)),
            "a step was taken twice: {commit:?}"
        );
        let moved = commit.subject.strip_prefix(&format!("upgrade: {service} "));
        let moved = moved.and_then(|moved| moved.split_once(" -> "));
        let (from, to) = moved.with_context(|| format!("what did {commit:?} move?"))?;

        let (paths, lines) = lab.changes(&commit.sha)?;
        let [path] = paths.as_slice() else {
            bail!("{commit:?} touches {paths:?}")
        };
        ensure!(path.starts_with(&format!("stacks/{service}/")), "{path}");
        // Synapse's init container and its main one.
        let places = if *service == "matrix" { 2 } else { 1 };
        let removed: Vec<&String> = lines.iter().filter(|line| line.starts_with('-')).collect();
        let with = |line: &str| line.replacen('-', "+", 1).replace(from, to);
        let mut expected: Vec<String> = removed.iter().map(|line| with(line)).collect();
        let mut added: Vec<String> = lines
            .iter()
            .filter(|line| line.starts_with('+'))
            .cloned()
            .collect();
        expected.sort();
        added.sort();
        assert_eq!((removed.len(), added), (places, expected), "{commit:?}");
        reached.insert(*service, to.to_owned());
    }
    let all = wanted
        .iter()
        .map(|(service, tag, _)| (*service, (*tag).to_owned()));
    assert_eq!(reached, all.collect());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_at_once_after_the_limit_was_raised_and_the_window_reset() {
    let options = Options {
        max_upgrades: 5,
        rate_window: WINDOW,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let set = lab.bowline(&["limits", "set", "--max", "50"]).await?;
        ensure!(
            set.code == Some(0) && set.out.contains("50 upgrades in 6 h"),
            "{set:?}"
        );
        let reset = lab.bowline(&["limits", "reset"]).await?;
        ensure!(reset.code == Some(0), "{reset:?}");

        let mut wanted = Vec::new();
        for (service, image, tag) in TWELVE {
            let body = json!({
                "diun_entry_status": "update",
                "diun_entry_image": image,
                "diun_entry_imagetag": tag,
                "diun_entry_provider": "kubernetes",
            });
            let answered = lab.post(&body.to_string()).await?;
            ensure!(answered.decision() == "accepted", "{service}: {answered:?}");
            wanted.push((service, tag, answered.id().to_owned()));
        }
        let full = |limits: &Value| ids(limits, "admitted").len() == 12;
        let shown = limits(lab, "all twelve have a place", full).await?;
        assert_eq!(ids(&shown, "held"), [""; 0]);
        assert_eq!(
            (&shown["max"], &shown["overridden"]),
            (&json!(50), &json!(true))
        );

        for (service, tag, id) in &wanted {
            let view = lab.ended(id, "Succeeded", ALL_TWELVE).await?;
            let held = view.facts.iter().any(|fact| fact.name == "held");
            ensure!(!held, "{service} was held");
            assert_eq!(lab.live(service).as_deref(), Some(*tag), "{service}");
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        no_foreign_line(lab, &wanted)?;
        let listed = lab
            .bowline_json(&["list", "--phase", "succeeded", "--limit", "50"])
            .await?;
        assert_eq!(listed.as_array().map(Vec::len), Some(12));
        let (.., last) = wanted.last().context("twelve")?;
        let beginning: String = last.chars().take(8).collect();
        let watched = lab.bowline(&["watch", &beginning]).await?;
        ensure!(watched.code == Some(0), "{watched:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_waits_for_the_window_until_a_person_lets_it_in() {
    let options = Options {
        max_upgrades: 1,
        rate_window: WINDOW,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("wanted");
        std::fs::write(
            &file,
            "# two at once\n\
             ghcr.io/advplyr/audiobookshelf 2.33.1\n\
             phpipam/phpipam-www:v1.7.1\n",
        )?;
        let file = file.to_str().context("a path")?;
        let asked = lab.bowline_json(&["upgrade", "--from-file", file]).await?;
        assert_eq!(
            (&asked["estimate"]["now"], &asked["estimate"]["waiting"]),
            (&json!(1), &json!(1)),
            "{asked}"
        );
        let one_waits = |limits: &Value| ids(limits, "held").len() == 1;
        let shown = limits(lab, "one waits", one_waits).await?;
        let held = ids(&shown, "held").pop().context("one waits")?;
        assert_eq!(
            asked["estimate"]["last_admitted"]
                .as_str()
                .map(|at| at.len() > 19),
            Some(true),
            "{asked}"
        );

        let reset = lab.bowline(&["limits", "reset"]).await?;
        ensure!(reset.code == Some(0), "{reset:?}");
        let watched = lab.bowline(&["watch", &held]).await?;
        ensure!(
            watched.code == Some(0) && watched.out.contains("held"),
            "{watched:?}"
        );
        for asked in asked["asked"].as_array().context("a list")? {
            let id = asked["id"].as_str().context("an id")?;
            let view = lab.ended(id, "Succeeded", LIMIT).await?;
            assert_eq!(view.requested_by, "vera");
            lab.said(&[&view.service, "starting", id], LIMIT).await?;
            lab.said(&[&view.service, "done", id], LIMIT).await?;
        }
        // Who asks again is told what became of it.
        let set = lab.bowline(&["limits", "set", "--max", "9"]).await?;
        ensure!(set.code == Some(0), "{set:?}");
        let again = lab
            .bowline(&["upgrade", "phpipam/phpipam-www", "v1.7.1", "--wait"])
            .await?;
        ensure!(
            again.code == Some(1) && again.out.contains("skipped"),
            "{again:?}"
        );
        let why = lab.bowline(&["why", "phpipam"]).await?;
        ensure!(why.out.matches("accepted").count() == 2, "{why:?}");
        Ok(())
    })
    .await;
}
