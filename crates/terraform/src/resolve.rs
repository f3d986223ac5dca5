//! An expression, evaluated as far as the files alone say it, keeping where each piece was written.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::structure::Body;
use hcl_edit::template::{Element, Strip};

use crate::index::{Folder, Index, Override};
use crate::parse::File;
use crate::tree::folder_of;

/// How far references are followed: enough for every real tree, and an end for loops.
const DEPTH: usize = 12;

/// Where a piece of text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) address: String,
    pub(crate) line: usize,
    pub(crate) span: Range<usize>,
}

/// A part of a resolved text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Known text.
    Text {
        text: String,
        /// Where it can be edited; `None` where its bytes are not its text (escapes, numbers).
        place: Option<Place>,
        /// The variable it is the default of, and what wins over that default.
        overridden: Option<(String, Override)>,
    },
    /// What the files alone do not say.
    Unknown {
        /// The expression as written.
        expression: String,
    },
}

/// Where an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) index: &'a Index<'a>,
    pub(crate) file: &'a File,
}

impl<'a> Scope<'a> {
    /// The folder, whose declarations are in scope.
    pub(crate) fn folder(&self) -> Option<&'a Folder<'a>> {
        self.index.folders.get(folder_of(&self.file.path))
    }

    /// The same folder seen from another of its files.
    fn within(&self, file: &'a File) -> Self {
        Self { file, ..*self }
    }

    /// The parts of an expression. `address` is the name of the place it is written at.
    pub(crate) fn parts(&self, expression: &'a Expression, address: &str) -> Vec<Part> {
        self.follow(expression, address, DEPTH)
    }

    /// The value of an expression as text, where it is known.
    pub(crate) fn text(&self, expression: &'a Expression) -> Option<String> {
        self.parts(expression, "")
            .into_iter()
            .map(|part| match part {
                // An override whose value is not plain leaves the value unknown.
                Part::Text {
                    overridden: Some((_, Override { value: None, .. })),
                    ..
                } => None,
                Part::Text { text, .. } => Some(text),
                Part::Unknown { .. } => None,
            })
            .collect()
    }

    /// The value of the attribute at the end of a path of blocks.
    pub(crate) fn text_at(&self, body: &'a Body, path: &[&str]) -> Option<String> {
        self.text(expression_at(body, path)?)
    }

    /// The object at the end of a path of blocks, as far as its values are known texts.
    pub(crate) fn map_at(&self, body: &'a Body, path: &[&str]) -> BTreeMap<String, String> {
        expression_at(body, path)
            .map(|expression| self.map(expression, DEPTH))
            .unwrap_or_default()
    }

    fn map(&self, expression: &'a Expression, depth: usize) -> BTreeMap<String, String> {
        match expression {
            Expression::Object(object) => object
                .iter()
                .filter_map(|(key, value)| Some((self.key(key)?, self.text(value.expr())?)))
                .collect(),
            Expression::Traversal(traversal) if depth > 0 => {
                match (root(traversal), steps(traversal).as_slice()) {
                    (Some("local"), [name]) => self
                        .local(name)
                        .map(|(file, value)| self.within(file).map(value, depth - 1))
                        .unwrap_or_default(),
                    _ => BTreeMap::new(),
                }
            }
            _ => BTreeMap::new(),
        }
    }

    fn key(&self, key: &'a ObjectKey) -> Option<String> {
        match key {
            ObjectKey::Ident(ident) => Some(ident.as_str().to_owned()),
            ObjectKey::Expression(expression) => match expression.as_variable() {
                Some(ident) => Some(ident.as_str().to_owned()),
                None => self.text(expression),
            },
        }
    }

    fn local(&self, name: &str) -> Option<(&'a File, &'a Expression)> {
        match self.folder()?.locals.get(name)?.as_slice() {
            [(file, attribute)] => Some((file, &attribute.value)),
            _ => None,
        }
    }

    fn follow(&self, expression: &'a Expression, address: &str, depth: usize) -> Vec<Part> {
        let unknown = || {
            vec![Part::Unknown {
                expression: self.file.shown(expression),
            }]
        };
        if depth == 0 {
            return unknown();
        }
        match expression {
            Expression::String(text) => {
                let span = expression.span().unwrap_or_default();
                let inside = span.start + 1..span.end.saturating_sub(1).max(span.start + 1);
                vec![self.written(text, inside, address)]
            }
            Expression::StringTemplate(template) => {
                let mut parts = Vec::new();
                for element in template.iter() {
                    match element {
                        Element::Literal(text) => {
                            let span = element.span().unwrap_or_default();
                            parts.push(self.written(text, span, address));
                        }
                        Element::Interpolation(inner) if inner.strip == Strip::None => {
                            parts.extend(self.follow(&inner.expr, address, depth - 1));
                        }
                        Element::Interpolation(_) | Element::Directive(_) => {
                            parts.push(Part::Unknown {
                                expression: self.file.shown(element),
                            });
                        }
                    }
                }
                parts
            }
            Expression::Number(number) => vec![plain(number.value().to_string())],
            Expression::Bool(value) => vec![plain(value.value().to_string())],
            Expression::Parenthesis(inner) => self.follow(inner.inner(), address, depth - 1),
            Expression::Traversal(traversal) => {
                self.reference(traversal, depth - 1).unwrap_or_else(unknown)
            }
            _ => unknown(),
        }
    }

