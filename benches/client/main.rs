//! What the load client costs, and how accurate its times are, against a server on the other core.
//!
//! `cargo bench --bench client` prints the tables. With `VLLM_RS` and `VLLM_RS_TOKENIZER`, the paths of vLLM's Rust
//! benchmark client and of a tokenizer's folder, that client is measured, too. docs/explanation/client.md explains the
//! tables.

mod accuracy;
mod answer;
mod bare;
mod cost;
mod machine;
mod ours;
mod pacing;
mod rival;
mod server;

use std::io;

fn main() -> io::Result<()> {
    machine::pin(machine::CLIENTS_CORE)?;
    println!("{}\n", machine::description());
    let only = std::env::var("CLIENT_TABLE").ok();
    let wanted = |table: &str| only.as_deref().is_none_or(|only| only == table);
    if wanted("cost") {
        cost::print()?;
    }
    if wanted("accuracy") {
        accuracy::print()?;
    }
    if wanted("pacing") {
        pacing::print()?;
    }
    println!("{}", machine::description());
    Ok(())
}
