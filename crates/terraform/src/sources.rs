//! The files of a tree that matter, read once and parsed.

use std::collections::{BTreeMap, BTreeSet};

use crate::parse::{File, Mention, Unread, as_text};
use crate::text::Text;
use crate::tree::{Tree, folder_of, name_of};
use crate::yaml::Doc;

/// A longer values file is none that a person keeps.
const MAX_YAML_BYTES: usize = 16 * 1024 * 1024;

/// The parsed files of a tree, and those that could not be parsed.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The text of what stands in no file.
    pub(crate) nowhere: Text,
    /// In the order of their paths.
    pub(crate) files: Vec<File>,
    /// `.tf.json` and `.tfvars.json`.
    pub(crate) json: BTreeMap<String, Doc>,
    /// YAML that `file()` reads.
    pub(crate) plain: BTreeMap<String, Doc>,
    /// YAML that `templatefile()` reads.
    pub(crate) templates: BTreeMap<String, Doc>,
    pub(crate) unread: BTreeMap<String, UnreadFile>,
    /// All paths of the tree.
    pub(crate) paths: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct UnreadFile {
    pub(crate) why: Unread,
    /// The text as far as there is any: a variable it names may be set there.
    pub(crate) text: String,
}

/// A file that was parsed, whatever it is.
enum Parsed {
    Hcl(Box<File>),
    Json(String, Doc),
    Unread(String, UnreadFile),
}

impl Sources {
    /// Reads every file that Terraform or Terragrunt would read, wherever it is.
    pub(crate) fn read(tree: &dyn Tree) -> Self {
        let mut sources = Self {
            nowhere: Text::new("", String::new()),
            files: Vec::new(),
            json: BTreeMap::new(),
            plain: BTreeMap::new(),
            templates: BTreeMap::new(),
            unread: BTreeMap::new(),
            paths: tree.paths().into_iter().collect(),
        };
        let wanted = sources.paths.iter().filter(|path| is_terraform(path));
        let contents: Vec<(String, Vec<u8>)> = wanted
            .filter_map(|path| Some((path.clone(), tree.read(path)?)))
            .collect();
        for parsed in side_by_side(contents, parse) {
            sources.add(parsed);
        }
        sources.files.sort_by(|a, b| a.text.path.cmp(&b.text.path));
        sources.read_mentioned(tree);
        sources
    }

    fn add(&mut self, parsed: Parsed) {
        match parsed {
            Parsed::Hcl(file) => self.files.push(*file),
            Parsed::Json(path, doc) => {
                self.json.insert(path, doc);
            }
            Parsed::Unread(path, file) => {
                self.unread.insert(path, file);
            }
        }
    }

    /// Reads the values files and templates that the Terraform files name.
    fn read_mentioned(&mut self, tree: &dyn Tree) {
        let mut wanted: BTreeMap<(&str, bool), bool> = BTreeMap::new();
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in self.paths.iter().filter(|path| is_values(path)) {
            by_name.entry(name_of(path)).or_default().push(path);
        }
        for file in &self.files {
            let folder = folder_of(&file.text.path);
            for mention in &file.mentions {
                for path in mentioned(mention, folder, &by_name) {
                    let guess = wanted.entry((path, mention.template)).or_insert(true);
                    *guess &= mention.guess;
                }
            }
        }
        let contents: Vec<(String, (Vec<u8>, bool))> = wanted
            .keys()
            .filter_map(|(path, template)| {
                Some(((*path).to_owned(), (tree.read(path)?, *template)))
            })
            .filter(|(_, (bytes, _))| bytes.len() <= MAX_YAML_BYTES)
            .collect();
        let sure: BTreeSet<(String, bool)> = wanted
            .into_iter()
            .filter(|(_, guess)| !guess)
            .map(|((path, template), _)| (path.to_owned(), template))
            .collect();
        for (path, template, parsed) in side_by_side(contents, values) {
            match parsed {
                Ok(doc) if template => {
                    self.templates.insert(path, doc);
                }
                Ok(doc) => {
                    self.plain.insert(path, doc);
                }
                // Whatever else a template makes is nobody's fault.
                Err(unread)
                    if sure.contains(&(path.clone(), template))
                        && (is_yaml(&path) || unread.text.contains("image:")) =>
                {
                    self.unread.insert(path, unread);
                }
                Err(_other) => {}
            }
        }
    }

