//! What each folder declares, and what overrides its variables.

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::{Object, ObjectKey};
use hcl_edit::structure::{Attribute, Block};
use hcl_edit::visit::{Visit, visit_object};

use crate::parse::{File, Unread};
use crate::tree::{Tree, ancestors, folder_of, join, name_of};

/// The parsed files of a tree, and those that could not be parsed.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<File>,
    unread: BTreeMap<String, UnreadFile>,
}

#[derive(Debug)]
struct UnreadFile {
    why: Unread,
    /// The text as far as there is any: a variable it names may be set there.
    text: String,
}

impl Sources {
    /// Reads every file that Terraform or Terragrunt would read, wherever it is.
    pub(crate) fn read(tree: &dyn Tree) -> Self {
        let mut sources = Self::default();
        for path in tree.paths() {
            if !reads(&path) {
                continue;
            }
            let Some(bytes) = tree.read(&path) else {
                continue;
            };
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            if path.ends_with(".json") {
                let why = if bytes.contains(&0) {
                    Unread::Binary
                } else {
                    Unread::Json
                };
                let text = text();
                sources.unread.insert(path, UnreadFile { why, text });
                continue;
            }
            match File::parse(&path, bytes.clone()) {
                Ok(file) => sources.files.push(file),
                Err(why) => {
                    let text = text();
                    sources.unread.insert(path, UnreadFile { why, text });
                }
            }
        }
        sources.files.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// The files whose syntax is broken, each with its position.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.unread
            .iter()
            .filter_map(|(path, file)| match &file.why {
                Unread::Syntax(text) => Some(text.clone()),
                Unread::Binary if path.ends_with(".tf") => Some(format!(
                    "{path}: is encrypted or binary, so what it declares is unknown"
                )),
                Unread::Binary | Unread::Json => None,
            })
            .collect()
    }
}

/// Whether what a file says can matter: all others are never read.
#[must_use]
pub fn reads(path: &str) -> bool {
    path.ends_with(".tf") || is_terragrunt(path) || is_variables_file(path)
}

fn is_terragrunt(path: &str) -> bool {
    matches!(name_of(path), "terragrunt.hcl" | "root.hcl")
}

fn is_variables_file(path: &str) -> bool {
    path.ends_with(".tfvars") || path.ends_with(".tfvars.json")
}

/// A top-level block of a `.tf` file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    pub(crate) file: &'a File,
    pub(crate) block: &'a Block,
}

impl<'a> Declared<'a> {
    /// The n-th label of the block, `""` where there is none.
    pub(crate) fn label(&self, n: usize) -> &'a str {
        self.block.labels.get(n).map_or("", |label| label.as_str())
    }

    /// The line of the block.
    pub(crate) fn line(&self) -> usize {
        self.file.line(self.block.span().unwrap_or_default().start)
    }
}

/// What one folder declares.
#[derive(Debug, Default)]
pub(crate) struct Folder<'a> {
    pub(crate) variables: BTreeMap<&'a str, Vec<Declared<'a>>>,
    pub(crate) locals: BTreeMap<&'a str, Vec<(&'a File, &'a Attribute)>>,
    pub(crate) resources: Vec<Declared<'a>>,
    pub(crate) calls: Vec<Declared<'a>>,
}

/// A value that wins over a variable's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// Where it stands, for a person.
    pub(crate) by: String,
    /// The value, where it is a plain string.
    pub(crate) value: Option<String>,
}

