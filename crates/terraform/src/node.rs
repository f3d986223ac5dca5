//! A value on its way from an expression to what is written, and what it is made of.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::Body;
use hcl_edit::template::{Element, Strip};

use crate::eval::{DEPTH, Scope};
use crate::functions;
use crate::parse::File;
use crate::parts::{Part, Place, whole};
use crate::text::Text;
use crate::yaml::{Doc, Item, Piece};

/// A value that is not yet taken apart.
#[derive(Debug, Clone)]
pub(crate) enum Node<'a> {
    Hcl {
        scope: Scope<'a>,
        value: &'a Expression,
        /// The name of the place it is written at.
        address: String,
    },
    Yaml {
        scope: Scope<'a>,
        doc: &'a Doc,
        id: usize,
        address: String,
    },
    /// The body of a resource, or of a block of locals.
    Body {
        scope: Scope<'a>,
        body: &'a Body,
        address: String,
    },
    /// A whole file of Terragrunt.
    Config { scope: Scope<'a>, file: &'a File },
    /// Values that stand side by side without being written as a list.
    List(Vec<Node<'a>>),
    /// A text that stands nowhere as it is.
    Parts(Vec<Part>),
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seg {
    Key(String),
    Index(usize),
}

/// Why a value is not known: the expression that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// As written.
    pub(crate) expression: String,
    /// Whether it is known that there is no such value, so that a fallback counts.
    pub(crate) absent: bool,
}

impl From<String> for Unknown {
    fn from(expression: String) -> Self {
        Self {
            expression,
            absent: false,
        }
    }
}

