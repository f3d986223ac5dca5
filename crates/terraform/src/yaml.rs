//! A YAML text with the bytes of each scalar: a file, a template of one, or a heredoc.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::expr::Expression;
use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::holes::{Hole, holes, masked, without_braces};
use crate::text::Text;

/// Deeper texts are none that a person wrote.
const MAX_DEPTH: usize = 200;

/// A parsed text; all documents of it.
#[derive(Debug)]
pub(crate) struct Doc {
    pub(crate) text: Text,
    holes: Vec<Hole>,
    nodes: Vec<Item>,
    /// YAML in texts of several lines, such as the values of a chart, by the text's node.
    nested: Vec<(usize, Doc)>,
    /// The root of each document.
    pub(crate) roots: Vec<usize>,
}

/// A node of a document.
#[derive(Debug)]
pub(crate) enum Item {
    /// A scalar; its bytes without quotes.
    Scalar {
        span: Range<usize>,
        /// What it says, if its bytes are not exactly that; with holes in it, nothing that is so.
        other: Option<Box<str>>,
    },
    Map(Vec<(usize, usize)>),
    List(Vec<usize>),
}

/// A piece of a scalar.
pub(crate) enum Piece<'a> {
    /// Bytes of this text that are their value.
    Text(Range<usize>),
    Expression(&'a Expression, &'a Text),
    /// Something that is not followed.
    Other(Range<usize>),
}

impl Doc {
    /// Parses a text as it is.
    ///
    /// # Errors
    /// Where and why it is no YAML.
    pub(crate) fn plain(text: Text) -> Result<Self, String> {
        Self::parsed(text, Vec::new())
    }

    /// Parses the text of a template: `${…}` may stand in any scalar.
    ///
    /// # Errors
    /// Where and why it is no YAML.
    pub(crate) fn template(text: Text) -> Result<Self, String> {
        let holes = holes(&text);
        Self::parsed(text, holes)
    }

    /// The lines of a script that name an image as YAML does, such as of a manifest that it feeds
    /// to kubectl; each a document of its own.
    pub(crate) fn script(text: Text) -> Option<Self> {
        let holes = holes(&text);
        let masked = masked(&text.text, &holes);
        let mut build = Build::default();
        let mut at = 0;
        for line in masked.split_inclusive('\n') {
            if let Some((key, value)) = image_line(line) {
                let scalar = |span: Range<usize>| Item::Scalar {
                    span: at + span.start..at + span.end,
                    other: None,
                };
                let (key, value) = (build.add(scalar(key)), build.add(scalar(value)));
                let map = build.add(Item::Map(vec![(key, value)]));
                build.roots.push(map);
            }
            at += line.len();
        }
        (!build.roots.is_empty()).then_some(Self {
            text,
            holes,
            nodes: build.nodes,
            nested: Vec::new(),
            roots: build.roots,
        })
    }

    /// Whether every document is a map or a list.
    pub(crate) fn is_structured(&self) -> bool {
        self.roots
            .iter()
            .all(|root| matches!(self.item(*root), Some(Item::Map(_) | Item::List(_))))
    }

    fn parsed(text: Text, holes: Vec<Hole>) -> Result<Self, String> {
        let masked = masked(&text.text, &holes);
        let mut build = Build::default();
        let mut outcome = match sections(&masked) {
            Some(sections) => build.sections(&masked, &sections),
            None => build.run(&masked, 0),
        };
        if outcome.is_err() && masked.contains("{{") {
            // A template of another language around it.
            build = Build::default();
            outcome = build.run(&without_braces(&masked), 0);
        }
        outcome.map_err(|(at, why)| {
            let line = text.line(at);
            format!("{}:{line}: does not parse as YAML: {why}", text.path)
        })?;
        let mut doc = Self {
            text,
            holes,
            nodes: build.nodes,
            nested: Vec::new(),
            roots: build.roots,
        };
        doc.nested = doc.values();
        Ok(doc)
    }

    /// The texts of this document that hold the values of a chart.
    fn values(&self) -> Vec<(usize, Doc)> {
        let maps = self.nodes.iter().filter_map(|item| match item {
            Item::Map(entries) => Some(entries),
            Item::Scalar { .. } | Item::List(_) => None,
        });
        let texts = maps.flatten().filter(|(key, _)| {
            let key = self.scalar(*key);
            key.is_some_and(|key| matches!(key, "values" | "valuesContent"))
        });
        texts
            .filter_map(|(_, id)| {
                let Some(Item::Scalar {
                    span,
                    other: Some(text),
                }) = self.item(*id)
                else {
                    return None;
                };
                if !text.contains('\n') {
                    return None;
                }
                let source = &self.text.text;
                let start = match source.get(span.start..)?.starts_with(['|', '>']) {
                    true => span.start + source.get(span.start..)?.find('\n')? + 1,
                    false => source.get(..span.start)?.rfind('\n')? + 1,
                };
                let part = self.text.within(start, source.get(start..span.end)?);
                Some((*id, Doc::template(part).ok()?))
            })
            .collect()
    }

