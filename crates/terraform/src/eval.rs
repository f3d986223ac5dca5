//! Where a value comes from, as far as the files alone say it: from an expression along variables,
//! locals, module calls and values files to what is written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::Body;

use crate::declared::{Declarations, Declared, Folder, Written};
use crate::functions;
use crate::node::{Node, Seg, Unknown, index_of, key_text, local_of};
use crate::parse::File;
use crate::parts::{Part, whole};
use crate::settings::{Setting, Settings};
use crate::sources::Sources;
use crate::text::Text;
use crate::truth;

/// How far references are followed: enough for every real tree, and an end for loops.
pub(crate) const DEPTH: usize = 40;
/// Everything that is known of a tree.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) declared: &'a Declarations<'a>,
    settings: RefCell<BTreeMap<String, Rc<Settings<'a>>>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(sources: &'a Sources, declared: &'a Declarations<'a>) -> Rc<Self> {
        Rc::new(Self {
            sources,
            declared,
            settings: RefCell::default(),
        })
    }

    /// What sets variables from outside where Terraform is run in this folder.
    pub(crate) fn settings(self: &Rc<Self>, root: &str) -> Rc<Settings<'a>> {
        if let Some(known) = self.settings.borrow().get(root) {
            return Rc::clone(known);
        }
        let settings = Rc::new(Settings::of(self, root));
        let mut all = self.settings.borrow_mut();
        Rc::clone(all.entry(root.to_owned()).or_insert(settings))
    }

    /// Lets go of what was remembered, which holds on to the world itself.
    pub(crate) fn forget(&self) {
        self.settings.borrow_mut().clear();
    }
}

/// What names mean at a place.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    /// The folder whose declarations are in scope.
    pub(crate) folder: String,
    /// The folder in which Terraform or Terragrunt is run.
    pub(crate) root: String,
    /// The file that is given by `-var-file`, where several would not go together.
    pub(crate) variant: Option<String>,
    /// The call of this module.
    pub(crate) call: Option<(Declared<'a>, Scope<'a>)>,
    /// Names of loops and templates, the innermost last.
    pub(crate) bound: Vec<(String, Bound<'a>)>,
    /// The file of Terragrunt whose locals are in scope instead of a folder's.
    pub(crate) terragrunt: Option<&'a File>,
}

/// What a name of a loop or a template stands for.
#[derive(Debug, Clone)]
pub(crate) enum Bound<'a> {
    Plain(Node<'a>),
    /// `each` and its like.
    Each {
        key: Node<'a>,
        value: Node<'a>,
    },
}

