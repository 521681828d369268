//! The report in Markdown, printed and written to a file while it grows.

use std::{fs::File, io::Write as _};

use crate::Outcome;

pub(crate) struct Report(pub(crate) File);

impl Report {
    /// Adds text. A dash stands for figures that were not measured (NaN).
    pub(crate) fn add(&mut self, text: &str) -> Outcome<()> {
        let text = text.replace("NaN", "–");
        println!("{text}");
        Ok(writeln!(self.0, "{text}")?)
    }

    /// Adds a heading and the head of a table, whose columns are separated by `|`.
    pub(crate) fn table(&mut self, heading: &str, columns: &str) -> Outcome<()> {
        let rule = "|---".repeat(columns.split('|').count());
        self.add(&format!("\n## {heading}\n\n| {columns} |\n{rule}|"))
    }

    /// Adds a row to the table.
    pub(crate) fn row(&mut self, cells: &str) -> Outcome<()> {
        self.add(&format!("| {cells} |"))
    }
}

/// Returns the median; of an even number of values, the greater of the two in the middle; of none, NaN.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