    /// The YAML in a text of this document.
    pub(crate) fn nested(&self, id: usize) -> Option<&Doc> {
        let found = self.nested.iter().find(|(found, _)| *found == id);
        found.map(|(_, doc)| doc)
    }

    pub(crate) fn item(&self, id: usize) -> Option<&Item> {
        self.nodes.get(id)
    }

    /// The value of a scalar without holes.
    pub(crate) fn scalar(&self, id: usize) -> Option<&str> {
        match self.item(id)? {
            Item::Scalar { span, other } if !self.has_holes(span) => {
                Some(other.as_deref().unwrap_or_else(|| self.text.source(span)))
            }
            Item::Scalar { .. } | Item::Map(_) | Item::List(_) => None,
        }
    }

    /// The value below a key of a map.
    pub(crate) fn get(&self, id: usize, key: &str) -> Option<usize> {
        match self.item(id)? {
            Item::Map(entries) => entries
                .iter()
                .find(|(found, _)| self.scalar(*found) == Some(key))
                .map(|(_, value)| *value),
            Item::Scalar { .. } | Item::List(_) => None,
        }
    }

    /// The expression of a scalar that is nothing else.
    pub(crate) fn only_expression(&self, id: usize) -> Option<(&Expression, &Text)> {
        let Item::Scalar { span, .. } = self.item(id)? else {
            return None;
        };
        match self.pieces(span).as_slice() {
            [Piece::Expression(inner, text)] => Some((inner, text)),
            _ => None,
        }
    }

    /// What `<<` brings into a map that does not say it itself.
    pub(crate) fn merged(&self, id: usize) -> Vec<(&str, usize)> {
        let Some(Item::Map(own)) = self.item(id) else {
            return Vec::new();
        };
        let Some(given) = self.get(id, "<<") else {
            return Vec::new();
        };
        let maps = match self.item(given) {
            Some(Item::List(maps)) => maps.clone(),
            _ => vec![given],
        };
        let mut found: Vec<(&str, usize)> = Vec::new();
        for map in maps {
            let Some(Item::Map(entries)) = self.item(map) else {
                continue;
            };
            for (key, value) in entries {
                let Some(key) = self.scalar(*key) else {
                    continue;
                };
                let known = own.iter().any(|(own, _)| self.scalar(*own) == Some(key))
                    || found.iter().any(|(known, _)| *known == key);
                if !known {
                    found.push((key, *value));
                }
            }
        }
        found
    }

    /// The value at the end of a path of keys.
    #[cfg(test)]
    pub(crate) fn at(&self, id: usize, path: &[&str]) -> Option<usize> {
        path.iter().try_fold(id, |id, key| self.get(id, key))
    }

    fn has_holes(&self, span: &Range<usize>) -> bool {
        self.inside(span).next().is_some()
    }

    fn inside<'a>(&'a self, span: &Range<usize>) -> impl Iterator<Item = &'a Hole> {
        let from = self
            .holes
            .partition_point(|hole| hole.span.end <= span.start);
        let end = span.end;
        let rest = self.holes.get(from..).unwrap_or_default().iter();
        rest.take_while(move |hole| hole.span.start < end)
    }

    /// The pieces of a scalar's bytes.
    pub(crate) fn pieces(&self, span: &Range<usize>) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut at = span.start;
        for hole in self.inside(span) {
            if hole.span.start > at {
                pieces.push(Piece::Text(at..hole.span.start));
            }
            pieces.push(match &hole.expression {
                Some((expression, text)) => Piece::Expression(expression, text),
                None => Piece::Other(hole.span.clone()),
            });
            at = hole.span.end;
        }
        if at < span.end {
            pieces.push(Piece::Text(at..span.end));
        }
        pieces
    }
}

/// Key and value of a line such as `- image: "acme/app:1.2" # why`.
fn image_line(line: &str) -> Option<(Range<usize>, Range<usize>)> {
    let start = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    let rest = line.get(start..)?;
    let colon = rest.find(": ")?;
    let key = rest.get(..colon)?.trim_matches(['"', '\'']);
    if !matches!(key, "image" | "imageName") {
        return None;
    }
    let key = start + rest.find(key)?..start + rest.find(key)? + key.len();
    let from = start + colon + 2;
    let value = line.get(from..)?;
    let skipped = value.len() - value.trim_start().len();
    let value = value.trim_start();
    let (skipped, end) = match value.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = value.get(1..)?;
            (skipped + 1, inner.find(quote)?)
        }
        _ => (
            skipped,
            value.find(char::is_whitespace).unwrap_or(value.len()),
        ),
    };
    let plain = line
        .get(from + skipped..)?
        .starts_with(|c: char| c.is_ascii_alphanumeric());
    (plain && end > 0).then(|| (key, from + skipped..from + skipped + end))
}

