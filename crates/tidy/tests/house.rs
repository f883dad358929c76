//! The rules, held against this repository. A failing test lists every place to mend.

use std::sync::LazyLock;

use stoa_tidy::tree::{self, File};
use stoa_tidy::{clippy_config, expect_none, layers, links, prose, shape, source, workflows};

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| tree::read(&tree::root()));

fn text(path: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path} is missing")).text
}

#[test]
fn crates_know_only_what_lies_below_them() {
    expect_none("dependency order", &layers::order(&layers::packages(&FILES)));
}

#[test]
fn what_must_be_absent_from_a_crate_is_absent_from_its_whole_tree() {
    let packages = layers::packages(&FILES);
    expect_none("absent packages", &layers::absences(&packages, text("Cargo.lock")));
}

#[test]
fn everything_locked_comes_from_the_public_registry() {
    expect_none("locked sources", &layers::locked_sources(text("Cargo.lock")));
}

#[test]
fn nothing_unexpected_stands_in_the_root() {
    expect_none("root", &shape::root_is_fixed(&FILES));
}

#[test]
fn every_manifest_takes_lints_and_licence_from_the_workspace() {
    expect_none("manifests", &shape::manifests_inherit(&FILES));
}

#[test]
fn no_file_is_longer_than_a_readers_patience() {
    expect_none("file length", &prose::length(&FILES));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    expect_none("machine paths", &prose::no_machine_paths(&FILES));
}

#[test]
fn every_file_opens_with_its_reason() {
    expect_none("openings", &source::opens_with_its_reason(&FILES));
}

#[test]
fn nothing_that_ships_is_unfinished() {
    expect_none("unfinished code", &source::nothing_unfinished(&FILES));
}

#[test]
fn unsafe_stays_in_its_rooms() {
    expect_none("unsafe", &source::unsafe_in_its_rooms(&FILES));
}

#[test]
fn nothing_is_locked_in_the_core() {
    expect_none("locks", &source::nothing_locked_in_the_core(&FILES));
}

#[test]
fn every_exception_from_a_lint_carries_its_reason() {
    expect_none("exceptions", &source::exceptions_carry_their_reason(&FILES));
}

#[test]
fn every_test_runs_and_none_sleeps() {
    expect_none("tests", &source::tests_run_and_do_not_sleep(&FILES));
}

#[test]
fn every_module_is_named_for_what_is_in_it() {
    expect_none("names", &source::names_say_something(&FILES));
}

#[test]
fn every_crate_of_the_core_has_the_cores_lints() {
    expect_none("core lints", &clippy_config::core_crates_share_one(&FILES));
}

#[test]
fn every_link_leads_somewhere() {
    expect_none("links", &links::resolve(&FILES));
}

#[test]
fn the_front_pages_name_only_what_exists() {
    let targets = workflows::make_targets(text("Makefile"));
    for page in ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md"] {
        let page = File::new(page, text(page));
        expect_none("named things", &links::named_things_exist(&page, &FILES, &targets));
    }
}

#[test]
fn pages_that_code_points_to_exist() {
    expect_none("pages named in code", &links::pages_named_in_code_exist(&FILES));
}

#[test]
fn workflows_call_make_targets_and_nothing_else() {
    let targets = workflows::make_targets(text("Makefile"));
    expect_none("workflows", &workflows::call_make_only(&FILES, &targets));
}