    /// The files whose syntax is broken, each with its position.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.unread
            .iter()
            .filter_map(|(path, file)| match &file.why {
                Unread::Syntax(text) => Some(text.clone()),
                Unread::Binary if !is_variables_file(path) => Some(format!(
                    "{path}: is encrypted or binary, so what it declares is unknown"
                )),
                Unread::Binary => None,
            })
            .collect()
    }
}

/// Works on all of them, on as many threads as there are processors; the order is kept.
fn side_by_side<T: Send, R: Send>(
    mut items: Vec<(String, T)>,
    work: impl Fn(String, T) -> R + Sync,
) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if threads < 2 || items.len() < 8 {
        return items
            .into_iter()
            .map(|(path, item)| work(path, item))
            .collect();
    }
    // Neighbours are alike, so that every n-th makes equal shares.
    let mut shares: Vec<Vec<(usize, (String, T))>> = (0..threads).map(|_| Vec::new()).collect();
    for (at, item) in items.drain(..).enumerate() {
        if let Some(share) = shares.get_mut(at % threads) {
            share.push((at, item));
        }
    }
    let work = &work;
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| {
                scope.spawn(move || {
                    let done = share.into_iter();
                    done.map(|(at, (path, item))| (at, work(path, item)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut done = Vec::new();
        for thread in running {
            match thread.join() {
                Ok(share) => done.extend(share),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}

fn parse(path: String, bytes: Vec<u8>) -> Parsed {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let unread = |path: String, why, text| Parsed::Unread(path, UnreadFile { why, text });
    if path.ends_with(".json") {
        let text = match as_text(bytes) {
            Ok(text) => text,
            Err(why) => return unread(path, why, String::new()),
        };
        return match Doc::template(Text::new(&path, text.clone())) {
            Ok(doc) => Parsed::Json(path, doc),
            Err(why) => unread(path, Unread::Syntax(why), text),
        };
    }
    match File::parse(&path, bytes.clone()) {
        Ok(file) => Parsed::Hcl(Box::new(file)),
        Err(why) => unread(path, why, lossy(&bytes)),
    }
}

fn values(
    path: String,
    (bytes, template): (Vec<u8>, bool),
) -> (String, bool, Result<Doc, UnreadFile>) {
    let parsed = as_text(bytes).map_err(|why| UnreadFile {
        why,
        text: String::new(),
    });
    let parsed = parsed.and_then(|text| {
        let whole = Text::new(&path, text.clone());
        let doc = if template {
            Doc::template(whole)
        } else {
            Doc::plain(whole)
        };
        doc.map_err(|why| UnreadFile {
            why: Unread::Syntax(why),
            text,
        })
    });
    (path, template, parsed)
}

/// The files that a function may name, of those with YAML names.
fn mentioned<'a>(
    mention: &Mention,
    folder: &str,
    by_name: &BTreeMap<&'a str, Vec<&'a str>>,
) -> Vec<&'a str> {
    let name = name_of(&mention.ending);
    if let Some(found) = by_name.get(name) {
        return found.clone();
    }
    if mention.ending.contains('/') {
        return Vec::new();
    }
    // The name, or a part of it, comes from an expression: all that could be meant, below the
    // folder.
    let near = by_name.values().flatten().filter(|path| {
        path.ends_with(name)
            && (folder.is_empty()
                || path
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with('/')))
    });
    near.copied().collect()
}

/// Whether what a file says can matter: all others are never read.
#[must_use]
pub fn reads(path: &str) -> bool {
    is_terraform(path) || is_values(path)
}

/// Whether Terraform or Terragrunt reads it by itself.
fn is_terraform(path: &str) -> bool {
    let name = name_of(path);
    // What editors leave behind.
    if name.starts_with(['.', '#']) || name.ends_with('~') {
        return false;
    }
    is_code(path) || path.ends_with(".tf.json") || is_terragrunt(path) || is_variables_file(path)
}

/// Whether it declares things in HCL.
pub(crate) fn is_code(path: &str) -> bool {
    path.ends_with(".tf") || path.ends_with(".tofu")
}

/// Terragrunt's own files; any `.hcl` may be included by one, but lock files are none.
pub(crate) fn is_terragrunt(path: &str) -> bool {
    path.ends_with(".hcl") && !name_of(path).ends_with(".lock.hcl")
}

pub(crate) fn is_variables_file(path: &str) -> bool {
    path.ends_with(".tfvars") || path.ends_with(".tfvars.json")
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

fn is_values(path: &str) -> bool {
    let endings = [".yaml", ".yml", ".tpl", ".tftpl", ".tmpl", ".json"];
    endings.iter().any(|ending| path.ends_with(ending))
        && !path.ends_with(".tf.json")
        && !is_variables_file(path)
}
