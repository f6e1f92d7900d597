//! Names that end up in test names and in the names of stored files.

/// Why a name can't be used, if it can't.
pub fn objection(name: &str, punctuation: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    let spoken: Vec<String> = punctuation.chars().map(|c| format!("`{c}`")).collect();
    let rule =
        format!("letters, digits and {}, beginning and ending with a letter or digit", spoken.join(" "));
    if let Some(wrong) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!("`{name}` has `{wrong}` in it; a name is made of {rule}"));
    }
    if name.contains("__") {
        return Some(format!(
            "`{name}` has `__` in it, which separates names in the names of baseline files"
        ));
    }
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends_well(name.chars().next()) || !ends_well(name.chars().last()) {
        return Some(format!("`{name}` is no name; a name is made of {rule}"));
    }
    None
}

/// For loads and targets.
pub const NAME: &str = "-_.";

/// For scenario files, whose `.toml` follows.
pub const FILE_NAME: &str = "-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_meet_no_objection() {
        for name in ["users-4", "a", "qwen3.8b", "long_context"] {
            assert_eq!(objection(name, NAME), None, "{name}");
        }
    }

    #[test]
    fn names_that_would_blur_test_or_file_names_are_refused() {
        for name in ["", "a::b", "a__b", "a_", "_b", "a b", "a/b", "..", "é"] {
            assert!(objection(name, NAME).is_some(), "{name}");
        }
    }
}
