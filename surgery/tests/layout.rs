//! Each thing that a heap depends on is found when it differs, and named.

#![allow(clippy::unwrap_used)] // a panic is the report

use surgery::layout::{Aspect, LISTED_MAX, compare};

const PARTS: [(&str, &str); 8] = [
    ("import", r#"(import "ic0" "msg_reply" (func))"#),
    ("memory", "(memory 17)"),
    ("table", "(table 4 funcref)"),
    ("elem", "(elem (i32.const 1) $f $g)"),
    ("global", "(global (mut i32) (i32.const 1048576))"),
    ("data", r#"(data (i32.const 100) "abcdef")"#),
    ("functions", "(func $f (result i32) i32.const 1) (func $g)"),
    ("start", ""),
];

fn module(changes: &[(&str, &str)]) -> Vec<u8> {
    let text: Vec<&str> = PARTS
        .iter()
        .map(|(part, text)| {
            let change = changes.iter().find(|(name, _)| name == part);
            change.map_or(*text, |(_, text)| *text)
        })
        .collect();
    wat::parse_str(format!("(module {})", text.join("\n"))).unwrap()
}

#[test]
fn equal_modules_have_the_same_layout() {
    let comparison = compare(&module(&[]), &module(&[])).unwrap();
    assert!(comparison.same_layout() && comparison.identical);
    assert_eq!(comparison.marked, [false, false]);
}

#[test]
fn every_aspect_is_compared() {
    for (part, text, aspect) in [
        ("memory", "(memory 18)", Aspect::Memory),
        ("memory", "(memory 17 20)", Aspect::Memory),
        ("data", r#"(data (i32.const 101) "abcdef")"#, Aspect::Data),
        ("data", r#"(data (i32.const 100) "abcdeX")"#, Aspect::Data),
        ("data", r#"(data (i32.const 100) "abc")"#, Aspect::Data),
        ("data", r#"(data "abcdef")"#, Aspect::Data),
        ("data", "", Aspect::Data),
        ("table", "(table 5 funcref)", Aspect::Table),
        ("elem", "(elem (i32.const 2) $f $g)", Aspect::Elements),
        ("elem", "(elem (i32.const 1) $g $f)", Aspect::TableEntries),
        ("elem", "(elem (i32.const 1) $f)", Aspect::Elements),
        (
            "elem",
            "(elem (i32.const 1) funcref (ref.func $f) (ref.null func))",
            Aspect::TableEntries,
        ),
        (
            "global",
            "(global (mut i32) (i32.const 1048592))",
            Aspect::Globals,
        ),
        (
            "global",
            "(global (mut i64) (i64.const 1048576))",
            Aspect::Globals,
        ),
        (
            "global",
            "(global i32 (i32.const 1048576))",
            Aspect::Globals,
        ),
        (
            "import",
            r#"(import "ic0" "msg_reject" (func))"#,
            Aspect::Imports,
        ),
        ("import", "", Aspect::Imports),
        (
            "functions",
            "(func $f (result i32) i32.const 1) (func $g) (func)",
            Aspect::Functions,
        ),
        (
            "functions",
            "(func $f (result i64) i64.const 1) (func $g)",
            Aspect::Functions,
        ),
        ("start", "(start $g)", Aspect::Start),
    ] {
        let comparison = compare(&module(&[]), &module(&[(part, text)])).unwrap();
        assert!(
            comparison.counts.iter().any(|(found, _)| *found == aspect),
            "{text}: {comparison:?}"
        );
        assert!(!comparison.same_layout() && !comparison.identical);
        let listed = comparison.differences.iter().find(|d| d.aspect == aspect);
        let listed = listed.unwrap();
        assert_ne!(listed.first, listed.second, "{listed:?}");
    }
    let wide = compare(
        &module(&[("data", "")]),
        &module(&[("data", ""), ("memory", "(memory i64 17)")]),
    )
    .unwrap();
    assert_eq!(wide.counts, [(Aspect::Memory, 1)]);
}

#[test]
fn other_code_alone_is_no_other_layout() {
    let other = module(&[("functions", "(func $f (result i32) i32.const 2) (func $g)")]);
    let comparison = compare(&module(&[]), &other).unwrap();
    assert!(comparison.same_layout() && !comparison.identical);
    assert_eq!(
        (comparison.bodies_different, comparison.bodies_compared),
        (1, 2)
    );
}

#[test]
fn the_place_of_a_changed_byte_is_named() {
    let other = module(&[("data", r#"(data (i32.const 100) "abcXef")"#)]);
    let comparison = compare(&module(&[]), &other).unwrap();
    let [difference] = &comparison.differences[..] else {
        panic!("{comparison:?}");
    };
    assert_eq!(difference.place, "segment 0, byte 3");
    assert_eq!(
        (difference.first.as_str(), difference.second.as_str()),
        ("0x64", "0x58")
    );
}

#[test]
fn many_differences_are_counted_and_few_listed() {
    let globals = |value: u32| -> String {
        (0..50)
            .map(|i| format!("(global i32 (i32.const {}))", i + value))
            .collect()
    };
    let (a, b) = (globals(0), globals(1));
    let comparison = compare(&module(&[("global", &a)]), &module(&[("global", &b)])).unwrap();
    assert_eq!(comparison.counts, [(Aspect::Globals, 50)]);
    assert_eq!(comparison.differences.len(), LISTED_MAX);
}