/// An element of a collection.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// As text, where it is known; of a list its position.
    pub(crate) key: Option<String>,
    pub(crate) value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value at the end of a path, followed until it is none that only names another.
    pub(crate) fn select(&self, path: &[Seg], depth: usize) -> Result<Node<'a>, Unknown> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.shown().into());
        };
        let absent = || Unknown {
            expression: self.shown(),
            absent: true,
        };
        match self {
            Node::Hcl {
                scope,
                value,
                address,
            } => match value {
                Expression::Parenthesis(inner) => scope
                    .node(inner.inner(), address.clone())
                    .select(path, depth),
                Expression::Variable(name) => scope.named(name.as_str(), path, depth),
                Expression::Traversal(traversal) => {
                    let mut whole = scope.segments(traversal, depth)?;
                    whole.extend_from_slice(path);
                    match &traversal.expr {
                        Expression::Variable(name) => scope.named(name.as_str(), &whole, depth),
                        other => scope.node(other, address.clone()).select(&whole, depth),
                    }
                }
                Expression::Conditional(both) => match scope.truth(&both.cond_expr, depth) {
                    Some(true) => scope
                        .node(&both.true_expr, address.clone())
                        .select(path, depth),
                    Some(false) => scope
                        .node(&both.false_expr, address.clone())
                        .select(path, depth),
                    None => Err(self.shown().into()),
                },
                Expression::FuncCall(call) => {
                    functions::select(scope, call, address, self, path, depth)
                }
                Expression::Object(_) | Expression::Array(_) | Expression::ForExpr(_) => {
                    self.element(path, depth)
                }
                _ if path.is_empty() => Ok(self.clone()),
                _ => Err(self.shown().into()),
            },
            Node::Yaml { .. } | Node::List(_) => self.element(path, depth),
            Node::Body {
                scope,
                body,
                address,
            } => match path {
                [] => Ok(self.clone()),
                [Seg::Index(0), rest @ ..] => self.select(rest, depth),
                [Seg::Key(key), rest @ ..] => {
                    if let Some(found) = body.get_attribute(key) {
                        let node = scope.node(&found.value, joined(address, key));
                        return node.select(rest, depth);
                    }
                    let block = body.blocks().find(|block| block.has_ident(key));
                    let block = block.ok_or_else(|| self.shown())?;
                    let node = Node::Body {
                        scope: scope.clone(),
                        body: &block.body,
                        address: joined(address, key),
                    };
                    node.select(rest, depth)
                }
                [Seg::Index(_), ..] => Err(self.shown().into()),
            },
            Node::Config { scope, file } => match path {
                [Seg::Key(part), Seg::Key(name), rest @ ..] if part == "locals" => {
                    let value = local_of(file, name).ok_or_else(absent)?;
                    scope
                        .node(value, format!("local.{name}"))
                        .select(rest, depth)
                }
                [Seg::Key(part)] if part == "locals" => {
                    let locals = file.body.get_blocks("locals").next();
                    let locals = locals.ok_or_else(absent)?;
                    Ok(Node::Body {
                        scope: scope.clone(),
                        body: &locals.body,
                        address: "local".to_owned(),
                    })
                }
                [Seg::Key(part), rest @ ..] if part == "inputs" => {
                    let inputs = file.body.get_attribute("inputs");
                    let inputs = inputs.ok_or_else(absent)?;
                    scope.node(&inputs.value, "inputs").select(rest, depth)
                }
                _ => Err(self.shown().into()),
            },
            Node::Parts(_) if path.is_empty() => Ok(self.clone()),
            Node::Parts(_) => Err(self.shown().into()),
        }
    }

    /// An element of a collection that is written out.
    fn element(&self, path: &[Seg], depth: usize) -> Result<Node<'a>, Unknown> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(self.clone());
        };
        let entries = self.entries(depth).ok_or_else(|| self.shown())?;
        chosen(entries, first, || self.shown())?.select(rest, depth)
    }

    /// The elements of a collection; none if it is none, or not known.
    pub(crate) fn entries(&self, depth: usize) -> Option<Vec<Entry<'a>>> {
        let depth = depth.checked_sub(1)?;
        match self {
            Node::Hcl {
                scope,
                value,
                address,
            } => match value {
                Expression::Object(object) => Some(object_entries(scope, object, address, depth)),
                Expression::Array(list) => {
                    let names = unique(list.iter().map(own_name));
                    let entries = list.iter().zip(names).enumerate();
                    let entries = entries.map(|(at, (value, name))| Entry {
                        key: Some(at.to_string()),
                        value: scope.node(value, numbered(address, at, name)),
                    });
                    Some(entries.collect())
                }
                Expression::ForExpr(_) | Expression::FuncCall(_) => {
                    functions::entries(scope, value, address, depth)
                }
                Expression::Traversal(_)
                | Expression::Variable(_)
                | Expression::Parenthesis(_)
                | Expression::Conditional(_) => self.select(&[], depth).ok()?.entries(depth),
                _ => None,
            },
            Node::Yaml {
                scope,
                doc,
                id,
                address,
            } => {
                let child = |id: usize, address: String| Node::Yaml {
                    scope: scope.clone(),
                    doc,
                    id,
                    address,
                };
                match doc.item(*id)? {
                    Item::Map(entries) => {
                        let entry = |key: Option<&str>, value: usize| Entry {
                            key: key.map(str::to_owned),
                            value: child(value, joined(address, key.unwrap_or("?"))),
                        };
                        let own: Vec<Entry<'a>> = entries
                            .iter()
                            .map(|(key, value)| entry(doc.scalar(*key), *value))
                            .collect();
                        let merged = doc.merged(*id).into_iter();
                        let merged = merged.map(|(key, value)| entry(Some(key), value));
                        let own = own
                            .into_iter()
                            .filter(|entry| entry.key.as_deref() != Some("<<"));
                        Some(merged.chain(own).collect())
                    }
                    Item::List(items) => {
                        let name = |id: &usize| doc.get(*id, "name").and_then(|id| doc.scalar(id));
                        let names = unique(items.iter().map(name));
                        let entries = items.iter().zip(names).enumerate();
                        let entries = entries.map(|(at, (item, name))| Entry {
                            key: Some(at.to_string()),
                            value: child(*item, numbered(address, at, name)),
                        });
                        Some(entries.collect())
                    }
                    Item::Scalar { .. } => None,
                }
            }
            Node::Body {
                scope,
                body,
                address,
            } => {
                let attributes = body.attributes().map(|attribute| {
                    let name = attribute.key.as_str();
                    Entry {
                        key: Some(name.to_owned()),
                        value: scope.node(&attribute.value, joined(address, name)),
                    }
                });
                Some(attributes.collect())
            }
            Node::List(items) => {
                let entries = items.iter().enumerate().map(|(at, item)| Entry {
                    key: Some(at.to_string()),
                    value: item.clone(),
                });
                Some(entries.collect())
            }
            Node::Config { .. } | Node::Parts(_) => None,
        }
    }

    /// The object's values as far as they are known texts.
    pub(crate) fn map(&self) -> BTreeMap<String, String> {
        let entries = self.entries(DEPTH).unwrap_or_default();
        let texts = entries
            .into_iter()
            .filter_map(|entry| Some((entry.key?, whole(&entry.value.parts(DEPTH))?)));
        texts.collect()
    }

    /// The value as text, in pieces.
    pub(crate) fn parts(&self, depth: usize) -> Vec<Part> {
        let Some(depth) = depth.checked_sub(1) else {
            return vec![Part::unknown(self.shown())];
        };
        let node = match self.select(&[], depth) {
            Ok(node) => node,
            Err(unknown) => return vec![Part::unknown(unknown.expression)],
        };
        match &node {
            Node::Parts(parts) => parts.clone(),
            Node::Hcl {
                scope,
                value,
                address,
            } => match value {
                Expression::String(text) => {
                    let span = value.span().unwrap_or_default();
                    let end = span.end.saturating_sub(1).max(span.start + 1);
                    vec![piece(scope.text, text, span.start + 1..end, address)]
                }
                Expression::StringTemplate(template) => {
                    elements(scope, template.iter(), address, depth)
                }
                Expression::HeredocTemplate(heredoc) => {
                    elements(scope, heredoc.template.iter(), address, depth)
                }
                Expression::Number(number) => vec![Part::plain(number.value().to_string())],
                Expression::Bool(value) => vec![Part::plain(value.value().to_string())],
                Expression::FuncCall(call) => functions::parts(scope, call, address, depth)
                    .unwrap_or_else(|| vec![Part::unknown(node.shown())]),
                _ => vec![Part::unknown(node.shown())],
            },
            Node::Yaml {
                scope,
                doc,
                id,
                address,
            } => match doc.item(*id) {
                Some(Item::Scalar { span, other }) => {
                    yaml_parts(scope, doc, span, other.as_deref(), address, depth)
                }
                _ => vec![Part::unknown(node.shown())],
            },
            Node::Body { .. } | Node::Config { .. } | Node::List(_) => {
                vec![Part::unknown(node.shown())]
            }
        }
    }

    pub(crate) fn is_null(&self, depth: usize) -> bool {
        let found = self.select(&[], depth);
        matches!(found, Ok(Node::Hcl { value, .. }) if value.is_null())
    }

    /// The expression for people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Node::Hcl { scope, value, .. } => scope.shown(*value),
            Node::Yaml { doc, id, .. } => match doc.item(*id) {
                Some(Item::Scalar { span, .. }) => doc.text.shown(span),
                _ => format!("a part of {}", doc.text.path),
            },
            Node::Body { .. } => "a resource".to_owned(),
            Node::List(_) => "several documents".to_owned(),
            Node::Config { file, .. } => file.text.path.clone(),
            Node::Parts(parts) => whole(parts).unwrap_or_default(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        match self {
            Node::Hcl { address, .. } | Node::Yaml { address, .. } => address,
            Node::Body { .. } | Node::Config { .. } | Node::List(_) | Node::Parts(_) => "",
        }
    }

    /// The file and the line at which it is written, where it is.
    pub(crate) fn position(&self) -> Option<(&'a str, usize)> {
        match self {
            Node::Hcl { scope, value, .. } => {
                let start = value.span().unwrap_or_default().start;
                Some((&scope.text.path, scope.text.line(start)))
            }
            Node::Yaml { doc, id, .. } => {
                let start = first_byte(doc, *id);
                Some((&doc.text.path, doc.text.line(start)))
            }
            Node::Body { .. } | Node::Config { .. } | Node::List(_) | Node::Parts(_) => None,
        }
    }
}

