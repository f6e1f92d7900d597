//! HTTP headers that go along with every request.

use std::collections::BTreeSet;

/// A name that is there twice: their case makes no difference.
pub fn header_twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(name.to_ascii_lowercase()))
}

/// What RFC 9110 calls a token.
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_there_twice_whatever_the_case_of_its_name() {
        assert_eq!(header_twice(["X-Team", "x-key", "x-team"]), Some("x-team"));
        assert_eq!(header_twice(["X-Team", "X-Teams"]), None);
    }
}
