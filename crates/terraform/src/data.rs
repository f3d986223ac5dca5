//! Data sources whose answer the files of the tree give.

use crate::documents::documents;
use crate::eval::{Bound, Scope};
use crate::node::{Node, Seg, Unknown};
use crate::parts::whole;

/// The value of a data source; none if it is not known without asking somebody.
pub(crate) fn value<'a>(
    scope: &Scope<'a>,
    kind: &str,
    name: &str,
    path: &[Seg],
    depth: usize,
) -> Option<Result<Node<'a>, Unknown>> {
    let declared = scope
        .folder()?
        .data
        .iter()
        .find(|declared| declared.label(0) == kind && declared.label(1) == name)?;
    let (Seg::Key(attribute), rest) = path.split_first()? else {
        return None;
    };
    let scope = scope.within(declared.file);
    let given = |name: &str| {
        let found = declared.body().get_attribute(name)?;
        Some(scope.node(
            &found.value,
            format!("data.{kind}.{}.{name}", declared.label(1)),
        ))
    };
    match (kind, attribute.as_str()) {
        ("docker_registry_image", "name") => Some(given("name")?.select(rest, depth)),
        ("local_file" | "local_sensitive_file", "content") => {
            let path = whole(&given("filename")?.parts(depth))?;
            Some(Ok(Node::List(file(&scope, &path))))
        }
        ("template_file", "rendered") => {
            let docs = documents(&given("template")?, depth);
            let variables = given("vars").and_then(|vars| vars.entries(depth));
            let variables = variables.unwrap_or_default().into_iter();
            let variables: Vec<_> = variables
                .filter_map(|entry| Some((entry.key?, Bound::Plain(entry.value))))
                .collect();
            let bound = docs.into_iter().map(|doc| match doc {
                Node::Yaml {
                    scope,
                    doc,
                    id,
                    address,
                } => Node::Yaml {
                    scope: scope.binding(variables.clone()),
                    doc,
                    id,
                    address,
                },
                other => other,
            });
            Some(Ok(Node::List(bound.collect())))
        }
        ("kubectl_file_documents", "documents" | "manifests") => {
            Some(Node::List(documents(&given("content")?, depth)).select(rest, depth))
        }
        ("kubectl_path_documents", "documents" | "manifests") => {
            let pattern = whole(&given("pattern")?.parts(depth))?;
            let pattern = crate::functions::resolved(&scope, &pattern);
            let templates = scope.world.sources.templates.iter();
            let plain = scope.world.sources.plain.iter();
            let fitting = templates
                .chain(plain)
                .filter(|(path, _)| crate::functions::globbed(&pattern, path));
            let docs = fitting
                .flat_map(|(_, doc)| crate::documents::roots(&scope.inside(&doc.text), doc, ""));
            Some(Node::List(docs.collect()).select(rest, depth))
        }
        _ => None,
    }
}

fn file<'a>(scope: &Scope<'a>, path: &str) -> Vec<Node<'a>> {
    let path = crate::functions::resolved(scope, path);
    let doc = scope.world.sources.plain.get(&path);
    doc.map_or_else(Vec::new, |doc| {
        crate::documents::roots(&scope.inside(&doc.text), doc, "")
    })
}
