//! Input and output of commands.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// The terminal of a command.
pub(crate) trait Console {
    /// Returns whether the input is a terminal.
    fn is_interactive(&self) -> bool;

    /// Prints a question, and returns the line that was typed.
    fn ask(&mut self, question: &str) -> io::Result<String>;

    /// Does the same without showing the line.
    fn ask_hidden(&mut self, question: &str) -> io::Result<String>;

    /// Prints a line to standard output.
    fn print(&mut self, line: &str);

    /// Prints a line to standard error.
    fn print_error(&mut self, line: &str);
}

/// The standard input and output of the process.
pub(crate) struct Terminal;

impl Console for Terminal {
    fn is_interactive(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        let mut output = io::stdout();
        write!(output, "{question}")?;
        output.flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            writeln!(output)?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    fn print(&mut self, line: &str) {
        // It fails if the reader closed the pipe.
        let _ = writeln!(io::stdout(), "{line}");
    }

    fn print_error(&mut self, line: &str) {
        print_error(line);
    }
}

/// Prints a line to standard error.
#[expect(clippy::print_stderr, reason = "this is the terminal")]
pub(crate) fn print_error(line: &str) {
    eprintln!("{line}");
}

/// A console with scripted answers, for tests.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Script {
    /// The answers, in order.
    pub(crate) answers: std::collections::VecDeque<&'static str>,
    /// All questions and printed lines.
    pub(crate) output: Vec<String>,
    pub(crate) has_no_terminal: bool,
}

#[cfg(test)]
impl Script {
    pub(crate) fn of(answers: &[&'static str]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
impl Console for Script {
    fn is_interactive(&self) -> bool {
        !self.has_no_terminal
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        self.output.push(question.to_owned());
        self.answers
            .pop_front()
            .map(str::to_owned)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        self.ask(&format!("{question}(hidden)"))
    }

    fn print(&mut self, line: &str) {
        self.output.push(line.to_owned());
    }

    fn print_error(&mut self, line: &str) {
        self.output.push(line.to_owned());
    }
}
