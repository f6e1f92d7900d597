//! What this machine is and allows: clock, packet timestamps, open-file limit, processor.

pub mod arrival;
pub mod clock;
pub mod machine;
pub mod open_files;
