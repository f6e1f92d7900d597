//! What this machine is and allows: clock, packet timestamps, open-file limit, processor.

pub(crate) mod arrival;
pub mod clock;
pub(crate) mod machine;
pub(crate) mod open_files;
