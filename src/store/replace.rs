//! Replaces a file as a whole: readers, a crash, and a full disk never leave half of one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::store::StoreError;

/// Writes a file, and creates its folder if necessary. A pipe or a device receives the bytes and stays what it is.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let outcome = match Destination::of(path)? {
        Destination::File(file) => swap(&file, |part| fs::write(part, bytes)),
        Destination::Stream(stream) => open_stream(&stream).and_then(|mut stream| {
            stream.write_all(bytes)?;
            stream.flush()
        }),
    };
    outcome.map_err(|cause| StoreError::new("write", path, cause))
}

/// Replaces a file by what `fill` writes to the path that it receives.
#[cfg(feature = "suite")]
pub(super) fn replace_with(
    path: &Path,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), StoreError> {
    let outcome = match Destination::of(path)? {
        Destination::File(file) => swap(&file, fill),
        Destination::Stream(_) => Err(io::Error::other("not a regular file")),
    };
    outcome.map_err(|cause| StoreError::new("write", path, cause))
}

/// Creates the folder and checks that a file can be written, before a run spends hours on it.
pub(crate) fn check_writable(path: &Path) -> Result<(), StoreError> {
    let Destination::File(file) = Destination::of(path)? else { return Ok(()) };
    let part = part_of(&file);
    let outcome = fs::write(&part, "").and_then(|()| fs::remove_file(&part));
    outcome.map_err(|cause| StoreError::new("write", path, cause))
}

/// What a path leads to behind all symlinks.
enum Destination {
    /// A regular file, existing or not.
    File(PathBuf),
    /// A pipe, a device, or an open file of this process.
    Stream(PathBuf),
}

impl Destination {
    fn of(path: &Path) -> Result<Destination, StoreError> {
        let failed = |cause| StoreError::new("write", path, cause);
        let file = behind_symlinks(path).map_err(failed)?;
        if is_descriptor(&file) {
            return Ok(Destination::Stream(file));
        }
        make_folder_of(&file)?;
        match fs::metadata(&file) {
            Ok(found) if found.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(found) if !found.is_file() => Ok(Destination::Stream(file)),
            Ok(_) => Ok(Destination::File(file)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Destination::File(file)),
            Err(cause) => Err(failed(cause)),
        }
    }
}

/// Follows symlinks up to the file that a rename has to replace, even if it does not exist yet.
fn behind_symlinks(path: &Path) -> io::Result<PathBuf> {
    const MAX_LINKS: usize = 40;
    let mut file = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&file) {
            Ok(target) if !is_descriptor(&file) => file = folder_of(&file).join(target),
            _ => return Ok(file),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Whether the path leads to a file descriptor of this process, as `/dev/stdout` and `/dev/fd/3` do.
fn is_descriptor(path: &Path) -> bool {
    let descriptors = fs::canonicalize("/dev/fd").ok();
    descriptors.is_some() && fs::canonicalize(folder_of(path)).ok() == descriptors
}

fn open_stream(path: &Path) -> io::Result<Box<dyn Write>> {
    let name = path.file_name().unwrap_or_default().to_str();
    // Opened anew, a file that the shell redirected them to would have two positions.
    Ok(match name.filter(|_| is_descriptor(path)) {
        Some("1") => Box::new(io::stdout()),
        Some("2") => Box::new(io::stderr()),
        _ => Box::new(OpenOptions::new().append(true).open(path)?),
    })
}

fn make_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(|cause| StoreError::new("create folder", folder, cause))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Fills a part file, and renames it over the file once all of it is on the disk.
fn swap(file: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let part = part_of(file);
    let outcome = fill(&part).and_then(|()| finish(&part, file));
    if outcome.is_err() {
        let _ = fs::remove_file(&part);
    }
    outcome
}

fn finish(part: &Path, file: &Path) -> io::Result<()> {
    if let Some(permissions) = permissions(file) {
        fs::set_permissions(part, permissions)?;
    }
    File::open(part)?.sync_all()?;
    fs::rename(part, file)?;
    match File::open(folder_of(file)).and_then(|folder| folder.sync_all()) {
        // Some file systems can't sync a folder.
        Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => Ok(()),
        outcome => outcome,
    }
}

fn permissions(file: &Path) -> Option<Permissions> {
    fs::metadata(file).ok().map(|found| found.permissions())
}

/// A name that no other thread or process uses, in the same folder, because a rename can't cross file systems.
fn part_of(file: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut part = file.as_os_str().to_owned();
    part.push(format!(".part-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    part.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::{TempDir, tempdir};

    use super::*;

    fn names_in(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_part() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_bytes(&path, b"old").unwrap();
        let half = |part: &Path| fs::write(part, "ne").and(Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(swap(&path, half).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(names_in(&folder), ["a.json"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn readers_of_the_old_file_keep_all_of_it() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_bytes(&path, b"old").unwrap();
        let mut reader = File::open(&path).unwrap();
        write_bytes(&path, b"new").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), &*fs::read(&path).unwrap()), ("old", &b"new"[..]));
    }

    #[test]
    fn a_symlink_stays_and_its_target_is_replaced() {
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("link2", at("link")).unwrap();
        symlink("missing/target", at("link2")).unwrap();
        for text in ["new", "newer"] {
            check_writable(&at("link")).unwrap();
            write_bytes(&at("link"), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("missing/target")).unwrap(), text);
        }
        assert!(at("link").is_symlink() && at("link2").is_symlink());
        assert_eq!(names_in(&folder), ["link", "link2", "missing"]);
    }

    #[test]
    fn a_loop_of_symlinks_is_reported() {
        let folder = tempdir().unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        let error = write_bytes(&folder.path().join("loop"), b"").unwrap_err().to_string();
        assert!(error.contains("Too many levels of symbolic links"), "{error}");
    }

    #[test]
    fn standard_output_is_written_to_under_any_name() {
        for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let destination = Destination::of(path.as_ref()).unwrap();
            assert!(matches!(destination, Destination::Stream(file) if is_descriptor(&file)), "{path}");
        }
        assert!(matches!(Destination::of("/dev/full".as_ref()), Ok(Destination::Stream(_))));
        let error = write_bytes("/dev/full".as_ref(), b"x").unwrap_err().to_string();
        assert!(error.starts_with("can't write /dev/full: No space left"), "{error}");
    }

    #[test]
    fn a_pipe_receives_the_bytes_and_stays_a_pipe() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let of_reader = path.clone();
        check_writable(&path).unwrap();
        let reader = std::thread::spawn(move || fs::read_to_string(of_reader).unwrap());
        write_bytes(&path, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert_eq!(names_in(&folder), ["pipe"]);
        assert!(!path.is_file());
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_bytes(&path, b"old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        write_bytes(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
