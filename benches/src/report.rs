//! What was measured, as Markdown: printed while it grows, and written to a file.

use std::{fs, path::PathBuf, time::Duration};

use crate::Outcome;

/// The report, and what came of the goals.
pub(crate) struct Report {
    folder: PathBuf,
    text: String,
    goals: Vec<Vec<String>>,
}

impl Report {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            text: String::new(),
            goals: Vec::new(),
        }
    }

    pub(crate) fn heading(&mut self, text: &str) -> Outcome<()> {
        self.add(&format!("\n## {text}\n"))
    }

    pub(crate) fn line(&mut self, text: &str) -> Outcome<()> {
        self.add(text)
    }

    pub(crate) fn table(&mut self, columns: &[&str], rows: &[Vec<String>]) -> Outcome<()> {
        self.add(&table(columns, rows))
    }

    /// Notes whether a goal was reached.
    pub(crate) fn goal(&mut self, goal: &str, measured: String, is_reached: bool) {
        let verdict = if is_reached { "yes" } else { "**no**" };
        self.goals
            .push(vec![goal.to_owned(), measured, verdict.to_owned()]);
    }

    /// Ends with the goals.
    pub(crate) fn finish(&mut self) -> Outcome<()> {
        let goals = std::mem::take(&mut self.goals);
        if !goals.is_empty() {
            self.heading("Goals")?;
            self.table(&["goal", "measured", "reached"], &goals)?;
        }
        println!("\nWritten to {}", self.folder.join("report.md").display());
        Ok(())
    }

    /// Writes a file beside the report.
    pub(crate) fn file(&mut self, name: &str, text: &str) -> Outcome<()> {
        fs::write(self.folder.join(name), text)?;
        self.add(&format!("Written beside this: `{name}`."))
    }

    /// What was measured so far is kept, whatever happens to the rest.
    fn add(&mut self, text: &str) -> Outcome<()> {
        println!("{text}");
        self.text.push_str(text);
        self.text.push('\n');
        Ok(fs::write(self.folder.join("report.md"), &self.text)?)
    }
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&header).chain(rows);
        cells
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut text = format!("\n{}|{}|\n", line(&header), rule.join("|"));
    for row in rows {
        text.push_str(&line(row));
    }
    text
}

/// The middle of some values; of an even number, the greater one of the two.
pub(crate) fn median<T: Copy + PartialOrd>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "–".to_owned(),
        |time| format!("{:.2}", time.as_secs_f64() * 1000.0),
    )
}

/// A size in MB of 10^6 bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median([3, 1, 2]), Some(2));
        assert_eq!(median([4.0, 1.0]), Some(4.0));
        assert_eq!(median::<u32>([]), None);
    }

    #[test]
    fn a_table_is_markdown() {
        let rows = [vec!["a".to_owned(), "–".to_owned()]];
        assert_eq!(
            table(&["one", "two"], &rows),
            "\n| one | two |\n|-----|-----|\n| a   | –   |\n"
        );
        assert_eq!(megabytes(25_640_000), "25.6");
    }
}
