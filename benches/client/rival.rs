//! `vllm-rs bench serve`, if it is installed.

use std::io;
use std::process::{Command, Stdio};

use crate::cost::Volume;
use crate::machine;
use crate::server::Server;

/// Its CPU seconds per 1,000 requests; `None` if the environment doesn't name its path.
///
/// It runs with two numbers of requests, so that its startup, which reads a tokenizer, does not count.
pub fn per_thousand_s(server: &Server, volume: Volume) -> io::Result<Option<f64>> {
    let Ok(program) = std::env::var("VLLM_RS") else { return Ok(None) };
    let tokenizer = std::env::var("VLLM_RS_TOKENIZER")
        .map_err(|_| io::Error::other("VLLM_RS also needs VLLM_RS_TOKENIZER, the folder of a tokenizer"))?;
    let spent_s = |requests: u32| -> io::Result<f64> {
        let before_s = machine::children_cpu_s()?;
        let status = Command::new(&program)
            .args(["bench", "serve", "--backend", "openai-chat", "--model", "tiny-llama", "--ignore-eos"])
            .args(["--base-url", &format!("http://{}", server.addr), "--tokenizer", &tokenizer])
            .args(["--random-input-len", "16", "--random-output-len", "128", "--disable-tqdm"])
            .args(["--max-concurrency", &volume.users.to_string(), "--num-prompts", &requests.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{program} failed: {status}")));
        }
        Ok(machine::children_cpu_s()? - before_s)
    };
    let (few, many) = (volume.users, volume.requests + volume.users);
    let spent_s = spent_s(many)? - spent_s(few)?;
    Ok(Some(spent_s * 1e3 / f64::from(volume.requests)))
}