fn first_byte(doc: &Doc, id: usize) -> usize {
    match doc.item(id) {
        Some(Item::Scalar { span, .. }) => span.start,
        Some(Item::Map(entries)) => entries.first().map_or(0, |(key, _)| first_byte(doc, *key)),
        Some(Item::List(items)) => items.first().map_or(0, |item| first_byte(doc, *item)),
        None => 0,
    }
}

pub(crate) fn index_of(index: u64) -> Seg {
    Seg::Index(usize::try_from(index).unwrap_or(usize::MAX))
}

/// Text that stands in a file, with its place if its bytes are exactly its text.
fn piece(source: &Text, text: &str, span: Range<usize>, address: &str) -> Part {
    let exact = source.source(&span) == text;
    let place = exact.then(|| Place {
        path: source.path.clone(),
        address: address.to_owned(),
        line: source.line(span.start),
        span: source.in_file(&span),
        bare: false,
    });
    Part::Text {
        text: text.to_owned(),
        place,
    }
}

fn elements<'a>(
    scope: &Scope<'a>,
    elements: impl Iterator<Item = &'a Element>,
    address: &str,
    depth: usize,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for element in elements {
        match element {
            Element::Literal(text) => {
                let span = element.span().unwrap_or_default();
                parts.push(piece(scope.text, text, span, address));
            }
            Element::Interpolation(inner) if inner.strip == Strip::None => {
                parts.extend(scope.node(&inner.expr, address).parts(depth));
            }
            Element::Interpolation(_) | Element::Directive(_) => {
                parts.push(Part::unknown(scope.shown(element)));
            }
        }
    }
    parts
}

