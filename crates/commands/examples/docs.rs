//! Writes the page that is made from the command table.

use std::path::Path;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the program that keeps the file; the crate itself has none"
)]
fn main() -> std::io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/COMPATIBILITY.md");
    std::fs::write(page, stoa_commands::compatibility::page())
}
