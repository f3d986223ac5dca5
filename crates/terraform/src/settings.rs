//! What sets a variable from outside, in Terraform's order: its default < Terragrunt's inputs and
//! `TF_VAR_…` < `terraform.tfvars` < `*.auto.tfvars` < files given by `-var-file`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hcl_edit::structure::Block;

use crate::declared::{Written, entries as json_entries};
use crate::eval::{DEPTH, Env, Scope, World};
use crate::node::Node;
use crate::parse::{File, Unread};
use crate::parts::{slice, whole};
use crate::sources::{is_code, is_terragrunt, is_variables_file};
use crate::tree::{ancestors, folder_of, join, name_of};

/// What sets one variable.
#[derive(Debug, Clone)]
pub(crate) enum Setting<'a> {
    /// This value, which wins; and those below it that are merged into it, the strongest first.
    Given(Node<'a>, Vec<Node<'a>>),
    /// Which value wins is not known; why.
    Unclear(String),
    Not,
}

/// What sets the variables of a folder in which Terraform is run.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// From the weakest to the strongest.
    given: BTreeMap<String, Vec<Given<'a>>>,
    /// Files that could not be read, with their text.
    unread: Vec<(&'a str, &'a str)>,
}

#[derive(Debug, Clone)]
struct Given<'a> {
    node: Node<'a>,
    path: &'a str,
    /// Whether it is not known that the file is given at all.
    perhaps: bool,
    /// Whether it is merged into what is weaker, and does not replace it.
    deep: bool,
}

impl<'a> Settings<'a> {
    pub(crate) fn of(world: &Rc<World<'a>>, root: &str) -> Self {
        let mut settings = Self {
            given: BTreeMap::new(),
            unread: unread(world, root),
        };
        let (mut listed, mut arguments) = (Vec::new(), Vec::new());
        if let Some(file) = world.file(&in_folder(root, "terragrunt.hcl")) {
            let mut chain = world.parents(file);
            chain.reverse();
            chain.push(file);
            for file in &chain {
                let scope = world.of_terragrunt(file, root);
                settings.add_inputs(&scope, file);
                listed.extend(var_files(&scope, file));
            }
            arguments = chain;
        }
        let scope = world.of_root(root, None);
        let (own, others) = files(world, root);
        for path in own {
            settings.add_file(world, &scope, path, false);
        }
        for path in &listed {
            if let Some(path) = world.sources.paths.get(path) {
                settings.add_file(world, &scope, path, false);
            }
        }
        for path in others {
            if !listed.iter().any(|listed| listed == path) {
                settings.add_file(world, &scope, path, true);
            }
        }
        for file in arguments {
            settings.add_arguments(&world.of_terragrunt(file, root), file);
        }
        settings
    }

