//! The prompts of a session, drawn in order.

mod words;

use std::collections::VecDeque;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use crate::dialogue::{Dialogues, Question, Turn};
use crate::trace::{BLOCK_TOKENS, Trace, TracedRequest};
use crate::worker::Deal;
use crate::workload::{Message, Prompt, Prompts, Synthetic, Workload};

use words::WORDS;

/// An endless, deterministic stream of prompts: the same seed, salt and session give the same ones in every process and
/// on every machine. A session's rounds draw from one deck in turn, so that no round repeats a prompt that the engine
/// has already cached.
///
/// **Synthetic** prompts have exactly `input_tokens` common words. The first `shared_prefix` of them are the same in
/// every prompt of the workload (they follow from seed and salt), the rest is drawn anew for each.
///
/// **Listed** prompts come in shuffled order; when the list has run through it starts again, shuffled anew. Each begins
/// with a short line that no other deck and no other place in this one has: a prompt that the engine has seen before,
/// be it in another session or yesterday, would be served from the prefix cache and hide that prefilling became slower.
///
/// **Dialogues** come like listed prompts. Their later turns begin with the earlier ones, by nature.
///
/// **A trace's** prompts have its lengths, in its order, and every round begins with its first one. Each of its blocks
/// has words of its own, the same wherever it occurs in a round and others in every other round.
#[derive(Clone, Debug)]
pub struct Deck {
    rng: Pcg64,
    source: Source,
    /// How many tokens an answer shall have, where the prompts don't say it.
    output_tokens: Option<u32>,
    /// Identifies this deck within the unique lines.
    tag: u32,
    drawn: u32,
    /// Which ones are drawn, where other workers draw the rest.
    deal: Option<Deal>,
    /// What else is drawn for a round comes from here: purpose, seed and session.
    lots: [String; 3],
    salt: String,
    rounds: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Synthetic {
        shared: Vec<&'static str>,
        input_tokens: u32,
        turns: u32,
    },
    List {
        prompts: Vec<Prompt>,
        order: VecDeque<u32>,
    },
    Dialogues {
        dialogues: Dialogues,
        order: VecDeque<u32>,
    },
    /// With the place of the next request since the round's beginning.
    Trace {
        trace: Trace,
        next: usize,
    },
}

impl Deck {
    /// The prompts of all measured rounds of a session.
    pub fn measured(workload: &Workload, salt: &str, session: u32) -> Deck {
        Deck::new(workload, "measured", salt, session)
    }

    /// The prompts of a session's warm-up, none of which is measured.
    pub fn warmup(workload: &Workload, salt: &str, session: u32) -> Deck {
        Deck::new(workload, "warm-up", salt, session)
    }

    fn new(workload: &Workload, purpose: &str, salt: &str, session: u32) -> Deck {
        let mut rng = rng_of(&[purpose, &workload.seed.to_string(), salt, &session.to_string()]);
        let source = match &workload.prompts {
            Prompts::Synthetic(synthetic) => Source::synthetic(*synthetic, workload.seed, salt),
            Prompts::List(prompts) => {
                Source::List { prompts: prompts.clone(), order: shuffled(prompts.len(), &mut rng) }
            }
            Prompts::Dialogues(dialogues) => {
                Source::Dialogues { dialogues: dialogues.clone(), order: shuffled(dialogues.len(), &mut rng) }
            }
            Prompts::Trace(trace) => Source::Trace { trace: trace.clone(), next: 0 },
        };
        let lots = [purpose.to_owned(), workload.seed.to_string(), session.to_string()];
        let (tag, salt, output_tokens) = (rng.random(), salt.to_owned(), workload.output_tokens);
        Deck { tag, rng, source, output_tokens, drawn: 0, deal: None, lots, salt, rounds: 0 }
    }

    /// Draws only what is this worker's.
    pub fn dealt(self, deal: Deal) -> Deck {
        Deck { deal: Some(deal), ..self }
    }

    /// Begins a round, and hands over what it draws besides its prompts, such as when they are due. That doesn't depend on
    /// the salt, so that every run's rounds come in the same rhythm: one thing less in which two of them differ.
    pub fn begin_round(&mut self) -> Pcg64 {
        self.rounds += 1;
        if let Source::Trace { next, .. } = &mut self.source {
            (*next, self.drawn) = (0, 0);
        }
        let [purpose, seed, session] = &self.lots;
        rng_of(&["round", purpose, seed, session, &self.rounds.to_string()])
    }

    pub fn draw(&mut self) -> Question {
        while self.deal.is_some_and(|deal| !deal.has(self.drawn)) {
            self.next();
        }
        self.next()
    }

