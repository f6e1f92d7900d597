//! The prompts of a session, drawn in order.

mod words;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use crate::load::conversations::{Conversations, Question, Turn};
use crate::load::trace::{BLOCK_TOKENS, Trace, TracedRequest};
use crate::load::worker::Shard;
use crate::load::workload::{ChatMessage, Prompt, Prompts, Synthetic, Workload};

use words::WORDS;

/// An endless, deterministic stream of prompts: the same seed, salt and session give the same prompts in every process
/// and on every machine. The rounds of a session draw from it one after the other, so that no round repeats a prompt
/// that the engine has already cached. A prompt depends on its place only, so a worker can draw its share without the
/// others.
///
/// **Synthetic** prompts have exactly `input_tokens` common words. The first `shared_prefix` of them are the same in
/// every prompt of the workload (they depend on seed and salt); the rest is drawn for each prompt.
///
/// **Listed** prompts come in shuffled order; at its end the list is shuffled again. Each prompt begins with a short line
/// that is unique to its place and to this sampler: a prompt that the engine has seen before, in another session or
/// yesterday, would be served from the prefix cache and hide that prefill became slower.
///
/// **Conversations** come like listed prompts. Their later turns begin with the earlier ones, of course.
///
/// **A trace's** prompts have its lengths, in its order, and every round begins with the first one. Each of its blocks
/// has its own words: the same wherever it occurs in a round, and different ones in every round.
#[derive(Clone, Debug)]
pub struct PromptSampler {
    /// Of purpose, seed, salt and session.
    seeds: SeedSequence,
    source: Source,
    /// The requested length of an answer, unless the prompts have their own.
    output_tokens: Option<u32>,
    /// Identifies this sampler in the unique lines.
    tag: u32,
    /// Of the next prompt; a trace's count from the round's beginning.
    place: u32,
    /// This worker's share, if there are other workers.
    shard: Option<Shard>,
    /// What else is drawn for a round comes from here: of purpose, seed and session.
    rhythm: SeedSequence,
    rounds: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Synthetic { shared: Vec<&'static str>, input_tokens: u32, turns: u32 },
    List { prompts: Vec<Prompt>, order: Order },
    Conversations { conversations: Conversations, order: Order },
    Trace(Trace),
}

/// In which a list runs through; every pass has another one.
#[derive(Clone, Debug, Default)]
struct Order {
    pass: Option<u32>,
    shuffled: Vec<u32>,
}

impl PromptSampler {
    /// The prompts of all measured rounds of a session.
    pub fn measured(workload: &Workload, salt: &str, session: u32) -> PromptSampler {
        PromptSampler::new(workload, "measured", salt, session)
    }

    /// The prompts of a session's warm-up, none of which is measured.
    pub fn warmup(workload: &Workload, salt: &str, session: u32) -> PromptSampler {
        PromptSampler::new(workload, "warm-up", salt, session)
    }

    fn new(workload: &Workload, purpose: &str, salt: &str, session: u32) -> PromptSampler {
        let (seed, session) = (workload.seed.to_string(), session.to_string());
        let source = match &workload.prompts {
            Prompts::Synthetic(synthetic) => Source::synthetic(*synthetic, workload.seed, salt),
            Prompts::List(prompts) => Source::List { prompts: prompts.clone(), order: Order::default() },
            Prompts::Conversations(conversations) => {
                Source::Conversations { conversations: conversations.clone(), order: Order::default() }
            }
            Prompts::Trace(trace) => Source::Trace(trace.clone()),
        };
        let seeds = SeedSequence::of(&[purpose, &seed, salt, &session]);
        PromptSampler {
            tag: seeds.and(&["tag"]).rng().random(),
            seeds,
            source,
            output_tokens: workload.output_tokens,
            place: 0,
            shard: None,
            rhythm: SeedSequence::of(&["round", purpose, &seed, &session]),
            rounds: 0,
        }
    }

    /// Draws this worker's share only.
    pub fn with_shard(self, shard: Shard) -> PromptSampler {
        PromptSampler { shard: Some(shard), ..self }
    }

    /// Begins a round, and returns what it draws besides prompts, such as send times. They don't depend on the salt, so
    /// that the rounds of every run have the same send times: one less difference between two runs.
    pub fn begin_round(&mut self) -> Pcg64 {
        self.rounds += 1;
        if let Source::Trace(_) = self.source {
            self.place = 0;
        }
        self.rhythm.and(&[&self.rounds.to_string()]).rng()
    }

    pub fn draw(&mut self) -> Question {
        let is_own = |place: &u32| self.shard.is_none_or(|shard| shard.has(*place));
        let place = (self.place..).find(is_own).expect("no worker has nothing to do");
        self.place = place + 1;
        self.at(place)
    }

