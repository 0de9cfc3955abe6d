//! A table that fits: columns as wide as their content, the last one takes what is left; where too little
//! is left, columns are dropped in a given order.

use anstyle::Style;

use super::look::{DIM, Look, PLAIN};
use super::text;

/// Space between two columns.
const GAP: usize = 2;
/// The last column is not squeezed below this while another one can be dropped.
const LAST_MIN: usize = 20;
/// A tall row is cut after this many lines.
const MOST_LINES: usize = 6;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its content is cut to this many columns.
    pub most: usize,
    /// Whether its content stands to the right.
    pub right: bool,
    /// The higher, the earlier it is dropped; 0 never.
    pub drop: u8,
}

impl Column {
    /// A column that is never dropped, its content cut to `most`.
    pub const fn new(title: &'static str, most: usize) -> Self {
        Self {
            title,
            most,
            right: false,
            drop: 0,
        }
    }

    /// Its content stands to the right.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// May be dropped; the higher, the earlier.
    #[must_use]
    pub const fn dropped(mut self, order: u8) -> Self {
        self.drop = order;
        self
    }
}

/// One cell: a text that is made safe here, and its style.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn new(text: &str, style: Style) -> Self {
        Self {
            text: text::line(text),
            style,
        }
    }
}

impl<S: AsRef<str>> From<S> for Cell {
    fn from(text: S) -> Self {
        Self::new(text.as_ref(), PLAIN)
    }
}

/// A row, or a heading across the table.
#[derive(Debug, Clone)]
pub enum Row {
    /// A cell for each column.
    Cells(Vec<Cell>),
    /// The same; what does not fit into the last column goes on below.
    Tall(Vec<Cell>),
    /// A heading of the rows below.
    Heading(String),
}

/// The table as lines, each with an end of line; columns without any content are left out.
pub fn table(columns: &[Column], rows: &[Row], look: &Look) -> String {
    let kept = chosen(columns, &widths(columns, rows), look.width);
    let mut out = String::new();
    if columns.iter().any(|column| !column.title.is_empty()) {
        let titles: Vec<Cell> = columns.iter().map(|c| Cell::new(c.title, DIM)).collect();
        push(&mut out, columns, &kept, &titles, look);
    }
    for row in rows {
        match row {
            Row::Cells(cells) => push(&mut out, columns, &kept, cells, look),
            Row::Tall(cells) => push_tall(&mut out, columns, &kept, cells, look),
            Row::Heading(title) => {
                out.push_str(&look.heading(&text::fit(title, look.width)));
                out.push('\n');
            }
        }
    }
    out
}

/// How wide each column wants to be; 0 where it is empty throughout.
fn widths(columns: &[Column], rows: &[Row]) -> Vec<usize> {
    let mut widths = vec![0; columns.len()];
    for row in rows {
        let (Row::Cells(cells) | Row::Tall(cells)) = row else {
            continue;
        };
        for ((width, cell), column) in widths.iter_mut().zip(cells).zip(columns) {
            *width = (*width).max(text::width(&cell.text).min(column.most));
        }
    }
    for (width, column) in widths.iter_mut().zip(columns).filter(|(width, _)| **width > 0) {
        *width = (*width).max(text::width(column.title));
    }
    widths
}

/// The columns that are shown, by index, with their widths.
fn chosen(columns: &[Column], wanted: &[usize], room: usize) -> Vec<(usize, usize)> {
    let mut kept: Vec<(usize, usize)> = wanted
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, width)| *width > 0)
        .collect();
    while let Some((last, before)) = kept.split_last() {
        let taken: usize = before.iter().map(|(_, width)| width + GAP).sum();
        let droppable = before
            .iter()
            .enumerate()
            .filter(|(_, (index, _))| columns[*index].drop > 0);
        let next = droppable.max_by_key(|(_, (index, _))| columns[*index].drop);
        match next.filter(|_| taken + last.1.min(LAST_MIN) > room) {
            Some((position, _)) => {
                kept.remove(position);
            }
            None => {
                let left = room.saturating_sub(taken).max(1);
                let (index, width) = *last;
                let end = kept.len() - 1;
                kept[end] = (index, width.min(left));
                break;
            }
        }
    }
    kept
}

fn push(out: &mut String, columns: &[Column], kept: &[(usize, usize)], cells: &[Cell], look: &Look) {
    let mut line = String::new();
    let mut blanks = 0;
    for (place, (index, width)) in kept.iter().enumerate() {
        let Some(cell) = cells.get(*index) else { continue };
        let fitted = text::fit(&cell.text, *width);
        let space = width.saturating_sub(text::width(&fitted));
        let (before, after) = if columns[*index].right {
            (space, 0)
        } else {
            (0, space)
        };
        blanks += before + if place > 0 { GAP } else { 0 };
        if !fitted.is_empty() {
            line.push_str(&" ".repeat(blanks));
            line.push_str(&look.paint(cell.style, &fitted));
            blanks = 0;
        }
        blanks += after;
    }
    out.push_str(&line);
    out.push('\n');
}

/// The row, its last cell broken into lines of which each has empty cells before it.
fn push_tall(out: &mut String, columns: &[Column], kept: &[(usize, usize)], cells: &[Cell], look: &Look) {
    let Some(last) = kept
        .last()
        .and_then(|(index, width)| Some((cells.get(*index)?, *index, *width)))
    else {
        return;
    };
    let (cell, index, width) = last;
    let mut lines = text::wrap(&cell.text, width);
    if lines.len() > MOST_LINES {
        lines[MOST_LINES - 1] = text::fit(&lines[MOST_LINES - 1..].join(" "), width);
        lines.truncate(MOST_LINES);
    }
    let mut cells = cells.to_vec();
    cells[index].text = lines.first().cloned().unwrap_or_default();
    push(out, columns, kept, &cells, look);
    for line in lines.into_iter().skip(1) {
        let mut rest = vec![Cell::default(); cells.len()];
        rest[index] = Cell {
            text: line,
            style: cell.style,
        };
        push(out, columns, kept, &rest, look);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: usize) -> Look {
        Look {
            color: false,
            width,
            now: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn sample() -> (Vec<Column>, Vec<Row>) {
        let columns = vec![
            Column::new("ID", 10),
            Column::new("COST", 8).right().dropped(2),
            Column::new("EMPTY", 8),
            Column::new("WHY", 80),
        ];
        let rows = vec![
            Row::Heading("one".into()),
            Row::Cells(vec![
                "a".into(),
                "$1.00".into(),
                "".into(),
                "because it is so long".into(),
            ]),
            Row::Cells(vec![
                "日本語日本語".into(),
                "$12.00".into(),
                "".into(),
                "x".into(),
            ]),
        ];
        (columns, rows)
    }

    #[test]
    fn columns_align_and_empty_ones_vanish() {
        let (columns, rows) = sample();
        insta::assert_snapshot!(table(&columns, &rows, &look(60)), @r"
        ID            COST  WHY
        one
        a            $1.00  because it is so long
        日本語日…   $12.00  x
        ");
    }

    #[test]
    fn narrow_tables_drop_columns_and_never_overflow() {
        let (columns, rows) = sample();
        let narrow = table(&columns, &rows, &look(24));
        assert!(!narrow.contains('$'));
        for width in 16..80 {
            let text = table(&columns, &rows, &look(width));
            assert!(text.lines().all(|l| text::width(l) <= width), "{width}:\n{text}");
        }
    }
}
