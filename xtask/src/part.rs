//! What can be renewed, and by which commands.

use std::fs;

use crate::pictures;
use crate::tool::{cargo, exit_code, root, run};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Schemas,
    Docs,
    Snapshots,
    Baselines,
    Pictures,
}

impl Part {
    pub const ALL: [Part; 5] = [Part::Schemas, Part::Docs, Part::Snapshots, Part::Baselines, Part::Pictures];

    pub fn named(name: &str) -> Option<Vec<Part>> {
        if name == "all" {
            return Some(Part::ALL.to_vec());
        }
        Part::ALL.into_iter().find(|part| part.name() == name).map(|part| vec![part])
    }

    pub fn name(self) -> &'static str {
        match self {
            Part::Schemas => "schemas",
            Part::Docs => "docs",
            Part::Snapshots => "snapshots",
            Part::Baselines => "baselines",
            Part::Pictures => "pictures",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Part::Schemas => "the JSON Schemas in schemas/",
            Part::Docs => "the generated parts of docs/reference/",
            Part::Snapshots => "the snapshots of the reporters in src/report/",
            Part::Baselines => "the baselines of the simulated engine in baselines/simulator/ (2 minutes)",
            Part::Pictures => "the pictures in docs/pictures/ (10 minutes; needs chromium)",
        }
    }

    pub fn renew(self) -> Result<(), String> {
        match self {
            Part::Schemas => run(cargo(&["test", "--lib", "cli::schema::"]).env("TOLLGATE_RENEW", "1")),
            Part::Docs => run(cargo(&["test", "--lib", "cli::docs::"]).env("TOLLGATE_RENEW", "1")),
            Part::Snapshots => run(cargo(&["test", "--lib", "report::"]).env("INSTA_UPDATE", "always")),
            Part::Baselines => baselines(),
            Part::Pictures => pictures::renew(),
        }
    }
}

/// Without a baseline the suite records a pending one, and fails.
fn baselines() -> Result<(), String> {
    let folder = root().join("baselines/simulator");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let lost = "to get the old ones back: git restore baselines";
    match exit_code(cargo(&["test", "--test", "perf", "::sim"]).env("INSTA_UPDATE", "new"))? {
        101 => run(&mut cargo(&["run", "--quiet", "--", "accept"]))
            .map_err(|problem| format!("{problem}; {lost}")),
        code => Err(format!("the perf suite exited with code {code}, but recorded nothing; {lost}")),
    }
}
