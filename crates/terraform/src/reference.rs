//! Every image and chart reference of a tree, and where its tag is written.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::{Block, Body};
use hcl_edit::visit::{Visit, visit_object};

use crate::index::{Declared, Index};
use crate::resolve::{Part, Place, Scope};

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Image,
    Chart,
}

/// One step from a resource down to an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The position among the blocks of that name; `None` where it is not known (`dynamic`).
    pub(crate) position: Option<usize>,
}

/// An image or chart reference.
#[derive(Debug, Clone)]
pub(crate) struct Reference<'a> {
    pub(crate) what: What,
    pub(crate) scope: Scope<'a>,
    /// The resource or module call.
    pub(crate) owner: Declared<'a>,
    /// The block that holds the attribute, where it is not the resource itself.
    pub(crate) container: Option<&'a Block>,
    pub(crate) line: usize,
    pub(crate) address: String,
    /// The same with positions instead of container names.
    pub(crate) numbered: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) expression: String,
    pub(crate) parts: Vec<Part>,
    /// A form that is found but not edited.
    pub(crate) shape: Option<String>,
}

/// What a reference says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The repository as written.
    pub(crate) repository: String,
    pub(crate) tag: Tag,
    /// Whether a digest follows.
    pub(crate) digest: bool,
}

/// The tag of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tag {
    Absent,
    Unknown {
        expression: String,
    },
    /// Known, but not written in one editable place.
    Scattered {
        text: String,
    },
    Overridden {
        text: String,
        variable: String,
        by: String,
    },
    At {
        text: String,
        place: Place,
    },
}

impl Tag {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Absent | Self::Unknown { .. } => None,
            Self::Scattered { text } | Self::Overridden { text, .. } | Self::At { text, .. } => {
                Some(text)
            }
        }
    }
}

impl Reference<'_> {
    /// Repository and tag, or `None` where not even the repository is known. A chart's reference
    /// has the chart as its repository.
    pub(crate) fn said(&self) -> Option<Said> {
        match self.what {
            What::Image => image(&self.parts),
            What::Chart => {
                let chart = self.scope.text_at(&self.owner.block.body, &["chart"])?;
                let whole = self.parts.iter().map(length).sum();
                let unknown = self.parts.iter().find_map(unknown);
                let tag = match unknown {
                    _ if self.parts.is_empty() => Tag::Absent,
                    Some(expression) => Tag::Unknown { expression },
                    None => cut(&self.parts, 0..whole),
                };
                Some(Said {
                    repository: chart,
                    tag,
                    digest: false,
                })
            }
        }
    }
}

fn length(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } => text.len(),
        Part::Unknown { .. } => 0,
    }
}

fn unknown(part: &Part) -> Option<String> {
    match part {
        Part::Unknown { expression } => Some(expression.clone()),
        Part::Text { .. } => None,
    }
}

/// Splits `repository[:tag][@digest]`, as far as it is known.
fn image(parts: &[Part]) -> Option<Said> {
    let mut known = String::new();
    let mut missing = None;
    for part in parts {
        match part {
            Part::Text { text, .. } => known.push_str(text),
            Part::Unknown { expression } => {
                missing = Some(expression.clone());
                break;
            }
        }
    }
    let (name, digest) = match known.split_once('@') {
        Some((name, _)) => (name, true),
        None => (known.as_str(), false),
    };
    let folder = name.rfind('/').map_or(0, |at| at + 1);
    let colon = name.get(folder..)?.find(':').map(|at| folder + at);
    let repository = name.get(..colon.unwrap_or(name.len()))?;
    let plausible = |c: char| c.is_ascii_alphanumeric() || "._/:-".contains(c);
    if repository.is_empty() || !repository.chars().all(plausible) {
        return None;
    }
    let tag = match (colon, missing) {
        (Some(_), Some(expression)) => Tag::Unknown { expression },
        (None, Some(expression)) if digest => Tag::Unknown { expression },
        // Not even the repository is complete.
        (None, Some(_)) => return None,
        (None, None) => Tag::Absent,
        (Some(colon), None) => cut(parts, colon + 1..name.len()),
    };
    Some(Said {
        repository: repository.to_owned(),
        tag,
        digest,
    })
}

