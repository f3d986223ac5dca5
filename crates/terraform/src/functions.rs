//! What Terraform's functions make of values, as far as a version comes along.

use hcl_edit::expr::{Expression, ForExpr, FuncCall};

use crate::documents::documents;
use crate::eval::{Bound, Scope};
use crate::node::{Entry, Node, Seg, Unknown, chosen, joined};
use crate::parse::File;
use crate::parts::{Part, slice, whole};
use crate::tree::{folder_of, join, name_of};

/// So many elements of a loop are made.
const MAX_ELEMENTS: usize = 500;

pub(crate) fn name(call: &FuncCall) -> &str {
    call.name.name.as_str()
}

pub(crate) fn arguments<'a>(
    scope: &Scope<'a>,
    call: &'a FuncCall,
    address: &str,
) -> impl DoubleEndedIterator<Item = Node<'a>> + use<'a> {
    let nodes: Vec<Node<'a>> = call
        .args
        .iter()
        .map(|value| scope.node(value, address))
        .collect();
    nodes.into_iter()
}

/// The element of what a function gives, or the value that it passes on.
pub(crate) fn select<'a>(
    scope: &Scope<'a>,
    call: &'a FuncCall,
    address: &str,
    node: &Node<'a>,
    path: &[Seg],
    depth: usize,
) -> Result<Node<'a>, Unknown> {
    let unknown = || scope.shown(call);
    let mut arguments = arguments(scope, call, address);
    match name(call) {
        "try" | "coalesce" | "coalescelist" => {
            for argument in arguments {
                match argument.select(path, depth) {
                    Ok(found) if name(call) == "try" || !is_nothing(&found) => return Ok(found),
                    Ok(_nothing) => {}
                    // A text that cannot be made is one of the errors that `try` passes over.
                    Err(why) if why.absent => {}
                    // What is not known may well be there.
                    Err(why) => return Err(why),
                }
            }
            Err(unknown().into())
        }
        "nonsensitive" | "sensitive" | "tolist" | "tomap" | "tostring" => {
            arguments.next().ok_or_else(unknown)?.select(path, depth)
        }
        "merge" if !path.is_empty() => {
            for argument in arguments.rev() {
                match argument.select(path, depth) {
                    Err(why) if why.absent => {}
                    found => return found,
                }
            }
            Err(Unknown {
                expression: unknown(),
                absent: true,
            })
        }
        "lookup" => {
            let (map, key, default) = (arguments.next(), arguments.next(), arguments.next());
            let (Some(map), Some(key)) = (map, key) else {
                return Err(unknown().into());
            };
            let key = whole(&key.parts(depth)).ok_or_else(unknown)?;
            let found = map.select(&[Seg::Key(key)], depth);
            let found = match found {
                Err(why) if why.absent => default.ok_or(why)?,
                found => found?,
            };
            found.select(path, depth)
        }
        "element" => {
            let (list, index) = (arguments.next(), arguments.next());
            let index = index.and_then(|index| whole(&index.parts(depth))?.parse().ok());
            let (Some(list), Some(index)) = (list, index) else {
                return Err(unknown().into());
            };
            list.select(&[Seg::Index(index)], depth)?
                .select(path, depth)
        }
        "one" => arguments
            .next()
            .ok_or_else(unknown)?
            .select(&[Seg::Index(0)], depth)?
            .select(path, depth),
        "split" if node.entries(depth).is_none() && !path.is_empty() => {
            let [Seg::Index(at)] = path else {
                return Err(unknown().into());
            };
            let field = split(scope, call, *at, depth).ok_or_else(unknown)?;
            Ok(Node::Parts(field))
        }
        "yamldecode" | "jsondecode" => {
            let docs = documents(&arguments.next().ok_or_else(unknown)?, depth);
            let [root] = docs.as_slice() else {
                return Err(unknown().into());
            };
            root.select(path, depth)
        }
        "read_terragrunt_config" => {
            let path_text = arguments.next().and_then(|path| whole(&path.parts(depth)));
            let file = path_text.and_then(|text| scope.world.config(&resolved(scope, &text)));
            config(scope, file.ok_or_else(unknown)?).select(path, depth)
        }
        _ if path.is_empty() => Ok(node.clone()),
        _ => {
            let entries = node.entries(depth).ok_or_else(unknown)?;
            let (first, rest) = path.split_first().ok_or_else(unknown)?;
            chosen(entries, first, unknown)?.select(rest, depth)
        }
    }
}

