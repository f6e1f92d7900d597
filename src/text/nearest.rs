//! The valid word that a mistaken one was probably meant to be.

/// What to say beside an unknown word.
pub fn did_you_mean<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
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

/// Beyond this many valid words a list hides more than it tells.
const LIST_LIMIT: usize = 15;

/// Below this likeness a proposal would be a guess.
const LIKENESS: f64 = 0.7;

fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    let likeness = |candidate: &str| strsim::jaro_winkler(word, candidate);
    valid
        .iter()
        .copied()
        .filter(|candidate| likeness(candidate) >= LIKENESS)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_slip_is_answered_with_the_word() {
        let help = did_you_mean("concurency", ["requests", "concurrency"]);
        assert_eq!(help, "did you mean `concurrency`? Valid here: `requests`, `concurrency`");
    }

    #[test]
    fn a_word_unlike_all_others_is_answered_with_the_list() {
        assert_eq!(did_you_mean("zzz", ["requests", "duration"]), "Valid here: `requests`, `duration`");
    }
}