/// All folders of a tree.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    sources: &'a Sources,
    pub(crate) folders: BTreeMap<&'a str, Folder<'a>>,
    /// Per file that sets variables from outside: the name and where.
    settings: BTreeMap<&'a str, Vec<(String, Override)>>,
    /// Per folder called as a module: the calls.
    callers: BTreeMap<String, Vec<Declared<'a>>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(sources: &'a Sources) -> Self {
        let mut index = Self {
            sources,
            folders: BTreeMap::new(),
            settings: BTreeMap::new(),
            callers: BTreeMap::new(),
        };
        for file in &sources.files {
            if is_variables_file(&file.path) {
                index.settings.insert(&file.path, assignments(file));
            } else if is_terragrunt(&file.path) {
                let mut keys = Keys {
                    file,
                    found: Vec::new(),
                };
                keys.visit_body(&file.body);
                index.settings.insert(&file.path, keys.found);
            } else {
                index.declare(file);
            }
        }
        index
    }

    fn declare(&mut self, file: &'a File) {
        let path = folder_of(&file.path);
        let folder = self.folders.entry(path).or_default();
        for block in file.body.blocks() {
            let declared = Declared { file, block };
            match block.ident.as_str() {
                "variable" => folder
                    .variables
                    .entry(declared.label(0))
                    .or_default()
                    .push(declared),
                "resource" => folder.resources.push(declared),
                "locals" => {
                    for local in block.body.attributes() {
                        folder
                            .locals
                            .entry(local.key.as_str())
                            .or_default()
                            .push((file, local));
                    }
                }
                "module" => {
                    folder.calls.push(declared);
                    let source = block
                        .body
                        .get_attribute("source")
                        .and_then(|a| a.value.as_str());
                    let local = source.filter(|source| source.starts_with('.'));
                    if let Some(target) = local.and_then(|source| join(path, source)) {
                        self.callers.entry(target).or_default().push(declared);
                    }
                }
                _ => {}
            }
        }
    }

    /// What wins over the default of a variable of this folder, if anything does.
    pub(crate) fn override_of(&self, folder: &str, variable: &str) -> Option<Override> {
        if let Some(call) = self.callers.get(folder).and_then(|calls| {
            calls
                .iter()
                .find(|call| call.block.body.has_attribute(variable))
        }) {
            let by = format!(
                "module.{} at {}:{}",
                call.label(0),
                call.file.path,
                call.line()
            );
            return Some(Override { by, value: None });
        }
        let near = ancestors(folder);
        // The last one of the nearest folder counts; for refusing, any is enough.
        for folder in &near {
            let set = self
                .settings
                .iter()
                .rev()
                .filter(|(path, _)| folder_of(path) == *folder);
            for (_, settings) in set {
                if let Some((_, found)) = settings.iter().rev().find(|(name, _)| {
                    name == variable || name.strip_prefix("TF_VAR_") == Some(variable)
                }) {
                    return Some(found.clone());
                }
            }
        }
        self.sources
            .unread
            .iter()
            .filter(|(path, file)| {
                !path.ends_with(".tf")
                    && file.why != Unread::Binary
                    && near.contains(&folder_of(path))
                    && names(&file.text, variable)
            })
            .map(|(path, _)| Override {
                by: format!("{path}, which names it and could not be read"),
                value: None,
            })
            .next()
    }

    /// Encrypted files that could override the variables of this folder.
    pub(crate) fn encrypted_settings(&self, folder: &str) -> Vec<&'a str> {
        let near = ancestors(folder);
        self.sources
            .unread
            .iter()
            .filter(|(path, file)| {
                file.why == Unread::Binary
                    && is_variables_file(path)
                    && near.contains(&folder_of(path))
            })
            .map(|(path, _)| path.as_str())
            .collect()
    }
}

/// Whether a text has this name as a whole word.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .any(|word| word == name)
}

/// The assignments of a `.tfvars` file.
fn assignments(file: &File) -> Vec<(String, Override)> {
    file.body
        .attributes()
        .map(|attribute| {
            let line = file.line(attribute.span().unwrap_or_default().start);
            let by = format!("{}:{line}", file.path);
            let value = attribute.value.as_str().map(str::to_owned);
            (attribute.key.as_str().to_owned(), Override { by, value })
        })
        .collect()
}

/// Every object key of a Terragrunt file: inputs may be merged from locals, and what is merged
/// how is not followed, so any key of that name counts.
struct Keys<'a> {
    file: &'a File,
    found: Vec<(String, Override)>,
}

impl Visit for Keys<'_> {
    fn visit_object(&mut self, object: &Object) {
        for (key, value) in object.iter() {
            let name = match key {
                ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                ObjectKey::Expression(expression) => match expression.as_variable() {
                    Some(ident) => ident.as_str().to_owned(),
                    None => expression.as_str().unwrap_or_default().to_owned(),
                },
            };
            let line = self
                .file
                .line(value.expr().span().unwrap_or_default().start);
            let by = format!("{}:{line}", self.file.path);
            let value = value.expr().as_str().map(str::to_owned);
            self.found.push((name, Override { by, value }));
        }
        visit_object(self, object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemTree;

    fn override_in(files: &[(&str, &str)]) -> Option<Override> {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).into(), (*text).into()))
            .collect();
        let sources = Sources::read(&MemTree(files));
        Index::new(&sources).override_of("stacks/x", "tag")
    }

    #[test]
    fn inputs_assignments_and_callers_override_a_default() {
        let by = |files: &[(&str, &str)]| override_in(files).map(|found| found.by);
        assert_eq!(
            by(&[(
                "stacks/x/terragrunt.hcl",
                "inputs = merge(local.a, {\n  tag = \"1\"\n})\n"
            )]),
            Some("stacks/x/terragrunt.hcl:2".into())
        );
        assert_eq!(
            by(&[("terraform.tfvars", "tag = \"1\"\n")]),
            Some("terraform.tfvars:1".into())
        );
        assert_eq!(by(&[("stacks/y/terraform.tfvars", "tag = \"1\"\n")]), None);
        assert_eq!(by(&[("stacks/x/a.tfvars", "other_tag = \"1\"\n")]), None);
        assert_eq!(
            by(&[(
                "stacks/y/main.tf",
                "module \"b\" {\n  source = \"../x\"\n  tag    = \"1\"\n}\n"
            )]),
            Some("module.b at stacks/y/main.tf:1".into())
        );
        assert_eq!(
            by(&[("stacks/x/a.tfvars.json", "{\"tag\": \"1\"}")]),
            Some("stacks/x/a.tfvars.json, which names it and could not be read".into())
        );
    }
}