/// A text that is shorter than this is parsed as a whole.
const LARGE: usize = 256 * 1024;
/// What a section of a large text must contain to matter.
const WORDS: [&str; 6] = ["image", "Image", "repository", "tag", "Tag", "version"];

/// The sections of a large text that may name an image: each a key at its left edge with all that
/// is below. None where the text is not made of such sections alone.
fn sections(text: &str) -> Option<Vec<Range<usize>>> {
    if text.len() < LARGE || text.contains(": &") || text.contains("- &") {
        return None;
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let first = line.chars().next().unwrap_or('\n');
        if first.is_alphanumeric() || matches!(first, '_' | '"' | '\'') {
            found.push(at..at);
        } else if !matches!(first, ' ' | '#' | '\n' | '\r') {
            return None;
        }
        at += line.len();
        if let Some(last) = found.last_mut() {
            last.end = at;
        }
    }
    let matters = |section: &Range<usize>| {
        let section = text.get(section.clone()).unwrap_or_default();
        WORDS.iter().any(|word| section.contains(word))
    };
    found.retain(matters);
    Some(found)
}

#[derive(Default)]
struct Build {
    nodes: Vec<Item>,
    roots: Vec<usize>,
    anchors: BTreeMap<usize, usize>,
    /// The open collections, each with the key that waits for its value.
    open: Vec<(usize, Option<usize>)>,
}

impl Build {
    /// Parses these sections of a text alone, as one map.
    fn sections(&mut self, text: &str, sections: &[Range<usize>]) -> Result<(), (usize, String)> {
        let whole = self.add(Item::Map(Vec::new()));
        for section in sections {
            let part = text.get(section.clone()).unwrap_or_default();
            self.run(part, section.start)?;
        }
        let mut merged = Vec::new();
        for root in std::mem::take(&mut self.roots) {
            match self.nodes.get_mut(root) {
                Some(Item::Map(entries)) => merged.append(entries),
                Some(Item::Scalar { .. } | Item::List(_)) | None => {}
            }
        }
        if let Some(map) = self.nodes.get_mut(whole) {
            *map = Item::Map(merged);
        }
        self.roots.push(whole);
        Ok(())
    }

    /// Parses a text that begins at this byte.
    fn run(&mut self, text: &str, base: usize) -> Result<(), (usize, String)> {
        // The parser counts characters.
        let bytes: Option<Vec<usize>> =
            (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        let byte = |at: usize| match &bytes {
            Some(bytes) => bytes.get(at).copied().unwrap_or(text.len()),
            None => at.min(text.len()),
        };
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event
                .map_err(|error| (base + byte(error.marker().index()), error.info().to_owned()))?;
            match event {
                Event::Scalar(value, style, anchor, _) => {
                    let whole = byte(span.start.index())..byte(span.end.index());
                    let span = inside(text, whole, style);
                    let exact = text.get(span.clone()) == Some(&*value);
                    let id = self.add(Item::Scalar {
                        span: base + span.start..base + span.end,
                        other: (!exact).then(|| value.into_owned().into_boxed_str()),
                    });
                    self.anchors.insert(anchor, id);
                    self.place(id);
                }
                Event::Alias(anchor) => {
                    if let Some(id) = self.anchors.get(&anchor).copied() {
                        self.place(id);
                    }
                }
                Event::MappingStart(anchor, _) => self.begin(Item::Map(Vec::new()), anchor)?,
                Event::SequenceStart(anchor, _) => self.begin(Item::List(Vec::new()), anchor)?,
                Event::MappingEnd | Event::SequenceEnd => {
                    self.open.pop();
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, item: Item) -> usize {
        self.nodes.push(item);
        self.nodes.len() - 1
    }

    fn begin(&mut self, item: Item, anchor: usize) -> Result<(), (usize, String)> {
        if self.open.len() >= MAX_DEPTH {
            return Err((0, "it is nested too deeply".to_owned()));
        }
        let id = self.add(item);
        self.anchors.insert(anchor, id);
        self.place(id);
        self.open.push((id, None));
        Ok(())
    }

    /// Puts a node into what is open.
    fn place(&mut self, id: usize) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.roots.push(id);
            return;
        };
        match self.nodes.get_mut(*parent) {
            Some(Item::Map(entries)) => match key.take() {
                Some(key) => entries.push((key, id)),
                None => *key = Some(id),
            },
            Some(Item::List(items)) => items.push(id),
            Some(Item::Scalar { .. }) | None => {}
        }
    }
}

/// The bytes of a scalar without its quotes.
fn inside(text: &str, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
    let quote = match style {
        ScalarStyle::SingleQuoted => '\'',
        ScalarStyle::DoubleQuoted => '"',
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
            let found = text.get(span.clone()).unwrap_or_default();
            return span.start..span.start + found.trim_end().len();
        }
    };
    let found = text.get(span.clone()).unwrap_or_default();
    match (found.find(quote), found.rfind(quote)) {
        (Some(first), Some(last)) if first < last => span.start + first + 1..span.start + last,
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(text: &str) -> Doc {
        Doc::template(Text::new("values.yaml", text.to_owned())).unwrap()
    }

    fn found<'a>(doc: &'a Doc, path: &[&str]) -> (&'a str, &'a str) {
        let id = doc.at(doc.roots[0], path).unwrap();
        let Some(Item::Scalar { span, .. }) = doc.item(id) else {
            panic!("no scalar at {path:?}")
        };
        (doc.text.source(span), doc.scalar(id).unwrap_or_default())
    }

