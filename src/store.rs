//! The one place that writes files: reports of runs, and what is rendered from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::Report;

/// Where the reports of one run go: `target/tollgate/<run>/`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    run: String,
}

#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}: {source}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl RunFolder {
    /// Makes the folder, below a build's target folder, and points `latest` to it.
    pub fn create(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder { root: target_dir.join("tollgate"), run: run.to_owned() };
        let path = folder.path();
        fs::create_dir_all(&path).map_err(|source| StoreError { action: "make folder", path, source })?;
        folder.point_latest()?;
        Ok(folder)
    }

    pub fn path(&self) -> PathBuf {
        self.root.join(&self.run)
    }

    /// The path of a scenario's report through `latest`, as a person is shown it.
    pub fn latest_report(&self, report: &Report) -> PathBuf {
        self.root.join("latest").join(file_name(report))
    }

    pub fn save(&self, report: &Report) -> Result<PathBuf, StoreError> {
        let path = self.path().join(file_name(report));
        write_json(&path, report)?;
        Ok(path)
    }

    /// Writes a file that is rendered from all of the run's reports.
    pub fn save_rendered(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = self.root.join(name);
        write(&path, text)?;
        Ok(path)
    }

    /// Every report of this run, also those of other processes of it, in the order of their names.
    pub fn reports(&self) -> Result<Vec<Report>, StoreError> {
        let folder = self.path();
        let list = || -> io::Result<Vec<PathBuf>> {
            fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
        };
        let mut paths = list().map_err(|source| StoreError { action: "list", path: folder.clone(), source })?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths.iter().map(|path| read_report(path)).collect()
    }

    fn point_latest(&self) -> Result<(), StoreError> {
        let latest = self.root.join("latest");
        let fresh = self.root.join(format!(".latest-{}", std::process::id()));
        // Made aside and renamed, so that a reader always finds a whole one.
        let point = || {
            let _ = fs::remove_file(&fresh);
            std::os::unix::fs::symlink(&self.run, &fresh)?;
            fs::rename(&fresh, &latest)
        };
        point().map_err(|source| StoreError { action: "point", path: latest.clone(), source })
    }
}

/// Writes one report to a path of the user's choice.
pub fn write_json(path: &Path, report: &Report) -> Result<(), StoreError> {
    let mut json = serde_json::to_string_pretty(report).expect("reports are plain data");
    json.push('\n');
    write(path, &json)
}

fn read_report(path: &Path) -> Result<Report, StoreError> {
    let read = || Ok(serde_json::from_str(&fs::read_to_string(path)?)?);
    read().map_err(|source| StoreError { action: "read report", path: path.to_owned(), source })
}

/// Whole or not at all, also when the process is killed half way.
fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part-{}", std::process::id()));
    fs::write(&part, text)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|source| StoreError { action: "write", path: path.to_owned(), source })
}

fn file_name(report: &Report) -> String {
    format!("{}.json", report.scenario.file_stem())
}
