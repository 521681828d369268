//! Talking to who runs a command.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Who runs a command, as far as commands know.
pub(crate) trait Console {
    /// Whether somebody is there to answer questions.
    fn is_interactive(&self) -> bool;

    /// Asks, and answers the line that was typed.
    fn ask(&mut self, question: &str) -> io::Result<String>;

    /// Asks for something that nobody else should see.
    fn ask_hidden(&mut self, question: &str) -> io::Result<String>;

    /// Says what was done.
    fn print(&mut self, line: &str);

    /// Says what is wrong.
    fn complain(&mut self, line: &str);
}

/// The terminal, or whatever stands in for it.
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
        // Who closed the pipe has heard enough.
        let _ = writeln!(io::stdout(), "{line}");
    }

    fn complain(&mut self, line: &str) {
        complain(line);
    }
}

/// Says what is wrong, to standard error.
#[expect(clippy::print_stderr, reason = "this is the terminal")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// Somebody who answers from a script, for tests.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Script {
    /// What is typed, one answer after the other.
    pub(crate) answers: std::collections::VecDeque<&'static str>,
    /// Everything that was asked and said.
    pub(crate) heard: Vec<String>,
    pub(crate) is_absent: bool,
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
        !self.is_absent
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        self.heard.push(question.to_owned());
        self.answers
            .pop_front()
            .map(str::to_owned)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        self.ask(&format!("{question}(hidden)"))
    }

    fn print(&mut self, line: &str) {
        self.heard.push(line.to_owned());
    }

    fn complain(&mut self, line: &str) {
        self.heard.push(line.to_owned());
    }
}