/// Whether `coalesce` passes it over.
fn is_nothing(node: &Node<'_>) -> bool {
    matches!(node, Node::Hcl { value, .. } if value.is_null() || value.as_str() == Some(""))
}

/// A file of Terragrunt with its own names.
pub(crate) fn config<'a>(scope: &Scope<'a>, file: &'a File) -> Node<'a> {
    Node::Config {
        scope: scope.world.of_terragrunt(file, &scope.env.root),
        file,
    }
}

/// The elements of what a function or a loop gives.
pub(crate) fn entries<'a>(
    scope: &Scope<'a>,
    value: &'a Expression,
    address: &str,
    depth: usize,
) -> Option<Vec<Entry<'a>>> {
    let call = match value {
        Expression::ForExpr(each) => return loop_entries(scope, each, address, depth),
        Expression::FuncCall(call) => call,
        _ => return None,
    };
    let mut arguments = arguments(scope, call, address);
    match name(call) {
        "toset" => {
            let mut entries = arguments.next()?.entries(depth)?;
            for entry in &mut entries {
                entry.key = whole(&entry.value.parts(depth));
            }
            Some(entries)
        }
        "merge" => {
            let mut merged: Vec<Entry<'a>> = Vec::new();
            let mut unknown = false;
            for argument in arguments {
                let entries = argument.entries(depth);
                unknown |= entries.is_none();
                for entry in entries.unwrap_or_default() {
                    merged.retain(|other| other.key.is_none() || other.key != entry.key);
                    merged.push(entry);
                }
            }
            (!unknown || !merged.is_empty()).then_some(merged)
        }
        "concat" | "setunion" => {
            let lists = arguments.filter_map(|argument| argument.entries(depth));
            let mut entries: Vec<Entry<'a>> = lists.flatten().take(MAX_ELEMENTS).collect();
            for (at, entry) in entries.iter_mut().enumerate() {
                entry.key = Some(at.to_string());
            }
            Some(entries)
        }
        "flatten" => {
            let mut flat = Vec::new();
            for entry in arguments.next()?.entries(depth)? {
                match entry.value.entries(depth) {
                    Some(inner) if is_list(&entry.value, depth) => flat.extend(inner),
                    _ => flat.push(entry),
                }
            }
            for (at, entry) in flat.iter_mut().enumerate() {
                entry.key = Some(at.to_string());
            }
            Some(flat)
        }
        "fileset" => {
            let folder = whole(&arguments.next()?.parts(depth))?;
            let pattern = whole(&arguments.next()?.parts(depth))?;
            let folder = resolved(scope, &folder);
            let below = scope
                .world
                .sources
                .paths
                .iter()
                .filter_map(|path| match folder.as_str() {
                    "" => Some(path.as_str()),
                    folder => path.strip_prefix(folder)?.strip_prefix('/'),
                });
            let found = below
                .filter(|path| globbed(&pattern, path))
                .take(MAX_ELEMENTS);
            let entries = found.map(|path| Entry {
                key: Some(path.to_owned()),
                value: Node::Parts(vec![Part::plain(path)]),
            });
            Some(entries.collect())
        }
        "split" => {
            let separator = whole(&arguments.next()?.parts(depth))?;
            let documents = documents(&arguments.next()?, depth);
            let documents = separator.contains("---").then_some(documents)?;
            let entries = documents
                .into_iter()
                .enumerate()
                .map(|(at, document)| Entry {
                    key: Some(at.to_string()),
                    value: document,
                });
            Some(entries.collect())
        }
        "values" => arguments.next()?.entries(depth),
        "keys" => {
            let entries = arguments.next()?.entries(depth)?.into_iter();
            let keys = entries.filter_map(|entry| entry.key);
            let nodes = keys.enumerate().map(|(at, key)| Entry {
                key: Some(at.to_string()),
                value: Node::Parts(vec![Part::plain(key)]),
            });
            Some(nodes.collect())
        }
        "tolist" | "tomap" | "nonsensitive" | "sensitive" | "sort" | "distinct" | "compact"
        | "reverse" => arguments.next()?.entries(depth),
        "try" | "coalesce" | "coalescelist" | "lookup" | "element" | "yamldecode"
        | "jsondecode" => {
            let node = scope.node(value, address);
            let found = node.select(&[], depth).ok()?;
            // A function that was not understood is its own value.
            if matches!(&found, Node::Hcl { value: same, .. } if std::ptr::eq(*same, value)) {
                return None;
            }
            found.entries(depth)
        }
        _ => None,
    }
}

