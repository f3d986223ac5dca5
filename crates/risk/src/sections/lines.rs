//! The headings of a text, whichever markup it is in.

/// A heading, and where it stands.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Without its marks.
    pub(super) text: &'a str,
    /// 1 is the highest.
    pub(super) level: u8,
    /// The line, from 1.
    pub(super) line: usize,
    /// The byte at which its line begins.
    pub(super) begins: usize,
    /// The byte after its line, and after the line under it.
    pub(super) ends: usize,
    /// Nothing marks it.
    pub(super) plain: bool,
}

/// Deeper than any heading that is marked as one.
const BOLD: u8 = 7;
const PLAIN: u8 = 8;
/// What underlines a heading in Markdown and reStructuredText.
const UNDERLINES: &str = "=-~^\"'*+#.:_`";
/// Longer lines are no headings.
const LONGEST: usize = 300;

struct Reader<'a> {
    found: Vec<Line<'a>>,
    /// The characters that underline headings, in the order in which they came.
    underlines: Vec<char>,
    /// The mark that ends the block of code.
    fence: Option<&'a str>,
    comment: bool,
    /// The line before, if it may be a heading's.
    previous: Option<(&'a str, usize, usize)>,
}

/// The headings in their order; `plain` also takes lines that nothing marks.
pub(super) fn headings(text: &str, plain: bool) -> Vec<Line<'_>> {
    let mut reader = Reader {
        found: Vec::new(),
        underlines: Vec::new(),
        fence: None,
        comment: false,
        previous: None,
    };
    let mut begins = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        let ends = begins + whole.len();
        reader.line(whole.trim_end(), index + 1, begins, ends, plain);
        begins = ends;
    }
    reader.found
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str, number: usize, begins: usize, ends: usize, plain: bool) {
        let before = self.previous.take();
        let bare = line.trim_start();
        if self.skips(bare, before.is_some()) || bare.is_empty() {
            return;
        }
        let indented = line.len() - bare.len();
        let mut add = |text: &'a str, level: u8, plain: bool| {
            self.found.push(Line {
                text,
                level,
                line: number,
                begins,
                ends,
                plain,
            });
        };
        if indented > 3 || line.starts_with('\t') || bare.len() > LONGEST {
            return;
        }
        if let Some((text, level)) = hashed(bare).or_else(|| tagged(bare)) {
            add(text, level, false);
        } else if let Some(mark) = underline(bare) {
            if let Some((text, line, starts)) = before
                && bare.chars().count() >= text.trim().chars().count().min(3)
            {
                let level = self.level_of(mark);
                // The line was taken for a plain one.
                self.found.retain(|found| found.line != line);
                self.found.push(Line {
                    text,
                    level,
                    line,
                    begins: starts,
                    ends,
                    plain: false,
                });
            }
        } else if let Some(text) = bold(bare) {
            add(text, BOLD, false);
        } else {
            if indented == 0 {
                self.previous = Some((line, number, begins));
                if plain {
                    add(line, PLAIN, true);
                }
            }
        }
    }

    /// Code and comments hold no headings. A line of `~` under a line of text is no fence.
    fn skips(&mut self, bare: &'a str, under: bool) -> bool {
        if let Some(fence) = self.fence {
            if bare.starts_with(fence) && bare.trim_end_matches(fence).trim().is_empty() {
                self.fence = None;
            }
            return true;
        }
        if self.comment {
            self.comment = !bare.contains("-->");
            return true;
        }
        for fence in ["```", "~~~"] {
            let underline = under && bare.len() > 3 && bare.chars().all(|c| c == '~');
            if bare.starts_with(fence) && !underline {
                self.fence = Some(fence);
                return true;
            }
        }
        if let Some(rest) = bare.strip_prefix("<!--") {
            self.comment = !rest.contains("-->");
            return true;
        }
        false
    }

    fn level_of(&mut self, mark: char) -> u8 {
        let known = self.underlines.iter().position(|known| *known == mark);
        let rank = known.unwrap_or_else(|| {
            self.underlines.push(mark);
            self.underlines.len() - 1
        });
        u8::try_from(rank + 1).unwrap_or(BOLD).min(BOLD)
    }
}

/// `## text ##`
fn hashed(bare: &str) -> Option<(&str, u8)> {
    let text = bare.trim_start_matches('#');
    let level = bare.len() - text.len();
    let marked = (1..=6).contains(&level) && text.starts_with([' ', '\t']);
    let text = text.trim().trim_end_matches('#').trim_end();
    marked.then_some((text, u8::try_from(level).ok()?))
}

/// `<h2>text</h2>`, and what some wrap in `<summary>`.
fn tagged(bare: &str) -> Option<(&str, u8)> {
    let rest = bare
        .strip_prefix("<h")
        .or_else(|| bare.strip_prefix("<H"))?;
    let level = rest.chars().next()?.to_digit(10)?;
    let (_, rest) = rest.split_once('>')?;
    let text = rest.split("</").next()?;
    (1..=6)
        .contains(&level)
        .then_some((text, u8::try_from(level).ok()?))
}

/// `**text**`, alone on its line.
fn bold(bare: &str) -> Option<&str> {
    ["**", "__"].iter().find_map(|mark| {
        let text = bare.strip_prefix(mark)?;
        let text = text.strip_suffix(':').unwrap_or(text);
        let text = text.strip_suffix(mark)?;
        (!text.contains(mark)).then_some(text)
    })
}

/// The character of a line that holds nothing else.
fn underline(bare: &str) -> Option<char> {
    let mark = bare.chars().next().filter(|c| UNDERLINES.contains(*c))?;
    (bare.len() >= 3 && bare.chars().all(|c| c == mark)).then_some(mark)
}
