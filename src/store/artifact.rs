//! Pending baselines from another machine, as downloaded from CI: a folder or a ZIP file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::store::PendingBaseline;

/// A folder with the layout of a crate.
pub(crate) struct Artifact {
    path: PathBuf,
    /// Where a ZIP file was unpacked; deleted when this value is dropped.
    unpacked: Option<TempDir>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    #[error("can't read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{} is neither a folder nor a readable ZIP file: {cause}", path.display())]
    Zip { path: PathBuf, cause: ZipError },
    #[error("{}: entry `{name}` points outside of the archive, so nothing in it is accepted", path.display())]
    LeadsOut { path: PathBuf, name: String },
    #[error("{}: entry `{name}` is larger than {LARGEST} bytes, the most a baseline may have", path.display())]
    TooLarge { path: PathBuf, name: String },
    #[error(
        "{}: its pending baselines are larger than {LARGEST_TOTAL} bytes together, so nothing in it is accepted",
        path.display()
    )]
    TooLargeTogether { path: PathBuf },
}

/// In bytes; a baseline has only one line per metric.
const LARGEST: u64 = 1 << 20;
/// In bytes, unpacked: thousands of baselines.
const LARGEST_TOTAL: u64 = 16 << 20;

impl Artifact {
    pub(crate) fn open(path: &Path) -> Result<Artifact, ArtifactError> {
        let unreadable = |cause| ArtifactError::Unreadable { path: path.to_owned(), cause };
        let unpacked = if fs::metadata(path).map_err(unreadable)?.is_dir() {
            None
        } else {
            let folder = TempDir::new().map_err(unreadable)?;
            unpack(path, folder.path())?;
            Some(folder)
        };
        Ok(Artifact { path: path.to_owned(), unpacked })
    }

    /// Its pending baselines, to be accepted in the crate at `root`.
    pub(crate) fn pending(&self, root: &Path) -> Vec<PendingBaseline> {
        let folder = self.unpacked.as_ref().map_or(self.path.as_path(), TempDir::path);
        PendingBaseline::below(folder, &format!("{}/", self.path.display()), root)
    }
}

/// Extracts the pending baselines, and rejects the whole archive if any name points outside.
fn unpack(path: &Path, folder: &Path) -> Result<(), ArtifactError> {
    let unreadable = |cause| ArtifactError::Unreadable { path: path.to_owned(), cause };
    let zip = |cause| ArtifactError::Zip { path: path.to_owned(), cause };
    let mut archive = ZipArchive::new(File::open(path).map_err(unreadable)?).map_err(zip)?;
    let mut texts = Vec::new();
    let mut total = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(zip)?;
        let name = entry.name().map_err(zip)?.into_owned();
        if leads_out(&name) {
            return Err(ArtifactError::LeadsOut { path: path.to_owned(), name });
        }
        if is_pending(&name) {
            let mut text = Vec::new();
            entry.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
            if text.len() as u64 > LARGEST {
                return Err(ArtifactError::TooLarge { path: path.to_owned(), name });
            }
            total += text.len() as u64;
            if total > LARGEST_TOTAL {
                return Err(ArtifactError::TooLargeTogether { path: path.to_owned() });
            }
            texts.push((name, text));
        }
    }
    for (name, text) in texts {
        let file = folder.join(name);
        let made = fs::create_dir_all(file.parent().expect("it is below `folder`"));
        made.and_then(|()| fs::write(&file, text)).map_err(unreadable)?;
    }
    Ok(())
}

fn leads_out(name: &str) -> bool {
    name.starts_with('/') || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..")
}

/// `baselines/<environment>/<scenario>.snap.new`.
fn is_pending(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts[..], ["baselines", _, file] if file.ends_with(".snap.new"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_point_outside_are_detected() {
        for name in ["/etc/passwd", "../x", "baselines/../../x.snap.new", "baselines\\..\\x"] {
            assert!(leads_out(name), "{name}");
        }
        assert!(!leads_out("baselines/simulator/chat__users-4__sim.snap.new"));
        assert!(!leads_out("baselines/l40s-..-etc/chat__v1..2__sim.snap.new"));
    }

    #[test]
    fn only_pending_baselines_are_extracted() {
        assert!(is_pending("baselines/simulator/chat__users-4__sim.snap.new"));
        for name in ["baselines/simulator/chat.snap", "x/baselines/simulator/chat.snap.new", "chat.snap.new"]
        {
            assert!(!is_pending(name), "{name}");
        }
    }
}
