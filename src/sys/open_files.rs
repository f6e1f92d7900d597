//! The system's limit on open files, which also limits connections.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::text::figures::counted;

/// Files that a process has open besides its connections, with a margin.
const RESERVED: u64 = 64;

#[derive(Debug, thiserror::Error)]
#[error(
    "the load needs {wanted} connections, each of which takes {}, but this process may open at most {limit} files; \
     raise the limit (`ulimit -Hn`) or use a load with fewer requests in flight",
    counted(u64::from(*files_each), "file")
)]
pub struct TooManyConnections {
    wanted: u32,
    /// Two if both ends of a connection are in this process.
    files_each: u32,
    limit: u64,
}

/// How many files this process may open; `None` means no limit.
pub(crate) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit as far as the system allows.
pub(crate) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // If raising is forbidden, the current limit may still be enough.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Raises the limit as far as the system allows and checks that the connections fit, each of which takes some files.
pub(crate) fn allow_connections(wanted: u32, files_each: u32) -> Result<(), TooManyConnections> {
    raise_open_files();
    let files = u64::from(wanted) * u64::from(files_each) + RESERVED;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if files > limit => Err(TooManyConnections { wanted, files_each, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_connections_are_rejected_with_the_limit() {
        let Some(limit) = getrlimit(Resource::Nofile).maximum else { return };
        let Ok(wanted) = u32::try_from(limit) else { return };
        let error = allow_connections(wanted, 1).unwrap_err().to_string();
        assert!(error.contains(&format!("may open at most {limit} files")), "{error}");
        assert!(allow_connections(wanted / 2, 1).is_ok());
        assert!(allow_connections(wanted / 2, 2).is_err());
    }
}
