//! Whether a resource's `lifecycle.ignore_changes` makes an edit a no-op.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::Body;

use crate::eval::{DEPTH, Scope};
use crate::node::{Entry, Node, Seg};
use crate::parts::whole;

/// One step from a resource down to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The position among the blocks or elements of that name; `None` where it is not known
    /// (`dynamic`).
    pub(crate) position: Option<usize>,
}

/// An entry of `ignore_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// As written.
    pub(crate) entry: String,
    pub(crate) path: String,
    /// The bytes that go when the entry is taken away, with what stood for it alone.
    pub(crate) bytes: Range<usize>,
    /// Whether it covers the image alone, and not something above it.
    pub(crate) exact: bool,
}

/// The entry of `ignore_changes` that covers what these steps lead to.
pub(crate) fn ignored_by(scope: &Scope<'_>, resource: &Body, steps: &[Step]) -> Option<Ignored> {
    for lifecycle in resource.get_blocks("lifecycle") {
        let Some(entry) = lifecycle.body.get_attribute("ignore_changes") else {
            continue;
        };
        let found = |item: &Expression, bytes: Range<usize>| Ignored {
            entry: scope.shown(item),
            path: scope.text.path.clone(),
            bytes,
            exact: length(item) == steps.len(),
        };
        let alone = || {
            let lines = lifecycle.body.iter().count();
            let span = if lines == 1 {
                lifecycle.span()
            } else {
                entry.span()
            };
            whole_lines(&scope.text.text, span.unwrap_or_default())
        };
        match &entry.value {
            Expression::Array(list) => {
                let mut items = list.iter();
                if let Some(item) = items.find(|item| covers(item, steps)) {
                    let bytes = match list.len() {
                        1 => alone(),
                        _ => of_list(&scope.text.text, item.span().unwrap_or_default()),
                    };
                    return Some(found(item, bytes));
                }
            }
            whole if covers(whole, steps) => return Some(found(whole, alone())),
            _ => {}
        }
    }
    None
}

/// As [`ignored_by`], of a resource that is written in JSON.
pub(crate) fn ignored_in_json(resource: &Node<'_>, steps: &[Step]) -> Option<Ignored> {
    let path = ["lifecycle", "ignore_changes"].map(|key| Seg::Key(key.to_owned()));
    let entries = resource.select(&path, DEPTH).ok()?;
    let (file, _) = entries.position()?;
    let single = vec![Entry {
        key: None,
        value: entries.clone(),
    }];
    let texts = entries.entries(DEPTH).unwrap_or(single);
    let texts = texts
        .iter()
        .filter_map(|entry| whole(&entry.value.parts(DEPTH)));
    let mut covering = texts
        .filter(|text| hcl_edit::parser::parse_expr(text).is_ok_and(|entry| covers(&entry, steps)));
    Some(Ignored {
        entry: covering.next()?,
        path: file.to_owned(),
        bytes: 0..0,
        exact: true,
    })
}

/// How many steps an entry has.
fn length(entry: &Expression) -> usize {
    let names = |entry: &Expression| match entry.as_traversal() {
        Some(traversal) => {
            let operators = traversal.operators.iter();
            let named = operators.filter(|operator| match operator.value() {
                TraversalOperator::GetAttr(_) => true,
                TraversalOperator::Index(at) => at.as_str().is_some(),
                _ => false,
            });
            1 + named.count()
        }
        None => 1,
    };
    match entry.as_str().map(hcl_edit::parser::parse_expr) {
        Some(Ok(inner)) => names(&inner),
        Some(Err(_)) => 0,
        None => names(entry),
    }
}

/// The lines of a span, if nothing else stands on them; else the span.
fn whole_lines(text: &str, span: Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let behind = text.get(span.end..).unwrap_or_default();
    let line = behind.split_inclusive('\n').next().unwrap_or_default();
    let rest = line.trim();
    let nothing_before = before
        .get(start..)
        .is_some_and(|before| before.trim().is_empty());
    if nothing_before && (rest.is_empty() || rest.starts_with('#') || rest.starts_with("//")) {
        start..span.end + line.len()
    } else {
        span
    }
}