/// Where an expression is evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'a> {
    pub(crate) world: Rc<World<'a>>,
    /// The text in which it is written.
    pub(crate) text: &'a Text,
    /// The file, where the text is the whole of one.
    pub(crate) file: Option<&'a File>,
    pub(crate) env: Rc<Env<'a>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn folder(&self) -> Option<&'a Folder<'a>> {
        self.world.declared.folders.get(self.env.folder.as_str())
    }

    /// The same meaning of names in another file.
    pub(crate) fn within(&self, file: &'a File) -> Self {
        Self {
            text: &file.text,
            file: Some(file),
            ..self.clone()
        }
    }

    /// The same meaning of names in a text that is none of Terraform's own files.
    pub(crate) fn inside(&self, text: &'a Text) -> Self {
        Self {
            text,
            file: None,
            ..self.clone()
        }
    }

    /// The same with more names.
    pub(crate) fn binding(&self, more: Vec<(String, Bound<'a>)>) -> Self {
        let env = &self.env;
        let mut bound = env.bound.clone();
        bound.extend(more);
        let env = Env {
            folder: env.folder.clone(),
            root: env.root.clone(),
            variant: env.variant.clone(),
            call: env.call.clone(),
            terragrunt: env.terragrunt,
            bound,
        };
        Self {
            env: Rc::new(env),
            ..self.clone()
        }
    }

    pub(crate) fn node(&self, value: &'a Expression, address: impl Into<String>) -> Node<'a> {
        Node::Hcl {
            scope: self.clone(),
            value,
            address: address.into(),
        }
    }

    pub(crate) fn written(&self, written: Written<'a>, address: impl Into<String>) -> Node<'a> {
        match written {
            Written::Hcl(file, value) => self.within(file).node(value, address),
            Written::Json(doc, id) => Node::Yaml {
                scope: self.inside(&doc.text),
                doc,
                id,
                address: address.into(),
            },
        }
    }

    pub(crate) fn shown(&self, node: &impl Span) -> String {
        node.span()
            .map(|span| self.text.shown(&span))
            .unwrap_or_default()
    }

    /// The value of an expression as text, where it is known.
    pub(crate) fn text(&self, value: &'a Expression) -> Option<String> {
        whole(&self.node(value, "").parts(DEPTH))
    }

    /// The value of the attribute at the end of a path of blocks.
    pub(crate) fn text_at(&self, body: &'a Body, path: &[&str]) -> Option<String> {
        self.text(expression_at(body, path)?)
    }

    /// The object at the end of a path of blocks, as far as its values are known texts.
    pub(crate) fn map_at(&self, body: &'a Body, path: &[&str]) -> BTreeMap<String, String> {
        let Some(value) = expression_at(body, path) else {
            return BTreeMap::new();
        };
        self.node(value, "").map()
    }

    /// Whether a condition holds, where that is known.
    pub(crate) fn truth(&self, value: &'a Expression, depth: usize) -> Option<bool> {
        truth::truth(self, value, depth)
    }

    /// The steps of a traversal.
    pub(crate) fn segments(
        &self,
        traversal: &'a Traversal,
        depth: usize,
    ) -> Result<Vec<Seg>, Unknown> {
        let mut found = Vec::new();
        for operator in &traversal.operators {
            found.push(match operator.value() {
                TraversalOperator::GetAttr(name) => Seg::Key(name.as_str().to_owned()),
                TraversalOperator::LegacyIndex(index) => index_of(*index.value()),
                TraversalOperator::Index(Expression::Number(number)) => {
                    index_of(number.value().as_u64().unwrap_or(u64::MAX))
                }
                TraversalOperator::Index(index) => {
                    let text = whole(&self.node(index, "").parts(depth));
                    Seg::Key(text.ok_or_else(|| self.shown(index))?)
                }
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                    return Err(self.shown(traversal).into());
                }
            });
        }
        Ok(found)
    }

    /// The value of a name.
    pub(crate) fn named(
        &self,
        name: &str,
        path: &[Seg],
        depth: usize,
    ) -> Result<Node<'a>, Unknown> {
        let unknown = || {
            let mut text = name.to_owned();
            for seg in path {
                match seg {
                    Seg::Key(key) => text.push_str(&format!(".{key}")),
                    Seg::Index(at) => text.push_str(&format!("[{at}]")),
                }
            }
            text
        };
        if let Some((_, bound)) = self.env.bound.iter().rev().find(|(bound, _)| bound == name) {
            return match (bound, path) {
                (Bound::Plain(node), path) => node.select(path, depth),
                (Bound::Each { key, .. }, [Seg::Key(which), rest @ ..])
                    if which == "key" || which == "index" =>
                {
                    key.select(rest, depth)
                }
                (Bound::Each { value, .. }, [Seg::Key(which), rest @ ..]) if which == "value" => {
                    value.select(rest, depth)
                }
                (Bound::Each { .. }, _) => Err(unknown().into()),
            };
        }
        let (Some(Seg::Key(first)), rest) = (path.first(), path.get(1..).unwrap_or_default())
        else {
            return Err(unknown().into());
        };
        match name {
            "var" => self.variable(first, rest, depth),
            "local" => {
                let written = match self.env.terragrunt {
                    Some(file) => local_of(file, first).map(|value| Written::Hcl(file, value)),
                    None => self.folder().and_then(|folder| folder.local(first)),
                };
                let written = written.ok_or_else(unknown)?;
                let node = self.written(written, format!("local.{first}"));
                node.select(rest, depth)
            }
            "path" => match first.as_str() {
                "module" | "cwd" | "root" => {
                    let folder = if first == "module" {
                        &self.env.folder
                    } else {
                        &self.env.root
                    };
                    // An absolute path begins at the top of the tree.
                    Ok(Node::Parts(vec![Part::plain(format!("/{folder}"))]))
                }
                _ => Err(unknown().into()),
            },
            "module" => self.output(first, rest, depth).ok_or_else(unknown)?,
            "include" if self.env.terragrunt.is_some() => {
                let file = self.env.terragrunt;
                let parent = file.and_then(|file| self.world.parent(file, Some(first)));
                let parent = parent.ok_or_else(unknown)?;
                functions::config(self, parent).select(rest, depth)
            }
            "data" => match rest.split_first() {
                Some((Seg::Key(name), rest)) => {
                    crate::data::value(self, first, name, rest, depth).ok_or_else(unknown)?
                }
                _ => Err(unknown().into()),
            },
            "count" | "each" | "self" | "terraform" | "dependency" | "values" => {
                Err(unknown().into())
            }
            kind => {
                let folder = self.folder().ok_or_else(unknown)?;
                let found = folder
                    .resources
                    .iter()
                    .find(|r| r.label(0) == kind && r.label(1) == first);
                let resource = found.ok_or_else(unknown)?;
                let id = [Seg::Key("metadata".to_owned()), Seg::Key("name".to_owned())];
                let rest = match rest {
                    [Seg::Key(id_key)]
                        if id_key == "id" && kind.starts_with("kubernetes_namespace") =>
                    {
                        &id
                    }
                    rest => rest,
                };
                let node = Node::Body {
                    scope: self.within(resource.file),
                    body: resource.body(),
                    address: format!("{kind}.{first}"),
                };
                // What the provider knows an image by is its name.
                let name = [Seg::Key("name".to_owned())];
                let rest = match rest {
                    [Seg::Key(alias)]
                        if kind == "docker_image"
                            && matches!(alias.as_str(), "image_id" | "latest" | "repo_digest") =>
                    {
                        &name
                    }
                    rest => rest,
                };
                node.select(rest, depth)
            }
        }
    }

    fn variable(&self, name: &str, rest: &[Seg], depth: usize) -> Result<Node<'a>, Unknown> {
        let declared = self.folder().and_then(|folder| folder.variable(name));
        let mut weaker = Vec::new();
        let given = match &self.env.call {
            Some((call, scope)) => call.body().get_attribute(name).map(|given| {
                let address = format!("module.{}.{name}", call.label(0));
                scope.node(&given.value, address)
            }),
            None => match self
                .world
                .settings(&self.env.root)
                .of_variable(name, self.env.variant.as_deref())
            {
                Setting::Given(node, below) => {
                    weaker = below;
                    Some(node)
                }
                Setting::Unclear(why) => return Err(format!("var.{name}, {why}").into()),
                Setting::Not => None,
            },
        };
        let nullable = declared.is_none_or(|declared| declared.nullable);
        let given = given.filter(|given| nullable || !given.is_null(depth));
        let default = declared.and_then(|declared| declared.default);
        let default = default.map(|value| self.written(value, format!("variable.{name}.default")));
        let Some(node) = given.or(default) else {
            return Err(format!("var.{name}").into());
        };
        let outcome = node.select(rest, depth);
        let mut below = weaker.iter().map(|node| node.select(rest, depth));
        let outcome = outcome.or_else(|why| below.find_map(Result::ok).ok_or(why));
        if outcome.as_ref().is_err_and(|unknown| unknown.absent)
            && let Some(optional) =
                declared
                    .and_then(|declared| declared.kind)
                    .and_then(|(file, kind)| {
                        self.optional(file, kind, rest, &format!("variable.{name}.type"))
                    })
        {
            return optional.select(&[], depth);
        }
        outcome
    }

    /// The default of an optional attribute of an object type.
    fn optional(
        &self,
        file: &'a File,
        kind: &'a Expression,
        path: &[Seg],
        address: &str,
    ) -> Option<Node<'a>> {
        let call = kind.as_func_call()?;
        match (call.name.name.as_str(), path) {
            ("optional", []) => Some(self.within(file).node(call.args.get(1)?, address)),
            ("optional" | "list" | "set", path) => {
                self.optional(file, call.args.get(0)?, path, address)
            }
            ("map", [_, rest @ ..]) => self.optional(file, call.args.get(0)?, rest, address),
            ("object", [Seg::Key(key), rest @ ..]) => {
                let fields = call.args.get(0)?.as_object()?;
                let (_, field) = fields
                    .iter()
                    .find(|(name, _)| key_text(name) == Some(key))?;
                self.optional(file, field.expr(), rest, &format!("{address}.{key}"))
            }
            _ => None,
        }
    }

    /// An output of a module of this tree.
    fn output(&self, call: &str, path: &[Seg], depth: usize) -> Option<Result<Node<'a>, Unknown>> {
        let (Seg::Key(output), rest) = (path.first()?, path.get(1..)?) else {
            return None;
        };
        let declared = self
            .folder()?
            .calls
            .iter()
            .find(|found| found.label(0) == call)?;
        let inner = self.entering(declared)?;
        let output = inner.folder()?.outputs.get(output.as_str())?;
        let value = &output.body().get_attribute("value")?.value;
        let node = inner.within(output.file).node(value, "");
        Some(node.select(rest, depth.saturating_sub(1)))
    }

    /// The scope of a module of this tree, called from here.
    pub(crate) fn entering(&self, call: &Declared<'a>) -> Option<Scope<'a>> {
        let folder = crate::declared::target_of(call)?;
        self.world.declared.folders.get(folder.as_str())?;
        let mut around = Some(&self.env);
        let mut deep = 0;
        while let Some(env) = around {
            // A module that calls itself never ends.
            if env.folder == folder || deep > 12 {
                return None;
            }
            deep += 1;
            around = env.call.as_ref().map(|(_, scope)| &scope.env);
        }
        let env = Env {
            folder,
            root: self.env.root.clone(),
            variant: self.env.variant.clone(),
            call: Some((*call, self.clone())),
            bound: Vec::new(),
            terragrunt: None,
        };
        Some(Scope {
            env: Rc::new(env),
            ..self.clone()
        })
    }
}

/// The expression at the end of a path of blocks, the first of each name.
pub(crate) fn expression_at<'a>(body: &'a Body, path: &[&str]) -> Option<&'a Expression> {
    match path {
        [] => None,
        [name] => body.get_attribute(name).map(|attribute| &attribute.value),
        [block, rest @ ..] => {
            let block = body.blocks().find(|candidate| candidate.has_ident(block))?;
            expression_at(&block.body, rest)
        }
    }
}
