//! The facts that each user of NATS may append are those that its code states, no fewer and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use syn::visit::{self, Visit};

const SERVICES: [&str; 4] = ["ingest", "analyzer", "executor", "verifier"];

/// Whoever runs the code of a file, by the beginning of its path. What is under none of these may
/// state no fact.
const RUN_BY: [(&str, &[&str]); 8] = [
    ("services/ingest/src", &["ingest"]),
    ("services/analyzer/src", &["analyzer"]),
    ("services/executor/src", &["executor"]),
    ("services/verifier/src", &["verifier"]),
    // The rate window is ingest's; the loop is everybody's.
    ("crates/bus/src/window.rs", &["ingest"]),
    ("crates/bus/src/work.rs", &SERVICES),
    ("crates/bus/src/suspects.rs", &SERVICES),
    // It shows what would be, and has no log.
    ("cli/src/plan.rs", &[]),
];

/// Facts that a file builds for people's eyes, and appends nowhere.
const SHOWN: [(&str, &str); 1] = [("services/ingest/src/sweep.rs", "stuck")];

/// The facts that a file builds: `Body::…` as an expression, and not as a pattern or in a test.
#[derive(Default)]
struct Stated(BTreeSet<String>);

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => {
            let inner = list.parse_args::<syn::Path>();
            list.path.is_ident("cfg") && inner.is_ok_and(|path| path.is_ident("test"))
        }
        syn::Meta::NameValue(_) => false,
    })
}

impl<'ast> Visit<'ast> for Stated {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_pat(&mut self, _pattern: &'ast syn::Pat) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut last = path.segments.iter().rev();
        if let (Some(variant), Some(body)) = (last.next(), last.next())
            && body.ident == "Body"
        {
            self.0.insert(snake_case(&variant.ident.to_string()));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        // What stands in these are patterns; in others, such as `vec!`, it is a fact.
        if !found.path.is_ident("matches") && !found.path.is_ident("names") {
            let text = found.tokens.to_string();
            for (_, after) in text
                .match_indices("Body ::")
                .map(|(at, _)| text.split_at(at))
            {
                let rest = after.trim_start_matches("Body ::").trim_start();
                let name = rest.split(|c: char| !c.is_alphanumeric()).next();
                self.0.insert(snake_case(name.unwrap_or_default()));
            }
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// Every file of the code that is no test.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        if name == "tests" || name == "examples" || name == "target" {
            continue;
        }
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// The facts that each service states.
fn stated(root: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut files = Vec::new();
    for folder in ["crates", "services", "cli"] {
        sources(&root.join(folder), &mut files)?;
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let path = file.strip_prefix(root)?;
        // `wire` reads facts, and the test kit is none of the services.
        if path.starts_with("crates/wire") || path.starts_with("crates/testkit") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        let parsed = syn::parse_file(&text).with_context(|| path.display().to_string())?;
        let mut said = Stated::default();
        said.visit_file(&parsed);
        said.0
            .retain(|name| job::fact_names().contains(&name.as_str()));
        for (_, shown) in SHOWN.iter().filter(|(of, _)| path.starts_with(of)) {
            ensure!(said.0.remove(*shown), "{} shows no {shown}", path.display());
        }
        let services = RUN_BY.iter().find(|(start, _)| path.starts_with(start));
        ensure!(
            said.0.is_empty() || services.is_some(),
            "{} states {:?}: say in RUN_BY whose process that is",
            path.display(),
            said.0
        );
        for service in services.map_or(&[][..], |(_, services)| services) {
            found
                .entry((*service).to_owned())
                .or_default()
                .extend(said.0.iter().cloned());
        }
    }
    Ok(found)
}

/// The facts that the shipped configuration lets each service append.
fn granted(root: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let text = std::fs::read_to_string(root.join("deploy/nats/users.conf"))?;
    let mut found = BTreeMap::new();
    for user in text.split("nkey: $BOWLINE_NKEY_").skip(1) {
        let (name, rest) = user.split_once('\n').context("the name of a user")?;
        let facts = rest.lines().filter_map(|line| {
            let subject = line.trim().trim_end_matches(',').trim_matches('"');
            subject.strip_prefix("bowline.upgrades.*.*.*.")
        });
        let facts: BTreeSet<String> = facts.map(str::to_owned).collect();
        if !facts.is_empty() {
            found.insert(name.to_lowercase(), facts);
        }
    }
    Ok(found)
}

#[test]
fn every_service_may_append_the_facts_that_its_code_states() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let (stated, granted) = (stated(&root)?, granted(&root)?);
    for service in SERVICES {
        let (needs, has) = (&stated[service], &granted[service]);
        let lacks: Vec<_> = needs.difference(has).collect();
        let beyond: Vec<_> = has.difference(needs).collect();
        ensure!(
            lacks.is_empty() && beyond.is_empty(),
            "{service} states {lacks:?} and may not append it; it may append {beyond:?}, which it \
             does not state: correct deploy/nats/users.conf"
        );
    }
    ensure!(
        granted.len() == SERVICES.len(),
        "who are {:?}?",
        granted.keys()
    );
    Ok(())
}

#[test]
fn a_fact_is_told_from_a_pattern_and_from_a_test() -> anyhow::Result<()> {
    let text = r#"
        fn f(body: Body) -> Vec<Body> {
            if let Body::Held = body { return vec![Body::Admitted, job::Body::CiRestarting { number: 1 }]; }
            match body { Body::Ready if matches!(body, Body::Ready) => go(Body::Nudged), _ => {} }
            Body::names();
            vec![]
        }
        #[cfg(test)] mod tests { fn g() -> Body { Body::Started } }
        #[test] fn h() { Body::Tried; }
    "#;
    let mut said = Stated::default();
    said.visit_file(&syn::parse_file(text)?);
    said.0
        .retain(|name| job::fact_names().contains(&name.as_str()));
    let expected = ["admitted", "ci_restarting", "nudged"].map(str::to_owned);
    assert_eq!(said.0, BTreeSet::from(expected));
    Ok(())
}
