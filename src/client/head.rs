//! The head of a response, in any version of HTTP.

/// The parts of a head that matter here.
#[derive(Debug, PartialEq)]
pub(crate) struct Head {
    pub status: u16,
    /// The content encoding, if there is one.
    pub coding: Option<String>,
    /// Numeric headers, by their lower-case names.
    pub numbers: Vec<(String, f64)>,
}

/// The headers of a response, except those that are not text.
pub(crate) struct Headers<'a>(Vec<(&'a str, &'a str)>);

impl Head {
    pub(crate) fn of(status: u16, headers: &Headers) -> Head {
        Head {
            status,
            coding: headers.words("content-encoding").find(|coding| *coding != "identity").map(str::to_owned),
            numbers: headers.numbers(),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }
}

impl<'a> Headers<'a> {
    pub(crate) fn of(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Headers<'a> {
        let texts = headers.filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?.trim())));
        Headers(texts.collect())
    }

    /// The members of a list header.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        values.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    fn numbers(&self) -> Vec<(String, f64)> {
        let numbers = self.0.iter().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        numbers.map(|(name, number)| (name.to_ascii_lowercase(), number)).collect()
    }
}
