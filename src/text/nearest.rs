//! Suggests the valid word that a misspelled one was probably meant to be.

/// A hint to append to the error about an unknown word.
pub(crate) fn did_you_mean<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    let nearest = nearest(word, &valid);
    if valid.len() > LIST_LIMIT {
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

/// A longer list of valid words would not be helpful.
const LIST_LIMIT: usize = 15;

/// Below this similarity, a suggestion would be a guess.
const MIN_SIMILARITY: f64 = 0.7;

fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    let similarity = |candidate: &str| strsim::jaro_winkler(word, candidate);
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
    fn a_word_unlike_all_others_gets_the_list() {
        assert_eq!(did_you_mean("zzz", ["requests", "duration"]), "Valid here: `requests`, `duration`");
    }
}
