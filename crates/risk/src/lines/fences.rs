//! Where blocks of code begin and end.

use super::Raw;

/// A block of code that a line opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence {
    /// The index of the line that closes it.
    pub(super) closes_at: usize,
    /// A quotation holds it, and ends it where it ends.
    pub(super) quoted: bool,
}

/// For each line the block that it would open; none if nothing closes it.
///
/// Reads from the end, so that each opener finds its closer without a search through the rest.
pub(super) fn fences(lines: &[Raw<'_>]) -> Vec<Option<Fence>> {
    let mut found = vec![None; lines.len()];
    let mut closers = [Closers::default(), Closers::default()];
    for (index, (line, fence)) in lines.iter().zip(&mut found).enumerate().rev() {
        if let Some((mark, length)) = opener(line.text) {
            let [ticks, tildes] = &closers;
            let ahead = if mark == '`' { ticks } else { tildes };
            *fence = ahead.next(length).map(|closes_at| Fence {
                closes_at,
                quoted: line.text.trim_start().starts_with('>'),
            });
        }
        if let Some((mark, length)) = closer(line.text) {
            let [ticks, tildes] = &mut closers;
            let ahead = if mark == '`' { ticks } else { tildes };
            ahead.push(length, index);
        }
    }
    found
}

/// The closers ahead that a nearer one does not stand for; the nearest and shortest last.
#[derive(Default)]
struct Closers(Vec<(usize, usize)>);

impl Closers {
    fn push(&mut self, length: usize, index: usize) {
        while self.0.last().is_some_and(|(other, _)| *other <= length) {
            self.0.pop();
        }
        self.0.push((length, index));
    }

    /// The nearest that is at least so long.
    fn next(&self, length: usize) -> Option<usize> {
        let enough = self.0.partition_point(|(other, _)| *other >= length);
        let (_, index) = self.0.get(enough.checked_sub(1)?)?;
        Some(*index)
    }
}

/// The mark and the length of what opens a block, also as an item of a list or in a quotation.
fn opener(line: &str) -> Option<(char, usize)> {
    let mut bare = line.trim_start_matches([' ', '\t', '>']);
    while let Some(inner) = item(bare) {
        bare = inner;
    }
    let (mark, length) = run(bare)?;
    let info = bare.get(length..)?;
    // With another mark behind it it is code within a line.
    (mark == '~' || !info.contains('`')).then_some((mark, length))
}

fn closer(line: &str) -> Option<(char, usize)> {
    let bare = line.trim_start_matches([' ', '\t', '>']);
    let (mark, length) = run(bare)?;
    (length == bare.len()).then_some((mark, length))
}

/// What follows the mark of a list's item.
fn item(bare: &str) -> Option<&str> {
    let digits = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let marks: &[char] = if digits.len() == bare.len() {
        &['-', '*', '+']
    } else {
        &['.', ')']
    };
    let inner = digits.strip_prefix(marks)?;
    inner.starts_with([' ', '\t']).then(|| inner.trim_start())
}

fn run(bare: &str) -> Option<(char, usize)> {
    let mark = bare.chars().next().filter(|c| "`~".contains(*c))?;
    let length = bare.len() - bare.trim_start_matches(mark).len();
    (length >= 3).then_some((mark, length))
}
