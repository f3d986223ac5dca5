//! Whether a resource's `lifecycle.ignore_changes` makes an edit a no-op.

use hcl_edit::expr::{Expression, TraversalOperator};

use crate::reference::{Reference, Step};

/// The entry of `ignore_changes` that covers this reference, as written.
pub(crate) fn ignored_by(reference: &Reference<'_>) -> Option<String> {
    let file = reference.scope.file;
    let resource = &reference.owner.block.body;
    let entries = resource
        .get_blocks("lifecycle")
        .filter_map(|lifecycle| lifecycle.body.get_attribute("ignore_changes"));
    for entry in entries {
        match &entry.value {
            Expression::Array(list) => {
                for item in list.iter() {
                    if covers(item, &reference.steps) {
                        return Some(file.shown(item));
                    }
                }
            }
            whole if covers(whole, &reference.steps) => return Some(file.shown(whole)),
            _ => {}
        }
    }
    None
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