    /// What sets this variable.
    pub(crate) fn of_variable(&self, name: &str, variant: Option<&str>) -> Setting<'a> {
        let names = |(_, text): &&(&str, &str)| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
                .any(|word| word == name)
        };
        if let Some((path, _)) = self.unread.iter().find(names) {
            return Setting::Unclear(format!("which {path} names, and that could not be read"));
        }
        let Some(given) = self.given.get(name) else {
            return Setting::Not;
        };
        let perhaps: Vec<&Given<'_>> = given.iter().filter(|given| given.perhaps).collect();
        let chosen = perhaps.iter().find(|given| Some(given.path) == variant);
        if let Some(chosen) = chosen {
            return Setting::Given(chosen.node.clone(), Vec::new());
        }
        if variant.is_some() && perhaps.len() > 1 {
            // Others set it for themselves.
            let mut sure = given.iter().rev().filter(|given| !given.perhaps);
            return match sure.next() {
                Some(sure) => Setting::Given(sure.node.clone(), Vec::new()),
                None => Setting::Not,
            };
        }
        match (perhaps.as_slice(), given.last()) {
            ([], Some(last)) => {
                let below = given.iter().rev().skip(1).filter(|_| last.deep);
                Setting::Given(
                    last.node.clone(),
                    below.map(|below| below.node.clone()).collect(),
                )
            }
            ([one], _) => Setting::Given(one.node.clone(), Vec::new()),
            ([one, other, ..], _) => Setting::Unclear(format!(
                "which {} and {} both set; which one is used is not written",
                one.path, other.path
            )),
            ([], None) => Setting::Not,
        }
    }

    /// The files that set the same variables and cannot all be given at once, such as one for each
    /// environment; none if there are no such.
    pub(crate) fn variants(&self) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        for given in self.given.values() {
            let unsure = given.iter().filter(|given| given.perhaps);
            let paths: BTreeSet<&str> = unsure.map(|given| given.path).collect();
            if paths.len() > 1 {
                found.extend(paths);
            }
        }
        found
    }

    fn add(&mut self, name: &str, given: Given<'a>) {
        self.given.entry(name.to_owned()).or_default().push(given);
    }

    /// `inputs`, and the variables of the environment.
    fn add_inputs(&mut self, scope: &Scope<'a>, file: &'a File) {
        let path = file.text.path.as_str();
        for block in extra_arguments(file) {
            let Some(variables) = block.body.get_attribute("env_vars") else {
                continue;
            };
            let node = scope.node(&variables.value, "env_vars");
            for entry in node.entries(DEPTH).unwrap_or_default() {
                if let Some(name) = entry
                    .key
                    .as_deref()
                    .and_then(|key| key.strip_prefix("TF_VAR_"))
                {
                    let node = entry.value.clone();
                    self.add(
                        name,
                        Given {
                            node,
                            path,
                            perhaps: false,
                            deep: false,
                        },
                    );
                }
            }
        }
        let Some(inputs) = file.body.get_attribute("inputs") else {
            return;
        };
        let node = scope.node(&inputs.value, "inputs");
        let deep = merges_deeply(file);
        for entry in node.entries(DEPTH).unwrap_or_default() {
            if let Some(name) = entry.key {
                let node = entry.value;
                self.add(
                    &name,
                    Given {
                        node,
                        path,
                        perhaps: false,
                        deep,
                    },
                );
            }
        }
    }

    /// Variables given by `-var`.
    fn add_arguments(&mut self, scope: &Scope<'a>, file: &'a File) {
        let path = file.text.path.as_str();
        for block in extra_arguments(file) {
            let Some(list) = block.body.get_attribute("arguments") else {
                continue;
            };
            let entries = scope
                .node(&list.value, "arguments")
                .entries(DEPTH)
                .unwrap_or_default();
            let mut announced = false;
            for entry in entries {
                let parts = entry.value.parts(DEPTH);
                let Some(text) = whole(&parts) else {
                    continue;
                };
                let flag = text.trim_start_matches('-');
                let (given, from) = match flag.strip_prefix("var=") {
                    Some(given) if text.starts_with('-') => (given, text.len() - given.len()),
                    _ if announced => (text.as_str(), 0),
                    _ => {
                        announced = matches!(text.as_str(), "-var" | "--var");
                        continue;
                    }
                };
                announced = false;
                if let Some((name, _)) = given.split_once('=') {
                    let value = slice(&parts, from + name.len() + 1..text.len());
                    let node = Node::Parts(value);
                    self.add(
                        name.trim(),
                        Given {
                            node,
                            path,
                            perhaps: false,
                            deep: false,
                        },
                    );
                }
            }
        }
    }

    fn add_file(&mut self, world: &World<'a>, scope: &Scope<'a>, path: &'a str, perhaps: bool) {
        if let Some(file) = world.file(path) {
            for attribute in file.body.attributes() {
                let name = attribute.key.as_str();
                let node = scope.within(file).node(&attribute.value, name);
                self.add(
                    name,
                    Given {
                        node,
                        path,
                        perhaps,
                        deep: false,
                    },
                );
            }
        }
        if let Some(doc) = world.sources.json.get(path) {
            for root in &doc.roots {
                for (name, id) in json_entries(doc, Some(*root)) {
                    let node = scope.written(Written::Json(doc, id), name);
                    self.add(
                        name,
                        Given {
                            node,
                            path,
                            perhaps,
                            deep: false,
                        },
                    );
                }
            }
        }
    }
}

