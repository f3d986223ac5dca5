//! What each folder declares.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use crate::parse::File;
use crate::sources::{Sources, is_code};
use crate::tree::{folder_of, join, name_of};
use crate::yaml::{Doc, Item};

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

    pub(crate) fn body(&self) -> &'a Body {
        &self.block.body
    }

    /// The line of the block.
    pub(crate) fn line(&self) -> usize {
        self.file
            .text
            .line(self.block.span().unwrap_or_default().start)
    }
}

/// Where a value is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written<'a> {
    Hcl(&'a File, &'a Expression),
    Json(&'a Doc, usize),
}

/// A declared variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable<'a> {
    pub(crate) default: Option<Written<'a>>,
    /// Whether a null that is given stands for itself, and not for the default.
    pub(crate) nullable: bool,
    /// Its type, for the defaults of optional attributes.
    pub(crate) kind: Option<(&'a File, &'a Expression)>,
}

/// What one folder declares.
#[derive(Debug, Default)]
pub(crate) struct Folder<'a> {
    variables: BTreeMap<&'a str, Vec<(bool, Variable<'a>)>>,
    locals: BTreeMap<&'a str, Vec<(bool, Written<'a>)>>,
    pub(crate) outputs: BTreeMap<&'a str, Declared<'a>>,
    pub(crate) resources: Vec<Declared<'a>>,
    pub(crate) data: Vec<Declared<'a>>,
    pub(crate) calls: Vec<Declared<'a>>,
    /// `.tf.json` files.
    pub(crate) json: Vec<&'a Doc>,
}

impl<'a> Folder<'a> {
    /// The declaration that counts; none if it is declared twice, which is an error.
    pub(crate) fn variable(&self, name: &str) -> Option<Variable<'a>> {
        only(self.variables.get(name)?)
    }

    pub(crate) fn local(&self, name: &str) -> Option<Written<'a>> {
        only(self.locals.get(name)?)
    }
}

/// Of several the one of the override file.
fn only<T: Copy>(found: &[(bool, T)]) -> Option<T> {
    let one = |wanted: bool| {
        let mut of_kind = found.iter().filter(|(overrides, _)| *overrides == wanted);
        match (of_kind.next(), of_kind.next()) {
            (Some((_, one)), None) => Ok(Some(*one)),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(()),
        }
    };
    match (one(true), one(false)) {
        (Ok(Some(one)), Ok(_)) | (Ok(None), Ok(Some(one))) => Some(one),
        (Err(()), _) | (_, Err(())) | (Ok(None), Ok(None)) => None,
    }
}

/// Terraform merges `override.tf` and `*_override.tf` over the other files.
fn overrides(path: &str) -> bool {
    let name = name_of(path);
    let stem = name.split('.').next().unwrap_or_default();
    stem == "override" || stem.ends_with("_override")
}

/// All folders of a tree.
#[derive(Debug)]
pub(crate) struct Declarations<'a> {
    pub(crate) folders: BTreeMap<&'a str, Folder<'a>>,
    /// The folders that some module call of the tree leads to.
    pub(crate) called: BTreeSet<String>,
}

impl<'a> Declarations<'a> {
    pub(crate) fn of(sources: &'a Sources) -> Self {
        let mut all = Self {
            folders: BTreeMap::new(),
            called: BTreeSet::new(),
        };
        let code = sources.files.iter().filter(|file| is_code(&file.text.path));
        for file in code {
            all.declare(file);
        }
        let json = sources
            .json
            .iter()
            .filter(|(path, _)| path.ends_with(".tf.json"));
        for (path, doc) in json {
            all.declare_json(path, doc);
        }
        all
    }

    fn declare(&mut self, file: &'a File) {
        let path = folder_of(&file.text.path);
        let over = overrides(&file.text.path);
        let folder = self.folders.entry(path).or_default();
        for block in file.body.blocks() {
            let declared = Declared { file, block };
            let value = |name: &str| block.body.get_attribute(name).map(|found| &found.value);
            match block.ident.as_str() {
                "variable" => {
                    let variable = Variable {
                        default: value("default").map(|value| Written::Hcl(file, value)),
                        kind: value("type").map(|value| (file, value)),
                        nullable: value("nullable").and_then(|value| value.as_bool())
                            != Some(false),
                    };
                    let all = folder.variables.entry(declared.label(0)).or_default();
                    all.push((over, variable));
                }
                "output" => {
                    folder.outputs.insert(declared.label(0), declared);
                }
                "resource" => folder.resources.push(declared),
                "data" => folder.data.push(declared),
                "locals" => {
                    for local in block.body.attributes() {
                        let all = folder.locals.entry(local.key.as_str()).or_default();
                        all.push((over, Written::Hcl(file, &local.value)));
                    }
                }
                "module" => {
                    folder.calls.push(declared);
                    self.called.extend(target_of(&declared));
                }
                _ => {}
            }
        }
    }

    fn declare_json(&mut self, path: &'a str, doc: &'a Doc) {
        let folder = self.folders.entry(folder_of(path)).or_default();
        let over = overrides(path);
        folder.json.push(doc);
        for root in &doc.roots {
            for (name, value) in entries(doc, doc.get(*root, "variable")) {
                let default = doc.get(value, "default").map(|id| Written::Json(doc, id));
                let variable = Variable {
                    default,
                    kind: None,
                    nullable: true,
                };
                folder
                    .variables
                    .entry(name)
                    .or_default()
                    .push((over, variable));
            }
            for (name, value) in entries(doc, doc.get(*root, "locals")) {
                let value = Written::Json(doc, value);
                folder.locals.entry(name).or_default().push((over, value));
            }
            for (_, call) in entries(doc, doc.get(*root, "module")) {
                let source = doc.get(call, "source").and_then(|id| doc.scalar(id));
                self.called
                    .extend(source.and_then(|source| local_source(folder_of(path), source)));
            }
        }
    }
}

/// The keys and values of a map.
pub(crate) fn entries(doc: &Doc, id: Option<usize>) -> impl Iterator<Item = (&str, usize)> {
    let map = match id.and_then(|id| doc.item(id)) {
        Some(Item::Map(entries)) => entries.as_slice(),
        Some(Item::Scalar { .. } | Item::List(_)) | None => &[],
    };
    map.iter()
        .filter_map(|(key, value)| Some((doc.scalar(*key)?, *value)))
}

/// The folder of this tree that a module call leads to.
pub(crate) fn target_of(call: &Declared<'_>) -> Option<String> {
    let source = call.block.body.get_attribute("source")?.value.as_str()?;
    local_source(folder_of(&call.file.text.path), source)
}

/// A source that is a path; `//` only marks where a module begins in what is fetched.
pub(crate) fn local_source(folder: &str, source: &str) -> Option<String> {
    let path = source.split('?').next().unwrap_or_default();
    let relative = path.starts_with("./") || path.starts_with("../") || path == "." || path == "..";
    relative.then(|| join(folder, path)).flatten()
}