/// The tag at this range of the joined text: editable if it lies in one part that has a place.
fn cut(parts: &[Part], range: Range<usize>) -> Tag {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut start = 0;
    for part in parts {
        let Part::Text {
            text: piece,
            place,
            overridden,
        } = part
        else {
            continue;
        };
        let end = start + piece.len();
        let from = range.start.max(start) - start;
        let to = range.end.min(end).saturating_sub(start);
        if let Some(inside) = piece.get(from..to).filter(|inside| !inside.is_empty()) {
            text.push_str(inside);
            places.push((place, overridden, from..to));
        }
        start = end;
    }
    for (_, overridden, _) in &places {
        if let Some((variable, winner)) = overridden {
            let by = winner.by.clone();
            return Tag::Overridden {
                text,
                variable: variable.clone(),
                by,
            };
        }
    }
    match places.as_slice() {
        [] => Tag::Absent,
        [(Some(place), None, inside)] => {
            let base = place.span.start;
            let span = base + inside.start..base + inside.end;
            Tag::At {
                text,
                place: Place {
                    span,
                    ..place.clone()
                },
            }
        }
        _ => Tag::Scattered { text },
    }
}

/// All references of a tree in the order of path and position.
pub(crate) fn references<'a>(index: &'a Index<'a>) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    for folder in index.folders.values() {
        for owner in folder.resources.iter().chain(&folder.calls) {
            let scope = Scope {
                index,
                file: owner.file,
            };
            let call = owner.block.has_ident("module");
            let root = if call {
                format!("module.{}", owner.label(0))
            } else {
                format!("{}.{}", owner.label(0), owner.label(1))
            };
            let mut walk = Walk {
                scope,
                owner: *owner,
                call,
                found: &mut found,
            };
            if owner.label(0) == "helm_release" {
                walk.chart(&root);
            }
            let here = Here {
                address: root.clone(),
                numbered: root,
                steps: Vec::new(),
            };
            walk.body(&owner.block.body, None, &here);
        }
    }
    found.sort_by(|a, b| {
        (&a.scope.file.path, a.line, &a.address).cmp(&(&b.scope.file.path, b.line, &b.address))
    });
    found
}

/// How a block is reached.
#[derive(Clone)]
struct Here {
    address: String,
    numbered: String,
    steps: Vec<Step>,
}