/// The variables files that Terraform reads by itself, in its order, and those that it might be
/// given: beside them, and in folders near by that hold no code of their own.
fn files<'a>(world: &World<'a>, root: &str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut own, mut auto, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let has_code = |folder: &str| world.declared.folders.contains_key(folder);
    let near = ancestors(root);
    for path in world
        .sources
        .paths
        .iter()
        .filter(|path| is_variables_file(path))
    {
        let (folder, name) = (folder_of(path), name_of(path));
        if folder == root {
            if matches!(name, "terraform.tfvars" | "terraform.tfvars.json") {
                own.push(path.as_str());
            } else if name.contains(".auto.tfvars") {
                auto.push(path.as_str());
            } else {
                others.push(path.as_str());
            }
        } else if !has_code(folder) {
            let above = near.contains(&folder);
            let below = ancestors(folder)
                .into_iter()
                .skip(1)
                .find(|folder| has_code(folder))
                .is_some_and(|nearest| nearest == root);
            if above || below {
                others.push(path.as_str());
            }
        }
    }
    own.extend(auto);
    (own, others)
}

/// Files that may set variables here, and that could not be read.
fn unread<'a>(world: &World<'a>, root: &str) -> Vec<(&'a str, &'a str)> {
    let near = ancestors(root);
    let found = world.sources.unread.iter().filter(|(path, file)| {
        (is_terragrunt(path) || is_variables_file(path))
            && file.why != Unread::Binary
            && near.contains(&folder_of(path))
    });
    found
        .map(|(path, file)| (path.as_str(), file.text.as_str()))
        .collect()
}

/// Encrypted files that could set the variables of this folder.
pub(crate) fn encrypted<'a>(world: &World<'a>, root: &str) -> Vec<&'a str> {
    let near = ancestors(root);
    let found = world.sources.unread.iter().filter(|(path, file)| {
        is_variables_file(path) && file.why == Unread::Binary && near.contains(&folder_of(path))
    });
    found.map(|(path, _)| path.as_str()).collect()
}

/// The blocks that say what Terragrunt gives to Terraform.
fn extra_arguments(file: &File) -> impl Iterator<Item = &Block> {
    let terraform = file.body.get_blocks("terraform");
    terraform.flat_map(|block| block.body.get_blocks("extra_arguments"))
}

/// Whether a file's inputs are merged into those of what it includes, key by key.
fn merges_deeply(file: &File) -> bool {
    file.body.get_blocks("include").any(|include| {
        let strategy = include.body.get_attribute("merge_strategy");
        strategy.is_some_and(|strategy| strategy.value.as_str() == Some("deep"))
    })
}

/// The files that Terragrunt gives by `-var-file`, in their order.
fn var_files<'a>(scope: &Scope<'a>, file: &'a File) -> Vec<String> {
    let mut found = Vec::new();
    for block in extra_arguments(file) {
        for (name, mark) in [
            ("arguments", Some("-var-file=")),
            ("required_var_files", None),
            ("optional_var_files", None),
        ] {
            let Some(list) = block.body.get_attribute(name) else {
                continue;
            };
            let node = scope.node(&list.value, name);
            for entry in node.entries(DEPTH).unwrap_or_default() {
                let Some(text) = whole(&entry.value.parts(DEPTH)) else {
                    continue;
                };
                let path = match mark {
                    Some(mark) => text
                        .trim_start_matches('-')
                        .strip_prefix(mark.trim_start_matches('-')),
                    None => Some(text.as_str()),
                };
                let base = if path.is_some_and(|path| path.starts_with('/')) {
                    ""
                } else {
                    scope.env.root.as_str()
                };
                found.extend(path.and_then(|path| join(base, path)));
            }
        }
    }
    found
}

pub(crate) fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

