//! The system's limit on open files, which is one on connections too.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::text::figures::counted;

/// Files that a process has open besides its connections, with some to spare.
const RESERVED: u64 = 64;

#[derive(Debug, thiserror::Error)]
#[error(
    "{wanted} connections are needed, of {} each, but this process may open {limit} files at most; raise \
     the limit (`ulimit -Hn`) or have the load keep fewer requests in flight",
    counted(u64::from(*files_each), "file")
)]
pub struct TooManyConnections {
    wanted: u32,
    /// Two, where both of its ends are in this process.
    files_each: u32,
    limit: u64,
}

/// How many files this process may open at most; `None` is no limit.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit as far as the system allows.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where raising is forbidden, what is allowed may still do.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Raises the limit as far as the system allows, and checks that so many connections fit, of so many files each.
pub fn allow_connections(wanted: u32, files_each: u32) -> Result<(), TooManyConnections> {
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
    fn more_connections_than_files_are_refused_with_the_limit() {
        let Some(limit) = getrlimit(Resource::Nofile).maximum else { return };
        let Ok(wanted) = u32::try_from(limit) else { return };
        let error = allow_connections(wanted, 1).unwrap_err().to_string();
        assert!(error.contains(&format!("may open {limit} files")), "{error}");
        assert!(allow_connections(wanted / 2, 1).is_ok());
        assert!(allow_connections(wanted / 2, 2).is_err());
    }
}