/// The bytes of an element among others: with its comma, and its line if it has one of its own.
fn of_list(text: &str, item: Range<usize>) -> Range<usize> {
    let behind = text.get(item.end..).unwrap_or_default();
    let blank = behind.len() - behind.trim_start().len();
    if behind.trim_start().starts_with(',') {
        let end = item.end + blank + 1;
        let lines = whole_lines(text, item.start..end);
        if lines.start != item.start {
            return lines;
        }
        let rest = text.get(end..).unwrap_or_default();
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        return item.start..end + spaces;
    }
    let lines = whole_lines(text, item.clone());
    if lines.start != item.start {
        // A comma before it may stay.
        return lines;
    }
    // The last one takes the comma before it along.
    let before = text.get(..item.start).unwrap_or_default().trim_end();
    match before.strip_suffix(',') {
        Some(kept) => kept.len()..item.end,
        None => item,
    }
}

/// Whether an entry names the path or something above it.
fn covers(entry: &Expression, path: &[Step]) -> bool {
    // Up to Terraform 0.11 entries were written in quotes, and they still parse.
    if let Some(text) = entry.as_str() {
        return text == "*"
            || hcl_edit::parser::parse_expr(text).is_ok_and(|entry| covers(&entry, path));
    }
    if let Some(name) = entry.as_variable() {
        let first = path.first().is_some_and(|step| step.name == name.as_str());
        return name.as_str() == "all" || first;
    }
    let Some(traversal) = entry.as_traversal() else {
        return false;
    };
    let Some(root) = traversal.expr.as_variable() else {
        return false;
    };
    let mut wanted: Vec<(&str, Option<u64>)> = vec![(root.as_str(), None)];
    for operator in &traversal.operators {
        match operator.value() {
            TraversalOperator::GetAttr(name) => wanted.push((name.as_str(), None)),
            TraversalOperator::Index(at) if at.as_str().is_some() => {
                wanted.push((at.as_str().unwrap_or_default(), None));
            }
            TraversalOperator::Index(at) => {
                let at = at.as_number().and_then(|number| number.as_u64());
                if let Some(last) = wanted.last_mut() {
                    last.1 = at;
                }
            }
            TraversalOperator::LegacyIndex(at) => {
                if let Some(last) = wanted.last_mut() {
                    last.1 = Some(*at.value());
                }
            }
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {}
        }
    }
    wanted.len() <= path.len()
        && wanted.iter().zip(path).all(|((name, at), step)| {
            let position = step
                .position
                .and_then(|position| u64::try_from(position).ok());
            *name == step.name
                && match (at, position) {
                    (Some(at), Some(position)) => *at == position,
                    // Unknown on either side may be this one.
                    _ => true,
                }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(entry: &str) -> bool {
        let step = |name: &str, position| Step {
            name: name.into(),
            position,
        };
        let path = [
            step("spec", Some(0)),
            step("template", Some(0)),
            step("spec", Some(0)),
            step("container", Some(1)),
            step("image", None),
        ];
        covers(&hcl_edit::parser::parse_expr(entry).unwrap(), &path)
    }

    #[test]
    fn the_image_and_everything_above_it_is_covered() {
        for entry in [
            "all",
            "spec",
            "spec[0].template",
            "spec[0].template[0].spec[0].container",
            "spec[0].template[0].spec[0].container[1].image",
            "spec.0.template.0.spec.0.container.1.image",
            "\"spec[0].template\"",
            "spec[0].template[0].spec[0].container[*].image",
        ] {
            assert!(covered(entry), "{entry}");
        }
    }

    #[test]
    fn an_entry_goes_with_its_comma_and_its_line() {
        let cut = |text: &str, item: &str| {
            let at = text.find(item).unwrap();
            let bytes = of_list(text, at..at + item.len());
            let part = |range| text.get(range).unwrap();
            format!("{}{}", part(0..bytes.start), part(bytes.end..text.len()))
        };
        assert_eq!(cut("x = [a, b]", "a"), "x = [b]");
        assert_eq!(cut("x = [a, b]", "b"), "x = [a]");
        let lines = "x = [\n  a, # KEEL\n  b\n]\n";
        assert_eq!(cut(lines, "a"), "x = [\n  b\n]\n");
        assert_eq!(cut(lines, "b"), "x = [\n  a, # KEEL\n]\n");
    }

    #[test]
    fn another_container_or_attribute_is_not_covered() {
        for entry in [
            "metadata",
            "spec[0].replicas",
            "spec[0].template[0].metadata",
            "spec[0].template[0].spec[0].container[0].image",
            "spec[0].template[0].spec[0].init_container[1].image",
            "spec[0].template[0].spec[0].container[1].env",
            "spec[0].template[0].spec[0].container[1].image.x",
        ] {
            assert!(!covered(entry), "{entry}");
        }
    }
}