    /// A text that stands in this file, with its place if its bytes are exactly its text.
    fn written(&self, text: &str, span: Range<usize>, address: &str) -> Part {
        let exact = self.file.source(&span) == text;
        let place = exact.then(|| Place {
            path: self.file.path.clone(),
            address: address.to_owned(),
            line: self.file.line(span.start),
            span,
        });
        Part::Text {
            text: text.to_owned(),
            place,
            overridden: None,
        }
    }

    fn reference(&self, traversal: &'a Traversal, depth: usize) -> Option<Vec<Part>> {
        let steps = steps(traversal);
        match (root(traversal)?, steps.as_slice()) {
            ("var", [name]) => self.variable(name, depth),
            ("local", [name]) => {
                let (file, value) = self.local(name)?;
                Some(
                    self.within(file)
                        .follow(value, &format!("local.{name}"), depth),
                )
            }
            (kind, [name, path @ ..]) => {
                let resource = self
                    .folder()?
                    .resources
                    .iter()
                    .find(|r| r.label(0) == kind && r.label(1) == *name)?;
                let path = match path {
                    ["id"] if kind.starts_with("kubernetes_namespace") => &["metadata", "name"],
                    path => path,
                };
                let scope = self.within(resource.file);
                let value = expression_at(&resource.block.body, path)?;
                let mut parts = scope.follow(value, "", depth);
                // A copy of another resource's value is read, never edited.
                for part in &mut parts {
                    if let Part::Text { place, .. } = part {
                        *place = None;
                    }
                }
                Some(parts)
            }
            _ => None,
        }
    }

    fn variable(&self, name: &str, depth: usize) -> Option<Vec<Part>> {
        let found = self.index.override_of(folder_of(&self.file.path), name);
        // Declared twice (an override file): which one counts is not followed.
        let [declared] = self.folder()?.variables.get(name)?.as_slice() else {
            return None;
        };
        let default = declared
            .block
            .body
            .get_attribute("default")
            .map(|found| &found.value);
        let address = format!("variable.{name}.default");
        let parts = default.map(|value| self.within(declared.file).follow(value, &address, depth));
        match (parts, found) {
            (parts, None) => parts,
            (parts, Some(winner)) => {
                let text = match (&winner.value, parts.as_deref()) {
                    (Some(value), _) => value.clone(),
                    (None, Some([Part::Text { text, .. }])) => text.clone(),
                    (None, _) => return None,
                };
                let overridden = Some((name.to_owned(), winner));
                Some(vec![Part::Text {
                    text,
                    place: None,
                    overridden,
                }])
            }
        }
    }
}

fn plain(text: String) -> Part {
    Part::Text {
        text,
        place: None,
        overridden: None,
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

fn root(traversal: &Traversal) -> Option<&str> {
    traversal.expr.as_variable().map(|ident| ident.as_str())
}

/// The names of a traversal without its indexes; an index other than 0 or a splat ends in `*`,
/// which is no name.
fn steps(traversal: &Traversal) -> Vec<&str> {
    traversal
        .operators
        .iter()
        .filter_map(|operator| match operator.value() {
            TraversalOperator::GetAttr(name) => Some(name.as_str()),
            TraversalOperator::LegacyIndex(index) if *index.value() == 0 => None,
            TraversalOperator::Index(index)
                if index.as_number().and_then(|number| number.as_u64()) == Some(0) =>
            {
                None
            }
            _ => Some("*"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemTree;
    use crate::index::Sources;

    fn text_of(text: &str) -> Option<String> {
        let files = [("stacks/x/main.tf".to_owned(), text.as_bytes().to_vec())].into();
        let sources = Sources::read(&MemTree(files));
        let index = Index::new(&sources);
        let folder = &index.folders["stacks/x"];
        let (file, attribute) = folder.locals["wanted"][0];
        Scope {
            index: &index,
            file,
        }
        .text(&attribute.value)
    }

    #[test]
    fn variables_locals_and_resources_resolve() {
        let text = r#"
variable "tag" { default = "1.2" }
locals {
  repository = "acme/app"
  wanted = "${local.repository}:${var.tag}-${kubernetes_namespace.x.metadata[0].name}"
}
resource "kubernetes_namespace" "x" {
  metadata { name = "apps" }
}
"#;
        assert_eq!(text_of(text).unwrap(), "acme/app:1.2-apps");
    }

    #[test]
    fn what_the_files_do_not_say_is_unknown() {
        for wanted in [
            "data.x.y.tag",
            "var.undeclared",
            "local.wanted",
            "each.value",
            "join(\":\", [\"a\", \"b\"])",
            "true ? \"a\" : \"b\"",
            "\"%{ if true }a%{ endif }\"",
        ] {
            assert_eq!(
                text_of(&format!("locals {{ wanted = {wanted} }}\n")),
                None,
                "{wanted}"
            );
        }
    }

    #[test]
    fn an_escaped_text_has_no_place() {
        let text = "locals { wanted = \"a\\tb\" }\n";
        assert_eq!(text_of(text).unwrap(), "a\tb");
    }
}
