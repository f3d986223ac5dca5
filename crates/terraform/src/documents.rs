//! Texts that hold structured values: heredocs, files, and what is encoded.

use hcl_edit::expr::Expression;

use crate::eval::{Bound, Scope};
use crate::functions::{arguments, name, resolved};
use crate::node::Node;
use crate::parts::whole;
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
            Node::Yaml { scope, doc, id, .. } => match doc.only_expression(*id) {
                Some((inner, text)) => {
                    documents(&scope.inside(text).node(inner, node.address()), depth)
                }
                None => vec![node],
            },
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
                    let path = arguments.next().and_then(|path| whole(&path.parts(depth)));
                    let doc = path
                        .and_then(|path| scope.world.sources.plain.get(&resolved(scope, &path)));
                    doc.map_or_else(Vec::new, |doc| roots(&scope.inside(&doc.text), doc, ""))
                }
                "templatefile" => {
                    let path = arguments.next().and_then(|path| whole(&path.parts(depth)));
                    let doc = path.and_then(|path| {
                        scope.world.sources.templates.get(&resolved(scope, &path))
                    });
                    let Some(doc) = doc else {
                        return Vec::new();
                    };
                    let given = arguments.next().and_then(|given| given.entries(depth));
                    let more = given.unwrap_or_default().into_iter();
                    let more =
                        more.filter_map(|entry| Some((entry.key?, Bound::Plain(entry.value))));
                    let scope = scope.binding(more.collect()).inside(&doc.text);
                    roots(&scope, doc, "")
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn roots<'a>(scope: &Scope<'a>, doc: &'a Doc, address: &str) -> Vec<Node<'a>> {
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
