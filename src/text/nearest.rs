//! Suggests the valid word that a misspelled one was probably meant to be.

/// A hint to append to the error about an unknown word.
pub(crate) fn did_you_mean<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    hint(word, valid, LIST_LIMIT)
}

/// The same for an unknown key: it lists the keys of even the largest table.
pub(crate) fn did_you_mean_key<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    hint(word, valid, usize::MAX)
}

fn hint<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>, list_limit: usize) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    let nearest = nearest(word, &valid);
    if valid.len() > list_limit {
        return match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("for example `{}`", valid[0]),
        };
    }
    let list = match valid.as_slice() {
        [] => "Nothing is valid here".to_owned(),
        [only] => format!("Only `{only}` is valid here"),
        several => format!("Valid here: `{}`", several.join("`, `")),
    };
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? {list}"),
        None => list,
    }
}

/// A longer list of valid words, such as all metrics, would not be helpful.
const LIST_LIMIT: usize = 15;

/// Below this similarity, a suggestion would be a guess.
const MIN_SIMILARITY: f64 = 0.7;

/// Shorter words are one edit away from too many.
const MIN_LETTERS: usize = 3;

fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    let is_one_edit =
        |candidate: &str| word.chars().count() >= MIN_LETTERS && strsim::osa_distance(word, candidate) <= 1;
    let similarity =
        |candidate: &str| strsim::jaro_winkler(word, candidate) + f64::from(u8::from(is_one_edit(candidate)));
    valid
        .iter()
        .copied()
        .filter(|candidate| similarity(candidate) >= MIN_SIMILARITY)
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_gets_a_suggestion() {
        let help = did_you_mean("concurency", ["requests", "concurrency"]);
        assert_eq!(help, "did you mean `concurrency`? Valid here: `requests`, `concurrency`");
    }

    #[test]
    fn two_swapped_letters_are_one_edit() {
        assert_eq!(nearest("ulr", &["user", "url", "pull"]), Some("url"));
        assert_eq!(nearest("amx", &["args", "max", "min"]), Some("max"));
    }

    #[test]
    fn a_short_prefix_still_finds_its_word() {
        assert_eq!(nearest("conc", &["count", "concurrency"]), Some("concurrency"));
        assert_eq!(nearest("x", &["y"]), None);
    }

    #[test]
    fn every_key_of_a_large_table_is_listed() {
        let keys: Vec<String> = (0..30).map(|number| format!("key_{number}")).collect();
        let help = did_you_mean_key("zzz", keys.iter().map(String::as_str));
        assert!(help.starts_with("Valid here: `key_0`, ") && help.ends_with("`key_29`"), "{help}");
    }

    #[test]
    fn a_word_unlike_all_others_gets_the_list() {
        assert_eq!(did_you_mean("zzz", ["requests", "duration"]), "Valid here: `requests`, `duration`");
    }
}
