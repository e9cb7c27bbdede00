//! The program: everything happens in `goodcache::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    goodcache::cli::main()
}