impl<'a> World<'a> {
    /// The parsed file with this path.
    pub(crate) fn file(&self, path: &str) -> Option<&'a File> {
        let files = &self.sources.files;
        let at = files.binary_search_by(|file| file.text.path.as_str().cmp(path));
        files.get(at.ok()?)
    }

    /// A file of Terragrunt that `read_terragrunt_config` names.
    pub(crate) fn config(&self, path: &str) -> Option<&'a File> {
        self.file(path)
            .filter(|file| is_terragrunt(&file.text.path))
    }

    /// The nearest file of this name above a folder.
    pub(crate) fn above(&self, folder: &str, name: &str) -> Option<String> {
        let mut folders = ancestors(folder).into_iter().skip(1);
        folders.find_map(|folder| {
            let path = join(folder, name)?;
            self.sources.paths.contains(&path).then_some(path)
        })
    }

    /// The file that a Terragrunt file includes, under this name or the first one.
    pub(crate) fn parent(self: &Rc<Self>, file: &'a File, name: Option<&str>) -> Option<&'a File> {
        let mut includes = file.body.get_blocks("include").filter(|block| {
            let label = block.labels.first().map(|label| label.as_str());
            name.is_none_or(|name| label.unwrap_or_default() == name)
        });
        let path = includes.next()?.body.get_attribute("path")?;
        let folder = folder_of(&file.text.path);
        let scope = self.of_terragrunt(file, folder);
        let text = whole(&scope.node(&path.value, "").parts(DEPTH))?;
        let base = if text.starts_with('/') { "" } else { folder };
        self.config(&join(base, &text)?)
    }

    /// All files that a Terragrunt file includes, the nearest first.
    fn parents(self: &Rc<Self>, file: &'a File) -> Vec<&'a File> {
        let mut found: Vec<&'a File> = Vec::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            for include in file.body.get_blocks("include") {
                let name = include.labels.first().map_or("", |label| label.as_str());
                if let Some(parent) = self.parent(file, Some(name))
                    && found.len() < 8
                    && !found.iter().any(|known| std::ptr::eq(*known, parent))
                {
                    found.push(parent);
                    open.push(parent);
                }
            }
        }
        found
    }

    /// The scope of a file of Terragrunt, run in this folder.
    pub(crate) fn of_terragrunt(self: &Rc<Self>, file: &'a File, root: &str) -> Scope<'a> {
        let env = Env {
            folder: folder_of(&file.text.path).to_owned(),
            root: root.to_owned(),
            variant: None,
            call: None,
            bound: Vec::new(),
            terragrunt: Some(file),
        };
        Scope {
            world: Rc::clone(self),
            text: &file.text,
            file: Some(file),
            env: Rc::new(env),
        }
    }

    /// The module that is run in this folder: its own, or the one that Terragrunt names.
    pub(crate) fn module_of(self: &Rc<Self>, root: &str) -> String {
        let source = self
            .file(&in_folder(root, "terragrunt.hcl"))
            .into_iter()
            .flat_map(|file| {
                let mut chain = vec![file];
                chain.extend(self.parents(file));
                chain
            })
            .find_map(|file| {
                let terraform = file.body.get_blocks("terraform").next()?;
                let source = terraform.body.get_attribute("source")?;
                let scope = self.of_terragrunt(file, root);
                let text = whole(&scope.node(&source.value, "").parts(DEPTH))?;
                let path = text.split('?').next().unwrap_or_default();
                let base = if path.starts_with('/') { "" } else { root };
                let relative = path.starts_with('/') || path.starts_with('.');
                relative.then(|| join(base, path)).flatten()
            });
        let known = |folder: &String| self.declared.folders.contains_key(folder.as_str());
        source.filter(known).unwrap_or_else(|| root.to_owned())
    }

    /// The scope of what is run in this folder.
    pub(crate) fn of_root(self: &Rc<Self>, root: &str, variant: Option<&str>) -> Scope<'a> {
        let env = Env {
            folder: self.module_of(root),
            root: root.to_owned(),
            variant: variant.map(str::to_owned),
            call: None,
            bound: Vec::new(),
            terragrunt: None,
        };
        Scope {
            world: Rc::clone(self),
            // Each file is entered from here.
            text: &self.sources.nowhere,
            file: None,
            env: Rc::new(env),
        }
    }

    /// The folders in which something is run: those with code that nobody calls, and those of
    /// Terragrunt.
    pub(crate) fn roots(self: &Rc<Self>) -> Vec<String> {
        let mut roots: Vec<String> = Vec::new();
        let mut run_elsewhere = BTreeSet::new();
        for file in &self.sources.files {
            let folder = folder_of(&file.text.path);
            let own = name_of(&file.text.path) == "terragrunt.hcl"
                && (file.body.has_blocks("terraform")
                    || file.body.has_attribute("inputs")
                    || file.body.has_blocks("include"));
            let code = is_code(&file.text.path) && !self.declared.called.contains(folder);
            if own {
                let module = self.module_of(folder);
                run_elsewhere.extend((module != folder).then_some(module));
            }
            if own || code {
                roots.push(folder.to_owned());
            }
        }
        for folder in self.declared.folders.keys() {
            if !self.declared.called.contains(*folder) {
                roots.push((*folder).to_owned());
            }
        }
        roots.retain(|root| !run_elsewhere.contains(root));
        roots.sort();
        roots.dedup();
        roots
    }
}
