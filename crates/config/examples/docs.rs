//! Writes the pages that are made from the directive table.

use std::path::Path;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the program that keeps the files; the crate itself has none"
)]
fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages = [
        ("docs/CONFIGURATION.md", stoa_config::markdown()),
        ("configs/default.conf", stoa_config::default_conf()),
    ];
    for (path, text) in pages {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}
