fn main() -> std::process::ExitCode {
    tollgate::main!()
}
