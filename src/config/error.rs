//! What is wrong with the suite's files, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

/// One mistake, with the place to mend it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    file: String,
    message: String,
    help: Option<String>,
    place: Option<Box<Place>>,
}

#[derive(Clone, Debug)]
struct Place {
    source: NamedSource<Arc<str>>,
    span: Range<usize>,
    line: usize,
    column: usize,
}

/// Every mistake that was found, so that all of them can be mended at once.
#[derive(Clone, Debug, thiserror::Error)]
pub struct SuiteErrors(pub Vec<ConfigError>);

impl ConfigError {
    /// About a file or folder as a whole.
    pub fn about(file: impl Into<String>, message: impl Into<String>) -> ConfigError {
        ConfigError { file: file.into(), message: message.into(), help: None, place: None }
    }

    /// About a range of bytes of a file's text.
    pub fn within(file: &str, text: &str, span: Range<usize>, message: impl Into<String>) -> ConfigError {
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let place = Place {
            source: NamedSource::new(file, Arc::from(text)),
            span: start..end,
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
        };
        ConfigError { place: Some(Box::new(place)), ..ConfigError::about(file, message) }
    }

    pub fn help(self, help: impl Into<String>) -> ConfigError {
        ConfigError { help: Some(help.into()), ..self }
    }

    /// Where it is: `perf-tests/targets.toml:12:7`.
    pub fn position(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.file, place.line, place.column),
            None => self.file.clone(),
        }
    }

    /// One line: `file:line:column: message (help)`.
    pub fn plain(&self) -> String {
        let help = self.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}: {}{help}", self.position(), self.message)
    }
}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(place.span.clone()))))
    }
}

impl SuiteErrors {
    /// With the lines in question drawn, for a terminal.
    pub fn fancy(&self, colors: bool) -> String {
        let theme = if colors { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110);
        let mut out = String::new();
        for error in &self.0 {
            let whole: &dyn Diagnostic = match error.place {
                Some(_) => error,
                None => {
                    &ConfigError { message: format!("{}: {}", error.file, error.message), ..error.clone() }
                }
            };
            handler.render_report(&mut out, whole).expect("writing to a string succeeds");
            out.push('\n');
        }
        out
    }
}

impl fmt::Display for SuiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ConfigError::plain).collect();
        f.write_str(&lines.join("\n"))
    }
}