fn is_list(node: &Node<'_>, depth: usize) -> bool {
    match node.select(&[], depth) {
        Ok(Node::Hcl { value, .. }) => match value {
            Expression::Array(_) => true,
            Expression::ForExpr(each) => each.key_expr.is_none(),
            Expression::FuncCall(call) => matches!(name(call), "concat" | "values" | "toset"),
            _ => false,
        },
        _ => false,
    }
}

/// Unrolls a loop over a collection that is written out.
fn loop_entries<'a>(
    scope: &Scope<'a>,
    each: &'a ForExpr,
    address: &str,
    depth: usize,
) -> Option<Vec<Entry<'a>>> {
    let collection = scope.node(&each.intro.collection_expr, address);
    let mut made = Vec::new();
    for entry in collection.entries(depth)?.into_iter().take(MAX_ELEMENTS) {
        let key = match &entry.key {
            Some(key) => Part::plain(key.clone()),
            None => Part::unknown("a key"),
        };
        let mut more = vec![(
            each.intro.value_var.as_str().to_owned(),
            Bound::Plain(entry.value.clone()),
        )];
        if let Some(name) = &each.intro.key_var {
            more.push((
                name.as_str().to_owned(),
                Bound::Plain(Node::Parts(vec![key])),
            ));
        }
        let inner = scope.binding(more);
        if let Some(condition) = &each.cond
            && inner.truth(&condition.expr, depth) == Some(false)
        {
            continue;
        }
        let at = made.len();
        let key = match &each.key_expr {
            Some(key) => whole(&inner.node(key, "").parts(depth)),
            None => Some(at.to_string()),
        };
        let place = match &key {
            Some(key) => joined(address, key),
            None => address.to_owned(),
        };
        made.push(Entry {
            key,
            value: inner.node(&each.value_expr, place),
        });
    }
    Some(made)
}

/// The text that a function makes; none if it is not understood.
pub(crate) fn parts<'a>(
    scope: &Scope<'a>,
    call: &'a FuncCall,
    address: &str,
    depth: usize,
) -> Option<Vec<Part>> {
    let mut arguments = arguments(scope, call, address);
    match name(call) {
        "format" => {
            let pattern = arguments.next()?.parts(depth);
            format(&pattern, arguments.map(|node| node.parts(depth)))
        }
        "join" => {
            let between = arguments.next()?.parts(depth);
            let mut joined = Vec::new();
            let lists = arguments.map(|list| list.entries(depth));
            for entry in lists.collect::<Option<Vec<_>>>()?.into_iter().flatten() {
                if !joined.is_empty() {
                    joined.extend(between.clone());
                }
                joined.extend(entry.value.parts(depth));
            }
            Some(joined)
        }
        "trimspace" | "chomp" => {
            let parts = arguments.next()?.parts(depth);
            let text = whole(&parts)?;
            let start = match name(call) {
                "chomp" => 0,
                _ => text.len() - text.trim_start().len(),
            };
            let end = match name(call) {
                "chomp" => text.trim_end_matches(['\r', '\n']).len(),
                _ => text.trim_end().len(),
            };
            Some(slice(&parts, start..end.max(start)))
        }
        "trimprefix" | "trimsuffix" => {
            let (parts, cut) = (arguments.next()?.parts(depth), arguments.next()?);
            let (text, cut) = (whole(&parts)?, whole(&cut.parts(depth))?);
            let range = match name(call) {
                "trimprefix" if text.starts_with(&cut) => cut.len()..text.len(),
                "trimsuffix" if text.ends_with(&cut) => 0..text.len() - cut.len(),
                _ => 0..text.len(),
            };
            Some(slice(&parts, range))
        }
        "lower" | "upper" => {
            let parts = arguments.next()?.parts(depth);
            let text = whole(&parts)?;
            let made = match name(call) {
                "lower" => text.to_lowercase(),
                _ => text.to_uppercase(),
            };
            Some(if made == text {
                parts
            } else {
                vec![Part::plain(made)]
            })
        }
        "replace" => {
            let (parts, from) = (arguments.next()?.parts(depth), arguments.next()?);
            let (text, from) = (whole(&parts)?, whole(&from.parts(depth))?);
            if from.starts_with('/') && from.ends_with('/') {
                return None;
            }
            if !text.contains(&from) {
                return Some(parts);
            }
            let to = whole(&arguments.next()?.parts(depth))?;
            Some(vec![Part::plain(text.replace(&from, &to))])
        }
        "length" => {
            let entries = arguments.next()?.entries(depth)?;
            Some(vec![Part::plain(entries.len().to_string())])
        }
        "basename" => {
            let text = whole(&arguments.next()?.parts(depth))?;
            Some(vec![Part::plain(name_of(&text))])
        }
        "dirname" => {
            let text = whole(&arguments.next()?.parts(depth))?;
            Some(vec![Part::plain(folder_of(&text))])
        }
        "abspath" | "pathexpand" => Some(arguments.next()?.parts(depth)),
        "get_terragrunt_dir" | "get_original_terragrunt_dir" => {
            Some(vec![Part::plain(format!("/{}", scope.env.root))])
        }
        "get_parent_terragrunt_dir" => {
            let file = scope.world.parent(scope.env.terragrunt?, None)?;
            Some(vec![Part::plain(format!(
                "/{}",
                folder_of(&file.text.path)
            ))])
        }
        "get_repo_root" | "get_path_to_repo_root" => Some(vec![Part::plain("/")]),
        "path_relative_to_include" => {
            let file = scope.env.terragrunt?;
            let parent = scope.world.parent(file, None);
            let base = parent.map_or("", |parent| folder_of(&parent.text.path));
            let rest = scope.env.root.strip_prefix(base)?.trim_start_matches('/');
            Some(vec![Part::plain(rest)])
        }
        "find_in_parent_folders" => {
            let name = match arguments.next() {
                Some(name) => whole(&name.parts(depth))?,
                None => "terragrunt.hcl".to_owned(),
            };
            let found = scope.world.above(&scope.env.root, &name)?;
            Some(vec![Part::plain(format!("/{found}"))])
        }
        _ => None,
    }
}

