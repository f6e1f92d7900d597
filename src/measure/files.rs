//! The system's limit on open files, which is one on connections too.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that a process has open besides its connections, with some to spare.
const RESERVED: u64 = 64;

#[derive(Debug, thiserror::Error)]
#[error(
    "{wanted} connections are needed, but this process may open {limit} files at most; raise the limit (`ulimit -Hn`) \
     or have the load keep fewer requests in flight"
)]
pub struct TooManyConnections {
    wanted: u32,
    limit: u64,
}

/// How many files this process may open at most; `None` is no limit.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit as far as the system allows, and checks that so many connections fit.
pub fn allow_connections(wanted: u32) -> Result<(), TooManyConnections> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where raising is forbidden, what is allowed may still do.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) if u64::from(wanted) + RESERVED > limit => Err(TooManyConnections { wanted, limit }),
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
        let error = allow_connections(wanted).unwrap_err().to_string();
        assert!(error.contains(&format!("may open {limit} files")), "{error}");
        assert!(allow_connections(16).is_ok());
    }
}
