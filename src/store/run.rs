//! The reports of one run, and what is rendered from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::Report;
use crate::store::{StoreError, write, write_report};

/// Where the reports of one run go: `target/tollgate/<run>/`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    run: String,
}

impl RunFolder {
    /// Makes the folder, below a build's target folder, and points `latest` to it.
    pub fn create(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder { root: target_dir.join("tollgate"), run: run.to_owned() };
        let path = folder.path();
        fs::create_dir_all(&path).map_err(|source| StoreError::new("make folder", &path, source))?;
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
        write_report(&path, report)?;
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
        let mut paths = list().map_err(|source| StoreError::new("list", &folder, source))?;
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
        point().map_err(|source| StoreError::new("point", &latest, source))
    }
}

fn read_report(path: &Path) -> Result<Report, StoreError> {
    let read = || Ok(serde_json::from_str(&fs::read_to_string(path)?)?);
    read().map_err(|source| StoreError::new("read report", path, source))
}

fn file_name(report: &Report) -> String {
    format!("{}.json", report.scenario.file_stem())
}
