//! How gates treat an engine that takes the output length as a cap.

use tollgate::internals::Verdict;

use crate::common::{CHAT, EngineProcess, SIMULATOR, Suite};

#[test]
fn if_answers_end_early_only_ttft_is_comparable() {
    let engine =
        EngineProcess::start(&["prefill_base_ms=20", "decode_step_ms=4", "cold_start_ms=0", "eos_rate=0.5"]);
    let url = &engine.url;
    let targets =
        format!("{SIMULATOR}\n[targets.local]\nengine = \"ollama\"\nurl = \"{url}\"\nhardware = \"box\"\n");
    let chat = CHAT.replace("[\"sim\"]", "[\"local\"]").replace("requests = 8", "requests = 40");
    let suite = Suite::of(&[("targets.toml", &targets), ("scenarios/chat.toml", &chat)]);
    suite
        .run(&[])
        .assert_exit(101)
        .assert_says("of the answers had the requested length: gate TTFT and TPOT instead");
    let report = suite.report("chat::users-4::local");
    let verdicts: Vec<(String, Verdict)> =
        report.gates.iter().map(|outcome| (outcome.gate.metric.to_string(), outcome.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("output_tokens_per_s".to_owned(), Verdict::NotComparable),
            ("ttft_ms_p50".to_owned(), Verdict::NoBaseline),
            ("success_rate".to_owned(), Verdict::Ok),
        ]
    );
}