/// `format`, for `%s` alone.
fn format(pattern: &[Part], mut values: impl Iterator<Item = Vec<Part>>) -> Option<Vec<Part>> {
    let text = whole(pattern)?;
    let mut made = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('%') {
        let mark = at + found;
        made.extend(slice(pattern, at..mark));
        match text.get(mark..mark + 2)? {
            "%s" | "%v" => made.extend(values.next()?),
            "%%" => made.push(Part::plain("%")),
            _ => return None,
        }
        at = mark + 2;
    }
    made.extend(slice(pattern, at..text.len()));
    Some(made)
}

/// One field of `split(separator, text)`.
fn split<'a>(scope: &Scope<'a>, call: &'a FuncCall, at: usize, depth: usize) -> Option<Vec<Part>> {
    let mut arguments = arguments(scope, call, "");
    let separator = whole(&arguments.next()?.parts(depth))?;
    let parts = arguments.next()?.parts(depth);
    let text = whole(&parts)?;
    let mut start = 0;
    for (n, field) in text.split(separator.as_str()).enumerate() {
        if n == at {
            let piece = slice(&parts, start..start + field.len());
            // A part of a version is nothing that could be set alone.
            let whole_words = separator.contains([':', '/', '@', ',', '|', ';', ' ']);
            return Some(if whole_words {
                piece
            } else {
                vec![Part::plain(field)]
            });
        }
        start += field.len() + separator.len();
    }
    None
}

/// Whether a path fits a pattern of `fileset`: `**` is any folders, `*` is anything but a `/`.
pub(crate) fn globbed(pattern: &str, path: &str) -> bool {
    match (pattern.split_once('/'), path.split_once('/')) {
        (Some(("**", rest)), below) => {
            globbed(rest, path) || below.is_some_and(|(_, below)| globbed(pattern, below))
        }
        (Some((first, rest)), Some((folder, below))) => {
            named_like(first, folder) && globbed(rest, below)
        }
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => named_like(pattern, path),
    }
}

fn named_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, rest)) => name.strip_prefix(before).is_some_and(|name| {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter()
                .any(|at| name.get(at..).is_some_and(|name| named_like(rest, name)))
        }),
    }
}

/// A path as a function is given it, from the top of the tree.
pub(crate) fn resolved(scope: &Scope<'_>, path: &str) -> String {
    let base = match path.strip_prefix('/') {
        Some(_) => "",
        None => scope.env.root.as_str(),
    };
    join(base, path).unwrap_or_default()
}
