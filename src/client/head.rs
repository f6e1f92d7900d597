//! What the head of an answer says, whichever version of HTTP it is written in.

/// What of a head matters here.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub status: u16,
    /// How the body is encoded, where it is not as it is.
    pub coding: Option<String>,
    /// The headers that are numbers, by their names in lower case.
    pub numbers: Vec<(String, f64)>,
}

/// The headers of an answer; those that are no text are left out.
pub struct Headers<'a>(Vec<(&'a str, &'a str)>);

impl Head {
    pub fn of(status: u16, headers: &Headers) -> Head {
        Head {
            status,
            coding: headers.words("content-encoding").find(|coding| *coding != "identity").map(str::to_owned),
            numbers: headers.numbers(),
        }
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }
}

impl<'a> Headers<'a> {
    pub fn of(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Headers<'a> {
        let texts = headers.filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?.trim())));
        Headers(texts.collect())
    }

    /// The members of a header that is a list.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        values.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    fn numbers(&self) -> Vec<(String, f64)> {
        let numbers = self.0.iter().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        numbers.map(|(name, number)| (name.to_ascii_lowercase(), number)).collect()
    }
}
