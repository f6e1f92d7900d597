use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate::internals::run_command()
}
