//! Aligned columns.

use comfy_table::{ContentArrangement, TableStyle};

use super::{WIDTH, plain};

/// Ids are shown with at least so many characters.
const SHORT_ID: usize = 8;

/// Columns under their names; what is too wide wraps within its column.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// No rows yet.
    pub(crate) fn new(names: &[&str]) -> Table {
        let mut table = comfy_table::Table::new();
        table
            .load_style(TableStyle::new())
            .set_content_arrangement(ContentArrangement::Dynamic)
            // The last column's padding is trimmed.
            .set_width(u16::try_from(WIDTH + 2).unwrap_or(u16::MAX))
            .set_header(names.iter().copied());
        Table(table)
    }

    /// One row, a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells.map(|cell| plain(&cell)));
    }

    /// The rows as lines.
    pub(crate) fn text(mut self) -> String {
        for column in self.0.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = self.0.trim_fmt();
        text.push('\n');
        text
    }
}

/// The beginnings of these ids that still tell them apart.
pub(crate) fn short_ids(ids: &[&str]) -> Vec<String> {
    let cut = |id: &str, length| id.chars().take(length).collect::<String>();
    let longest = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0);
    let mut different: Vec<&str> = ids.to_vec();
    different.sort_unstable();
    different.dedup();
    let length = (SHORT_ID..longest)
        .find(|length| {
            different
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if cut(a, *length) != cut(b, *length)))
        })
        .unwrap_or(longest);
    ids.iter().map(|id| cut(id, length)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_short_as_tells_them_apart() {
        let table: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["0123456789abcdef"], &["01234567"]),
            (
                &["0123456789abcdef", "0123456799abcdef", "0123456789abcdef"],
                &["012345678", "012345679", "012345678"],
            ),
            (&["0123", "0124"], &["0123", "0124"]),
        ];
        for (ids, expected) in table {
            assert_eq!(short_ids(ids), expected, "{ids:?}");
        }
    }

    #[test]
    fn a_wide_cell_wraps_within_its_column() {
        let mut table = Table::new(&["ID", "REASON"]);
        table.row(["1".to_owned(), "word ".repeat(30)]);
        table.row(["23".to_owned(), "a \u{1b}[31mred\u{7} cell".to_owned()]);
        let text = table.text();
        insta::assert_snapshot!(text, @r"
        ID  REASON
        1   word word word word word word word word word word word word word word word word word word word
            word word word word word word word word word word word
        23  a  [31mred  cell
        ");
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }
}