    #[test]
    fn scalars_have_their_bytes_whatever_their_quotes_and_neighbours() {
        let doc = doc(
            "# größer\nimage:\n  repository: acme/app # the app\n  tag: \"1.2\"\nside: {tag: 'v1', x: [a, b]}\n",
        );
        assert_eq!(found(&doc, &["image", "repository"]).0, "acme/app");
        assert_eq!(found(&doc, &["image", "tag"]), ("1.2", "1.2"));
        assert_eq!(found(&doc, &["side", "tag"]).0, "v1");
    }

    #[test]
    fn holes_of_a_template_are_pieces_and_directives_are_no_lines() {
        let doc = doc("%{ if a }\nimage: acme/app:1.2\n%{ endif }\nx: $${HOME}\n");
        assert_eq!(found(&doc, &["image"]).0, "acme/app:1.2");
        let doc = self::doc("image: acme/app:${tag}-alpine\nx: $${HOME}\n");
        let id = doc.at(doc.roots[0], &["image"]).unwrap();
        let Some(Item::Scalar { span, .. }) = doc.item(id) else {
            panic!()
        };
        let pieces: Vec<String> = doc
            .pieces(span)
            .iter()
            .map(|piece| match piece {
                Piece::Text(span) => doc.text.source(span).to_owned(),
                Piece::Expression(..) => "<>".to_owned(),
                Piece::Other(_) => "?".to_owned(),
            })
            .collect();
        assert_eq!(pieces, ["acme/app:", "<>", "-alpine"]);
        assert_eq!(doc.scalar(id), None);
    }

    #[test]
    fn the_values_of_a_chart_are_a_document_in_a_document() {
        let text = "spec:\n  helm:\n    values: |\n      image:\n        tag: v1.2 # ä\n    x: 1\n";
        let doc = doc(text);
        let id = doc.at(doc.roots[0], &["spec", "helm", "values"]).unwrap();
        let nested = doc.nested(id).unwrap();
        let tag = nested.at(nested.roots[0], &["image", "tag"]).unwrap();
        let Some(Item::Scalar { span, .. }) = nested.item(tag) else {
            panic!()
        };
        assert_eq!(text.get(nested.text.in_file(span)).unwrap(), "v1.2");
    }

    #[test]
    fn of_a_large_text_only_what_may_matter_is_parsed_and_bytes_are_the_same() {
        let mut text = String::from("# ä\nimage:\n  tag: 1.2\n");
        for n in 0..20_000 {
            text.push_str(&format!("board{n}:\n  ü: [1, 2]\n"));
        }
        text.push_str("last:\n  image: acme/app:1.2\n");
        let doc = doc(&text);
        assert!(doc.nodes.len() < 20, "{}", doc.nodes.len());
        assert_eq!(found(&doc, &["image", "tag"]).0, "1.2");
        assert_eq!(found(&doc, &["last", "image"]).0, "acme/app:1.2");
    }

    #[test]
    fn an_alias_is_the_place_of_its_anchor() {
        let doc = doc("a: &t 1.2\nb: *t\n");
        let root = doc.roots[0];
        assert_eq!(doc.at(root, &["a"]), doc.at(root, &["b"]));
    }

    #[test]
    fn what_does_not_parse_is_told_with_its_line() {
        let text = Text::part("x.tf", "a: 1\nb: [\n".to_owned(), 100, 40);
        let error = Doc::plain(text).unwrap_err();
        assert!(error.starts_with("x.tf:4"), "{error}");
    }
}