    fn at(&mut self, place: u32) -> Question {
        let PromptSampler { seeds, source, output_tokens, tag, .. } = self;
        let line = || format!("Reference {tag:08x}-{}.\n", place + 1);
        match source {
            Source::Synthetic { shared, input_tokens, turns } => {
                let mut rng = seeds.and(&["prompt", &place.to_string()]).rng();
                generated(shared, *input_tokens, output_tokens.unwrap_or(1), *turns, &mut rng)
            }
            Source::List { prompts, order } => {
                let listed = order.at(place, prompts.len(), seeds).and_then(|at| prompts.get(at));
                let prompt = listed.cloned().unwrap_or_else(|| Prompt::Text(String::new()));
                Question::single(with_line(prompt, &line()), output_tokens.unwrap_or(1))
            }
            Source::Conversations { conversations, order } => {
                let turns =
                    order.at(place, conversations.len(), seeds).and_then(|at| conversations.turns_of(at));
                conversation(turns.unwrap_or_default(), &line(), *output_tokens)
            }
            Source::Trace(trace) => {
                let requests = trace.requests();
                let (pass, at) = pass_and_place(place, requests.len());
                let Some(request) = requests.get(at) else { return nothing() };
                let of_pass = seeds.and(&["pass", &self.rounds.to_string(), &pass.to_string()]);
                let prompt = Prompt::Text(of_blocks(request, at, &of_pass));
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
fn conversation(turns: &[Turn], line: &str, output_tokens: Option<u32>) -> Question {
    let turns = turns.iter().enumerate().map(|(place, turn)| Turn {
        said: if place == 0 { format!("{line}{}", turn.said) } else { turn.said.clone() },
        answered: turn.answered.clone(),
        output_tokens: output_tokens.unwrap_or(turn.output_tokens),
    });
    Question::first(turns).unwrap_or_else(nothing)
}

/// The prompt of an empty source; no source read from a file is empty.
fn nothing() -> Question {
    Question::single(Prompt::Text(String::new()), 1)
}

impl Order {
    /// The index, below `len`, at a place of the sampler.
    fn at(&mut self, place: u32, len: usize, seeds: &SeedSequence) -> Option<usize> {
        let (pass, at) = pass_and_place(place, len);
        if self.pass != Some(pass) {
            self.pass = Some(pass);
            self.shuffled = (0..len as u32).collect();
            self.shuffled.shuffle(&mut seeds.and(&["order", &pass.to_string()]).rng());
        }
        self.shuffled.get(at).map(|at| *at as usize)
    }
}

/// How often the list has been passed before a place, and the position within the list.
fn pass_and_place(place: u32, len: usize) -> (u32, usize) {
    let len = len.max(1);
    ((place as usize / len) as u32, place as usize % len)
}

/// Some words, filled up with others to the length.
fn with_words(shared: &[&'static str], tokens: u32, rng: &mut Pcg64) -> String {
    let unique = (shared.len()..tokens as usize).map(|_| random_word(rng));
    let words: Vec<&str> = shared.iter().copied().chain(unique).collect();
    words.join(" ")
}

/// A traced request's prompt: its blocks as far as they reach, then words that only it has.
fn of_blocks(request: &TracedRequest, at: usize, of_pass: &SeedSequence) -> String {
    let mut words = Vec::with_capacity(request.input_tokens as usize);
    for block in &request.blocks {
        let left = request.input_tokens - words.len() as u32;
        let mut rng = of_pass.and(&["block", &block.to_string()]).rng();
        words.extend((0..BLOCK_TOKENS.min(left)).map(|_| random_word(&mut rng)));
    }
    with_words(&words, request.input_tokens, &mut of_pass.and(&["prompt", &at.to_string()]).rng())
}

impl Source {
    fn synthetic(synthetic: Synthetic, seed: u64, salt: &str) -> Source {
        let share = synthetic.shared_prefix.clamp(0.0, 1.0);
        let shared = (f64::from(synthetic.input_tokens) * share).round() as u32;
        let mut rng = SeedSequence::of(&["shared prefix", &seed.to_string(), salt]).rng();
        Source::Synthetic {
            shared: (0..shared).map(|_| random_word(&mut rng)).collect(),
            input_tokens: synthetic.input_tokens,
            turns: synthetic.turns,
        }
    }
}

/// What seeds the random number generators: a list of words.
#[derive(Clone, Debug)]
struct SeedSequence(Sha256);

impl SeedSequence {
    fn of(words: &[&str]) -> SeedSequence {
        SeedSequence(Sha256::new()).and(words)
    }

    /// Every word ends with its length, so that no two lists of words read the same.
    fn and(&self, words: &[&str]) -> SeedSequence {
        let mut hash = self.0.clone();
        for word in words {
            hash.update(word.as_bytes());
            hash.update((word.len() as u64).to_le_bytes());
        }
        SeedSequence(hash)
    }

    fn rng(self) -> Pcg64 {
        Pcg64::from_seed(self.0.finalize().into())
    }
}

fn random_word(rng: &mut Pcg64) -> &'static str {
    WORDS[rng.random_range(0..WORDS.len() as u32) as usize]
}

/// Caches match from the first token on, so the line comes first.
fn with_line(prompt: Prompt, line: &str) -> Prompt {
    match prompt {
        Prompt::Text(text) => Prompt::Text(format!("{line}{text}")),
        Prompt::Messages(mut messages) => {
            if let Some(ChatMessage { content, .. }) = messages.first_mut() {
                content.insert_str(0, line);
            }
            Prompt::Messages(messages)
        }
    }
}

#[cfg(test)]
mod tests;
