//! The `ic-rescue` program: hands over to the library and exits with its code.

fn main() -> std::process::ExitCode {
    ic_rescue::run(std::env::args_os())
}
