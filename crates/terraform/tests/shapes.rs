//! Every shape in which versions are written, one folder each under `testdata/shapes`.
//!
//! - `before/`: the tree. `links`, if there: lines `path -> target`, symlinks to make in it.
//! - `ask`: `image NAME TAG [DIGEST]` or `chart NAME VERSION`.
//! - `after/`: the files that change, as they must read afterwards.
//! - `refused`: lines `path:line  start of the reason`; the line may be a range `3-5`. A line that
//!   starts with `nothing` says that there is neither site nor refusal, one that starts with
//!   `anything` that refusals do not matter here.
//! - `either`, if there: the edit is right, and so is the refusal.
//! - `moves`, if there: lines `path:line  image image`, what a site moves.
//! - `problems`, if there: the starts of the problems that are told; without it there are none.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may end like this"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use terraform::{
    Answer, DirTree, Edit, MemTree, Options, Refound, SiteKey, Tree, Wanted, edit, find, refind,
};

type Files = BTreeMap<String, Vec<u8>>;

fn shapes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/shapes")
}

/// All files below a folder, hidden ones too; none where there is no such folder.
fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The lines of an optional file of a shape.
fn lines(shape: &Path, name: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(shape.join(name)).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

fn wanted(shape: &Path) -> Wanted {
    let ask = fs::read_to_string(shape.join("ask")).unwrap();
    match ask.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["image", repository, tag, digest @ ..] => Wanted::Image {
            repository: (*repository).to_owned(),
            tag: (*tag).to_owned(),
            digest: digest.first().map(|digest| (*digest).to_owned()),
        },
        ["chart", name, version] => Wanted::Chart {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
        },
        _ => panic!("{}: {ask}", shape.display()),
    }
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let target = folder.join(path);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(target, bytes).unwrap();
}

/// The lines of two texts that differ.
fn differing(expected: &[u8], found: &[u8]) -> String {
    let split = |bytes: &[u8]| -> Vec<String> {
        bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| {
                String::from_utf8_lossy(line)
                    .trim()
                    .escape_debug()
                    .to_string()
            })
            .collect()
    };
    let (expected, found) = (split(expected), split(found));
    let mut text = String::new();
    for at in 0..expected.len().max(found.len()) {
        let (expected, found) = (expected.get(at), found.get(at));
        if expected != found {
            let or_none = |line: Option<&String>| line.map_or("(none)", String::as_str).to_owned();
            text.push_str(&format!(
                "        line {}: expected {}\n        line {}: found    {}\n",
                at + 1,
                or_none(expected),
                at + 1,
                or_none(found)
            ));
        }
    }
    text
}