struct Walk<'a, 'f> {
    scope: Scope<'a>,
    owner: Declared<'a>,
    call: bool,
    found: &'f mut Vec<Reference<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn chart(&mut self, root: &str) {
        let body = &self.owner.block.body;
        let version = body.get_attribute("version");
        let address = format!("{root}.version");
        let steps = vec![Step {
            name: "version".to_owned(),
            position: None,
        }];
        let here = Here {
            address: address.clone(),
            numbered: address,
            steps,
        };
        match version {
            Some(attribute) => self.add(What::Chart, &attribute.value, None, here, None),
            None => self.found.push(Reference {
                what: What::Chart,
                scope: self.scope,
                owner: self.owner,
                container: None,
                line: self.owner.line(),
                address: here.address,
                numbered: here.numbered,
                steps: here.steps,
                expression: String::new(),
                parts: Vec::new(),
                shape: None,
            }),
        }
    }

    fn add(
        &mut self,
        what: What,
        value: &'a Expression,
        container: Option<&'a Block>,
        here: Here,
        shape: Option<String>,
    ) {
        let file = self.scope.file;
        self.found.push(Reference {
            what,
            scope: self.scope,
            owner: self.owner,
            container,
            line: file.line(value.span().unwrap_or_default().start),
            parts: self.scope.parts(value, &here.address),
            address: here.address,
            numbered: here.numbered,
            steps: here.steps,
            expression: file.shown(value),
            shape,
        });
    }

    fn body(&mut self, body: &'a Body, container: Option<&'a Block>, here: &Here) {
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            let mut at = here.clone();
            at.address = format!("{}.{name}", at.address);
            at.numbered = format!("{}.{name}", at.numbered);
            at.steps.push(Step {
                name: name.to_owned(),
                position: None,
            });
            if name == "image" {
                let shape = self.call.then(|| "an argument of a module call".to_owned());
                self.add(What::Image, &attribute.value, container, at, shape);
            } else {
                let mut objects = Objects { images: Vec::new() };
                objects.visit_expr(&attribute.value);
                for span in objects.images {
                    self.inside(&attribute.value, &span, container, &at);
                }
            }
        }
        for block in body.blocks() {
            let below = self.below(body, block, here);
            // A `dynamic` block's own body is that of its `content`.
            let inner = match block.has_ident("dynamic") {
                true => block
                    .body
                    .get_blocks("content")
                    .next()
                    .map(|content| &content.body),
                false => Some(&block.body),
            };
            if let Some(inner) = inner {
                self.body(inner, Some(block), &below);
            }
        }
    }

    /// An `image` inside an object: seen, so that a person is told, but not edited.
    fn inside(
        &mut self,
        value: &'a Expression,
        span: &Range<usize>,
        container: Option<&'a Block>,
        at: &Here,
    ) {
        let file = self.scope.file;
        let Some(inner) = object_value(value, span) else {
            return;
        };
        let line = file.line(span.start);
        let mut at = at.clone();
        at.address = format!("{}[line {line}].image", at.address);
        at.numbered.clone_from(&at.address);
        self.add(
            What::Image,
            inner,
            container,
            at,
            Some("an object".to_owned()),
        );
    }

    fn below(&self, body: &'a Body, block: &'a Block, here: &Here) -> Here {
        let dynamic = block.has_ident("dynamic");
        let name = match dynamic {
            true => block.labels.first().map_or("", |label| label.as_str()),
            false => block.ident.as_str(),
        };
        let same =
            |other: &&Block| other.has_ident(block.ident.as_str()) && other.labels == block.labels;
        let alike: Vec<&Block> = body.blocks().filter(same).collect();
        let position = alike
            .iter()
            .position(|other| std::ptr::eq(*other, block))
            .unwrap_or(0);
        let written = if dynamic {
            format!("dynamic.{name}")
        } else {
            name.to_owned()
        };
        let numbered = match is_container(name) || alike.len() > 1 {
            true => format!("{written}[{position}]"),
            false => written.clone(),
        };
        // A container's name survives when another container is added above it.
        let own = is_container(name).then(|| literal_name(block)).flatten();
        let unique = |own: &&str| {
            alike
                .iter()
                .filter(|other| literal_name(other) == Some(own))
                .count()
                == 1
        };
        let named = match own.filter(unique) {
            Some(own) => format!("{written}[{own}]"),
            None => numbered.clone(),
        };
        let mut steps = here.steps.clone();
        steps.push(Step {
            name: name.to_owned(),
            position: (!dynamic).then_some(position),
        });
        Here {
            address: format!("{}.{named}", here.address),
            numbered: format!("{}.{numbered}", here.numbered),
            steps,
        }
    }
}

/// Whether blocks of this name are containers of a pod.
pub(crate) fn is_container(name: &str) -> bool {
    matches!(name, "container" | "init_container")
}

fn literal_name(block: &Block) -> Option<&str> {
    let name = block.body.get_attribute("name")?.value.as_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    // A number would read like a position.
    (name.chars().all(plain) && !name.chars().all(|c| c.is_ascii_digit())).then_some(name)
}

/// Finds the values of `image` keys.
struct Objects {
    images: Vec<Range<usize>>,
}

fn is_image(key: &ObjectKey) -> bool {
    match key {
        ObjectKey::Ident(ident) => ident.as_str() == "image",
        ObjectKey::Expression(key) => {
            key.as_str() == Some("image")
                || key
                    .as_variable()
                    .is_some_and(|ident| ident.as_str() == "image")
        }
    }
}

impl Visit for Objects {
    fn visit_object(&mut self, object: &Object) {
        for (key, value) in object.iter() {
            if is_image(key) {
                self.images.extend(value.expr().span());
            }
        }
        visit_object(self, object);
    }
}

/// The value of an `image` key with this span, anywhere below an expression: the visitor of the
/// syntax crate lends its nodes for the call only, so they are found again by their span.
fn object_value<'a>(value: &'a Expression, span: &Range<usize>) -> Option<&'a Expression> {
    if value.span().as_ref() == Some(span) {
        return Some(value);
    }
    match value {
        Expression::Object(object) => object
            .iter()
            .find_map(|(_, value)| object_value(value.expr(), span)),
        Expression::Array(array) => array.iter().find_map(|value| object_value(value, span)),
        Expression::FuncCall(call) => call.args.iter().find_map(|value| object_value(value, span)),
        Expression::Parenthesis(inner) => object_value(inner.inner(), span),
        Expression::Conditional(both) => {
            object_value(&both.true_expr, span).or_else(|| object_value(&both.false_expr, span))
        }
        Expression::ForExpr(each) => object_value(&each.value_expr, span),
        _ => None,
    }
}
