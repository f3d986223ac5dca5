//! Texts that hold structured values: heredocs, files, and what is encoded.

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::template::Element;

use crate::eval::{Bound, Scope};
use crate::functions::{arguments, globbed, name, resolved};
use crate::node::Node;
use crate::parts::{Part, whole};
use crate::yaml::Doc;

/// The structured values that a text holds: of a heredoc, of files, and of what is encoded.
pub(crate) fn documents<'a>(node: &Node<'a>, depth: usize) -> Vec<Node<'a>> {
    let Some(depth) = depth.checked_sub(1) else {
        return Vec::new();
    };
    let Ok(node) = node.select(&[], depth) else {
        return Vec::new();
    };
    let Node::Hcl {
        scope,
        value,
        address,
    } = &node
    else {
        return match &node {
            Node::Yaml { scope, doc, id, .. } if doc.nested(*id).is_some() => {
                let nested = doc.nested(*id).into_iter();
                nested
                    .flat_map(|inner| roots(&scope.inside(&inner.text), inner, node.address()))
                    .collect()
            }
            Node::Yaml { scope, doc, id, .. } => match doc.only_expression(*id) {
                Some((inner, text)) => {
                    documents(&scope.inside(text).node(inner, node.address()), depth)
                }
                None => vec![node],
            },
            Node::List(items) => {
                let items = items.iter();
                items.flat_map(|item| documents(item, depth)).collect()
            }
            Node::Hcl { .. } | Node::Body { .. } | Node::Config { .. } | Node::Parts(_) => {
                Vec::new()
            }
        };
    };
    match value {
        Expression::HeredocTemplate(heredoc) => {
            let span = hcl_edit::Span::span(heredoc.as_ref()).unwrap_or_default();
            match scope.file.and_then(|file| file.heredoc(&span)) {
                Some(doc) => roots(&scope.inside(&doc.text), doc, address),
                None => Vec::new(),
            }
        }
        // The older way to write an expression alone.
        Expression::StringTemplate(template) => {
            let mut elements = template.iter();
            match (elements.next(), elements.next()) {
                (Some(Element::Interpolation(inner)), None) => {
                    documents(&scope.node(&inner.expr, address.clone()), depth)
                }
                _ => Vec::new(),
            }
        }
        Expression::FuncCall(call) => {
            let mut arguments = arguments(scope, call, address);
            match name(call) {
                "yamlencode" | "jsonencode" => arguments
                    .next()
                    .and_then(|inner| inner.select(&[], depth).ok())
                    .into_iter()
                    .collect(),
                "trimspace" | "chomp" | "sensitive" | "nonsensitive" | "tostring" | "indent" => {
                    let inner = match name(call) {
                        "indent" => arguments.next_back(),
                        _ => arguments.next(),
                    };
                    inner.map_or_else(Vec::new, |inner| documents(&inner, depth))
                }
                "file" => {
                    let paths = arguments
                        .next()
                        .map(|path| path.parts(depth))
                        .unwrap_or_default();
                    let files = files(scope, &scope.world.sources.plain, &paths);
                    let docs = files.into_iter();
                    docs.flat_map(|doc| roots(&scope.inside(&doc.text), doc, ""))
                        .collect()
                }
                "templatefile" => {
                    let paths = arguments
                        .next()
                        .map(|path| path.parts(depth))
                        .unwrap_or_default();
                    let files = files(scope, &scope.world.sources.templates, &paths);
                    let given = arguments.next().and_then(|given| given.entries(depth));
                    let more = given.unwrap_or_default().into_iter();
                    let more =
                        more.filter_map(|entry| Some((entry.key?, Bound::Plain(entry.value))));
                    let scope = scope.binding(more.collect());
                    let docs = files.into_iter();
                    docs.flat_map(|doc| roots(&scope.inside(&doc.text), doc, ""))
                        .collect()
                }
                "split" => {
                    let entries = node.entries(depth).unwrap_or_default();
                    entries
                        .into_iter()
                        .flat_map(|entry| documents(&entry.value, depth))
                        .collect()
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The files that a path may mean: one, or with an unknown part all that fit the rest of it.
fn files<'a>(scope: &Scope<'a>, known: &'a BTreeMap<String, Doc>, path: &[Part]) -> Vec<&'a Doc> {
    if let Some(path) = whole(path) {
        return known.get(&resolved(scope, &path)).into_iter().collect();
    }
    let pattern: String = path
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => text.as_str(),
            Part::Unknown { .. } => "*",
        })
        .collect();
    // Where not even the folder is known nothing can be meant.
    if pattern.starts_with('*') {
        return Vec::new();
    }
    let pattern = resolved(scope, &pattern);
    let fitting = known.iter().filter(|(path, _)| globbed(&pattern, path));
    fitting.map(|(_, doc)| doc).take(50).collect()
}

pub(crate) fn roots<'a>(scope: &Scope<'a>, doc: &'a Doc, address: &str) -> Vec<Node<'a>> {
    let many = doc.roots.len() > 1;
    let root = |(at, id): (usize, &usize)| Node::Yaml {
        scope: scope.clone(),
        doc,
        id: *id,
        address: if many {
            format!("{address}[{at}]")
        } else {
            address.to_owned()
        },
    };
    doc.roots.iter().enumerate().map(root).collect()
}