fn yaml_parts<'a>(
    scope: &Scope<'a>,
    doc: &'a Doc,
    span: &Range<usize>,
    other: Option<&str>,
    address: &str,
    depth: usize,
) -> Vec<Part> {
    let mut pieces = doc.pieces(span);
    if let [Piece::Text(_)] | [] = pieces.as_slice() {
        let text = other.unwrap_or_else(|| doc.text.source(span));
        let quoted = doc.text.source(&(span.start.saturating_sub(1)..span.start));
        let mut whole = piece(&doc.text, text, span.clone(), address);
        if let Part::Text {
            place: Some(place), ..
        } = &mut whole
        {
            place.bare = !matches!(quoted, "\"" | "'");
        }
        return vec![whole];
    }
    pieces
        .drain(..)
        .flat_map(|found| match found {
            Piece::Text(span) => {
                vec![piece(
                    &doc.text,
                    doc.text.source(&span),
                    span.clone(),
                    address,
                )]
            }
            Piece::Expression(value, text) => scope.inside(text).node(value, address).parts(depth),
            Piece::Other(span) => vec![Part::unknown(doc.text.shown(&span))],
        })
        .collect()
}

fn object_entries<'a>(
    scope: &Scope<'a>,
    object: &'a Object,
    address: &str,
    depth: usize,
) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for (key, value) in object.iter() {
        let key = match key_text(key) {
            Some(text) => Some(text.to_owned()),
            None => match key {
                ObjectKey::Expression(key) => whole(&scope.node(key, "").parts(depth)),
                ObjectKey::Ident(_) => None,
            },
        };
        let name = key.clone().unwrap_or_else(|| "?".to_owned());
        entries.push(Entry {
            key,
            value: scope.node(value.expr(), joined(address, &name)),
        });
    }
    entries
}

/// A key that is written as a name or a plain text.
pub(crate) fn key_text(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Ident(ident) => Some(ident.as_str()),
        ObjectKey::Expression(Expression::Variable(ident)) => Some(ident.as_str()),
        ObjectKey::Expression(key) => key.as_str(),
    }
}

/// The name of a place one key further.
pub(crate) fn joined(address: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match (address.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{address}.{key}"),
        (_, false) => format!("{address}[{key:?}]"),
    }
}

/// The element that a step leads to.
pub(crate) fn chosen<'a>(
    entries: Vec<Entry<'a>>,
    step: &Seg,
    shown: impl Fn() -> String,
) -> Result<Node<'a>, Unknown> {
    let all_known = entries.iter().all(|entry| entry.key.is_some());
    let found = match step {
        Seg::Key(key) => {
            // The last one of a key counts.
            let mut found = entries.into_iter().rev();
            found.find(|entry| entry.key.as_deref() == Some(key))
        }
        Seg::Index(at) => entries.into_iter().nth(*at),
    };
    found.map(|entry| entry.value).ok_or_else(|| Unknown {
        expression: shown(),
        absent: all_known,
    })
}

/// The plain `name` of an object.
fn own_name(value: &Expression) -> Option<&str> {
    let mut entries = value.as_object()?.iter();
    entries
        .find(|(key, _)| key_text(key) == Some("name"))?
        .1
        .expr()
        .as_str()
}

/// Names that can tell elements apart: they survive when another element is added above.
fn unique<'n>(names: impl Iterator<Item = Option<&'n str>>) -> Vec<Option<&'n str>> {
    let names: Vec<Option<&str>> = names.collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names.iter().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    let once = |name: &&str| is_name(name) && counts.get(name) == Some(&1);
    names.iter().map(|name| name.filter(once)).collect()
}

fn numbered(address: &str, at: usize, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{address}[{name}]"),
        None => format!("{address}[{at}]"),
    }
}

/// Whether a text can name an element; a number would read like a position.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    !name.is_empty() && name.chars().all(plain) && !name.chars().all(|c| c.is_ascii_digit())
}

/// A local of one file of Terragrunt.
pub(crate) fn local_of<'a>(file: &'a File, name: &str) -> Option<&'a Expression> {
    let mut locals = file.body.get_blocks("locals");
    locals
        .find_map(|block| block.body.get_attribute(name))
        .map(|found| &found.value)
}