fn compare(what: &str, expected: &Files, found: &Files, faults: &mut Vec<String>) {
    for (path, bytes) in expected {
        match found.get(path) {
            Some(found) if found == bytes => {}
            Some(found) => faults.push(format!("{what}: {path}\n{}", differing(bytes, found))),
            None => faults.push(format!("{what}: {path} is gone")),
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        faults.push(format!("{what}: {path} is new"));
    }
}

fn apply(root: &Path, edits: &[Edit]) {
    for edit in edits {
        write(root, &edit.path, &edit.after);
    }
}

/// Whether `path:line  reason` or `path:from-to  reason` describes a refusal.
fn describes(line: &str, path: &str, at: usize, reason: &str) -> bool {
    let (place, start) = line.split_once("  ").unwrap_or((line, ""));
    let (wanted, numbers) = place.rsplit_once(':').unwrap();
    let (from, to) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    wanted == path && (from..=to).contains(&at) && reason.starts_with(start)
}

fn refusals(expected: &[String], answer: &Answer, faults: &mut Vec<String>) {
    if expected.iter().any(|line| line.starts_with("anything")) {
        return;
    }
    let mut expected: Vec<&String> = expected
        .iter()
        .filter(|line| !line.starts_with("nothing"))
        .collect();
    for refused in &answer.refused {
        let reason = refused.reason.to_string();
        let at = expected
            .iter()
            .position(|line| describes(line, &refused.path, refused.line, &reason));
        match at {
            Some(at) => {
                expected.remove(at);
            }
            None => faults.push(format!(
                "refused: {}:{}  {reason}",
                refused.path, refused.line
            )),
        }
    }
    for line in expected {
        faults.push(format!("not refused: {line}"));
    }
}

fn told(expected: &[String], answer: &Answer, faults: &mut Vec<String>) {
    let tells = |problem: &str, start: &String| problem.starts_with(start.as_str());
    for problem in &answer.problems {
        if !expected.iter().any(|start| tells(problem, start)) {
            faults.push(format!("told as a problem: {problem}"));
        }
    }
    for start in expected {
        if !answer.problems.iter().any(|problem| tells(problem, start)) {
            faults.push(format!("not told as a problem: {start}"));
        }
    }
}

fn moved(expected: &[String], answer: &Answer, faults: &mut Vec<String>) {
    let found: Vec<String> = answer
        .sites
        .iter()
        .map(|site| format!("{}:{}  {}", site.path, site.line, site.images.join(" ")))
        .collect();
    for line in expected.iter().filter(|line| !found.contains(line)) {
        faults.push(format!("does not move {line}, but {found:?}"));
    }
}

/// What is wrong with the answer to one shape, if anything.
fn check(name: &str) -> Vec<String> {
    let shape = shapes().join(name);
    let mut faults = Vec::new();
    let before = files(&shape.join("before"));
    let mut after = before.clone();
    for (path, bytes) in files(&shape.join("after")) {
        assert!(before.contains_key(&path), "{path} was not there before");
        after.insert(path, bytes);
    }
    let root = tempfile::tempdir().unwrap();
    for (path, bytes) in &before {
        write(root.path(), path, bytes);
    }
    let links = lines(&shape, "links").unwrap_or_default();
    let links: Vec<(&str, &str)> = links
        .iter()
        .map(|link| link.split_once(" -> ").unwrap())
        .collect();
    for (path, target) in &links {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    let (options, wanted) = (Options::default(), wanted(&shape));
    let tree = DirTree::open(root.path()).unwrap();
    let answer = find(&tree, &options, &wanted);
    let edits = edit(&tree, &answer.sites);
    let either = shape.join("either").exists();
    if either && !answer.sites.is_empty() {
        refusals(&[], &answer, &mut faults);
    } else {
        let expected = lines(&shape, "refused").unwrap_or_default();
        refusals(&expected, &answer, &mut faults);
    }
    let expected = |file: &str| lines(&shape, file).unwrap_or_default();
    told(&expected("problems"), &answer, &mut faults);
    moved(&expected("moves"), &answer, &mut faults);
    match edits {
        Ok(edits) => apply(root.path(), &edits),
        Err(error) => faults.push(format!("not edited: {error}")),
    }
    let planned = match either && answer.sites.is_empty() {
        true => &before,
        false => &after,
    };
    compare("after the edit", planned, &files(root.path()), &mut faults);
    for (path, _target) in links {
        if !root.path().join(path).is_symlink() {
            faults.push(format!("{path} is no symlink any more"));
        }
    }
    if !faults.is_empty() || answer.sites.is_empty() {
        return faults;
    }

    let tree = DirTree::open(root.path()).unwrap();
    for site in find(&tree, &options, &wanted).sites {
        let (path, line) = (site.path, site.line);
        faults.push(format!("asked again, it moves {path}:{line} once more"));
    }
    let sites = answer.sites.iter();
    let keys: Vec<SiteKey> = sites.map(|site| SiteKey::from(site).reversed()).collect();
    match refind(&tree, &options, &keys) {
        Refound::Ready(sites) => match edit(&tree, &sites) {
            Ok(edits) => apply(root.path(), &edits),
            Err(error) => faults.push(format!("not edited back: {error}")),
        },
        other => faults.push(format!("the way back is not found: {other}")),
    }
    compare(
        "after the way back",
        &before,
        &files(root.path()),
        &mut faults,
    );
    faults
}

#[test]
fn every_shape_is_edited_or_refused_as_its_folder_says() {
    let mut names: Vec<String> = fs::read_dir(shapes())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 90, "only {} shapes", names.len());
    let mut failing = 0;
    let mut text = String::new();
    for name in &names {
        let faults = std::panic::catch_unwind(|| check(name))
            .unwrap_or_else(|_panic| vec!["it panics, see above".to_owned()]);
        if !faults.is_empty() {
            failing += 1;
            text.push_str(&format!("\n{name}\n"));
        }
        for fault in faults {
            text.push_str(&format!("    {}\n", fault.trim_end()));
        }
    }
    let all = names.len();
    assert!(failing == 0, "{failing} of {all} shapes fail:\n{text}");
}

#[test]
fn a_values_file_of_megabytes_stays_fast() {
    let mut values =
        "# größer als üblich\nimage:\n  repository: acme/app\n  tag: \"1.2.0\"\nboards:\n"
            .to_owned();
    let mut number = 0;
    while values.len() < 2_400_000 {
        number += 1;
        values.push_str(&format!(
            "  board-{number}:\n    title: \"Board {number}\"\n    query: 'rate(x{{v=\"1.2.0\"}}[5m])'\n"
        ));
    }
    values.push_str("sidecar:\n  image: docker.io/acme/app:1.2.0\n");
    let main = "resource \"helm_release\" \"app\" {\n  name   = \"app\"\n  chart  = \"app\"\n  \
                values = [file(\"${path.module}/values.yaml\")]\n}\n";
    let tree = MemTree(BTreeMap::from([
        ("stacks/app/main.tf".to_owned(), main.as_bytes().to_vec()),
        (
            "stacks/app/values.yaml".to_owned(),
            values.clone().into_bytes(),
        ),
    ]));
    let wanted = Wanted::Image {
        repository: "docker.io/acme/app".to_owned(),
        tag: "1.3.0".to_owned(),
        digest: None,
    };
    let start = Instant::now();
    let answer = find(&tree, &Options::default(), &wanted);
    let edits = edit(&tree, &answer.sites).unwrap();
    let took = start.elapsed();
    let expected = values
        .replace("tag: \"1.2.0\"", "tag: \"1.3.0\"")
        .replace("acme/app:1.2.0", "acme/app:1.3.0");
    assert_eq!(answer.sites.len(), 2);
    assert_eq!(edits.len(), 1);
    assert!(
        edits[0].after == expected.as_bytes(),
        "other bytes than planned"
    );
    assert_eq!(
        tree.read("stacks/app/values.yaml").unwrap(),
        values.as_bytes()
    );
    // Far more than it takes, even without optimisation on a busy machine.
    assert!(took < Duration::from_secs(30), "it took {took:?}");
}
