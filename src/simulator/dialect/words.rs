//! The text of a response.

/// The words of one response, drawn from the engine's seed, the prompt's length, and the position in the response, so
/// that every start produces the same ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub seed: u64,
    pub prompt_tokens: u32,
}

const WORDS: [&str; 16] = [
    " the", " of", " and", " to", " in", " is", " that", " it", " was", " for", " on", " are", " as",
    " with", " his", " they",
];

impl Words {
    pub(crate) fn word(&self, index: u32) -> &'static str {
        WORDS[self.drawn(index)]
    }

    /// The word's number, like a tokenizer's token ID.
    pub(crate) fn id(&self, index: u32) -> usize {
        1000 + self.drawn(index)
    }

    pub(crate) fn text(&self, tokens: u32) -> String {
        (0..tokens).map(|index| self.word(index)).collect()
    }

    fn drawn(&self, index: u32) -> usize {
        let place = (u64::from(self.prompt_tokens) << 32) | u64::from(index);
        let drawn = (place ^ self.seed).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (drawn >> 60) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_vary() {
        let words = Words { seed: 1, prompt_tokens: 7 };
        let words: std::collections::BTreeSet<_> = (0..100).map(|index| words.word(index)).collect();
        assert!(words.len() > 8, "only {words:?}");
    }
}