    fn next(&mut self) -> Question {
        self.drawn += 1;
        let Deck { rng, source, output_tokens, tag, drawn, .. } = self;
        let line = || format!("Reference {tag:08x}-{drawn}.\n");
        match source {
            Source::Synthetic { shared, input_tokens, turns } => {
                generated(shared, *input_tokens, output_tokens.unwrap_or(1), *turns, rng)
            }
            Source::List { prompts, order } => {
                let next = draw_place(order, prompts.len(), rng).and_then(|at| prompts.get(at));
                let prompt = next.cloned().unwrap_or_else(|| Prompt::Text(String::new()));
                Question::single(with_line(prompt, &line()), output_tokens.unwrap_or(1))
            }
            Source::Dialogues { dialogues, order } => {
                let next = draw_place(order, dialogues.len(), rng).and_then(|at| dialogues.turns_of(at));
                told(next.unwrap_or_default(), &line(), *output_tokens)
            }
            Source::Trace { trace, next } => {
                let requests = trace.requests();
                let (pass, place) = (*next / requests.len().max(1), *next % requests.len().max(1));
                *next += 1;
                let Some(request) = requests.get(place) else { return nothing() };
                let lots = [&self.salt, &self.lots.join(" "), &format!("{} {pass}", self.rounds)];
                let prompt = Prompt::Text(of_blocks(request, lots.map(String::as_str), rng));
                Question::single(prompt, output_tokens.unwrap_or(request.output_tokens))
            }
        }
    }
}

/// In words at random, of which the first ones may be shared.
fn generated(
    shared: &[&'static str],
    input_tokens: u32,
    output_tokens: u32,
    turns: u32,
    rng: &mut Pcg64,
) -> Question {
    let first = with_words(shared, input_tokens, rng);
    if turns == 1 {
        return Question::single(Prompt::Text(first), output_tokens);
    }
    let answer = |rng: &mut Pcg64| with_words(&[], output_tokens, rng);
    let mut conversation = vec![Turn { said: first, answered: answer(rng), output_tokens }];
    for _ in 1..turns {
        let said = with_words(&[], input_tokens, rng);
        conversation.push(Turn { said, answered: answer(rng), output_tokens });
    }
    Question::first(conversation).unwrap_or_else(nothing)
}

/// What was said, behind a line that makes it unique.
fn told(turns: &[Turn], line: &str, output_tokens: Option<u32>) -> Question {
    let turns = turns.iter().enumerate().map(|(place, turn)| Turn {
        said: if place == 0 { format!("{line}{}", turn.said) } else { turn.said.clone() },
        answered: turn.answered.clone(),
        output_tokens: output_tokens.unwrap_or(turn.output_tokens),
    });
    Question::first(turns).unwrap_or_else(nothing)
}

/// Of a source that holds nothing, which none does that was read from a file.
fn nothing() -> Question {
    Question::single(Prompt::Text(String::new()), 1)
}

/// The next place in a shuffled order, shuffled anew when it has run through.
fn draw_place(order: &mut VecDeque<u32>, len: usize, rng: &mut Pcg64) -> Option<usize> {
    if order.is_empty() {
        *order = shuffled(len, rng);
    }
    order.pop_front().map(|at| at as usize)
}

/// Some words, and as many others as make up the length.
fn with_words(shared: &[&'static str], tokens: u32, rng: &mut Pcg64) -> String {
    let unique = (shared.len()..tokens as usize).map(|_| random_word(rng));
    let words: Vec<&str> = shared.iter().copied().chain(unique).collect();
    words.join(" ")
}

/// A traced request's prompt: its blocks as far as they reach, then words of its own.
fn of_blocks(request: &TracedRequest, lots: [&str; 3], rng: &mut Pcg64) -> String {
    let mut words = Vec::with_capacity(request.input_tokens as usize);
    for block in &request.blocks {
        let left = request.input_tokens - words.len() as u32;
        let [salt, session, round] = lots;
        let mut rng = rng_of(&["block", salt, session, round, &block.to_string()]);
        words.extend((0..BLOCK_TOKENS.min(left)).map(|_| random_word(&mut rng)));
    }
    with_words(&words, request.input_tokens, rng)
}

impl Source {
    fn synthetic(synthetic: Synthetic, seed: u64, salt: &str) -> Source {
        let share = synthetic.shared_prefix.clamp(0.0, 1.0);
        let shared = (f64::from(synthetic.input_tokens) * share).round() as u32;
        let mut rng = rng_of(&["shared prefix", &seed.to_string(), salt]);
        Source::Synthetic {
            shared: (0..shared).map(|_| random_word(&mut rng)).collect(),
            input_tokens: synthetic.input_tokens,
            turns: synthetic.turns,
        }
    }
}

/// Every part ends with its length, so that no two lists of parts read the same.
fn rng_of(parts: &[&str]) -> Pcg64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update((part.len() as u64).to_le_bytes());
    }
    Pcg64::from_seed(hash.finalize().into())
}

fn random_word(rng: &mut Pcg64) -> &'static str {
    WORDS[rng.random_range(0..WORDS.len() as u32) as usize]
}

fn shuffled(len: usize, rng: &mut Pcg64) -> VecDeque<u32> {
    let mut order: Vec<u32> = (0..len as u32).collect();
    order.shuffle(rng);
    order.into()
}

/// Caches match from the first token on, so the line goes before everything else.
fn with_line(prompt: Prompt, line: &str) -> Prompt {
    match prompt {
        Prompt::Text(text) => Prompt::Text(format!("{line}{text}")),
        Prompt::Messages(mut messages) => {
            if let Some(Message { content, .. }) = messages.first_mut() {
                content.insert_str(0, line);
            }
            Prompt::Messages(messages)
        }
    }
}

#[cfg(test)]
mod tests;
