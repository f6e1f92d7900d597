//! Files whose lines are read one by one.

use crate::config::complaint::Complaint;
use crate::config::error::ConfigError;

/// The byte at which a line goes wrong, and why.
pub(crate) type Misread = (usize, Complaint);

/// Lines, each with the byte at which it begins.
pub(crate) struct Lines<'t> {
    path: &'t str,
    text: &'t str,
    at: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(path: &'t str, text: &'t str) -> Lines<'t> {
        Lines { path, text, at: 0 }
    }

    /// Reads the remaining lines that are not blank. Errors are reported with their positions, up to `most_errors` of them.
    pub(crate) fn read<T>(
        self,
        most_errors: usize,
        read: impl Fn(&str) -> Result<T, Misread>,
    ) -> Result<Vec<T>, Vec<ConfigError>> {
        let Lines { path, text, .. } = self;
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for (at, line) in self {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            match read(line) {
                Ok(one) => found.push(one),
                Err((column, complaint)) => errors.push(complaint.into_error(|message| {
                    ConfigError::within(path, text, at + column..at + line.len().max(column), message)
                })),
            }
            if errors.len() == most_errors {
                break;
            }
        }
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<(usize, &'t str)> {
        let line = self.text[self.at..].split_inclusive('\n').next()?;
        let at = self.at;
        self.at += line.len();
        Some((at, line))
    }
}
