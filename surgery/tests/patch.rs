//! A patch changes what it says and nothing else, as a parser that shares no code with ours sees it.

#![allow(clippy::unwrap_used)] // a panic is the report

use surgery::patch::{Change, Patched, Plan, patch};
use surgery::{MARKER, POST_UPGRADE, PRE_UPGRADE, SurgeryError};
use wasmbin::Module;
use wasmbin::io::Encode;
use wasmbin::sections::{ExportDesc, Kind, Section};

const TYPICAL: &str = r#"
    (import "ic0" "msg_reply" (func $reply))
    (memory $m 17)
    (type $thunk (func (result i32)))
    (table 3 8 funcref)
    (elem (i32.const 1) $one $two)
    (global $stack (mut i32) (i32.const 1048576))
    (global (export "__heap_base") i32 (i32.const 1048592))
    (data (i32.const 1048576) "text of the program")
    (func $one (type $thunk) (i32.const 1))
    (func $two (type $thunk) (i32.const 2))
    (func (export "canister_pre_upgrade") unreachable)
    (func (export "canister_update go") (drop (call_indirect (type $thunk) (i32.const 1))) (call $reply))
    (func (export "canister_post_upgrade") (i32.store (i32.const 0) (i32.const 7)))
    (export "memory" (memory $m))"#;

fn typical(extra: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {TYPICAL} {extra})")).unwrap()
}

fn sections(text: &str, count: usize) -> String {
    (0..count)
        .map(|index| format!("(@custom \"{text}{index}\" \"content {index}\")"))
        .collect()
}

/// All sections as the independent parser has them: its name for the kind, content with its length.
fn parsed(module: &[u8]) -> Vec<Section> {
    Module::decode_from(module).unwrap().sections
}

fn encoded(section: &Section) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.encode(&mut bytes).unwrap();
    bytes
}

fn exports(sections: &[Section]) -> Vec<(String, ExportDesc)> {
    let list = sections.iter().find_map(|section| match section {
        Section::Export(list) => Some(list.try_contents().unwrap()),
        _ => None,
    });
    list.into_iter()
        .flatten()
        .map(|export| (export.name.clone(), export.desc.clone()))
        .collect()
}

/// Patches and compares, by the independent parser's eyes.
fn patched(module: &[u8], plan: &Plan) -> Patched {
    let patched = patch(module, plan).unwrap();
    let (before, after) = (parsed(module), parsed(&patched.module));
    let untouched = |sections: &[Section]| -> Vec<Vec<u8>> {
        sections
            .iter()
            .filter(|section| section.kind() != Kind::Export)
            .map(encoded)
            .collect()
    };
    let added = patched
        .changes
        .iter()
        .any(|change| matches!(change, Change::MarkerAdded { .. }));
    let mut rest = untouched(&after);
    if added {
        let marker = rest.pop().unwrap();
        let name = format!("icp:private {MARKER}");
        assert_eq!(marker[0], 0);
        assert_eq!(usize::from(marker[1]), name.len() + 1, "no content");
        assert_eq!(&marker[3..], name.as_bytes());
    }
    assert_eq!(rest, untouched(&before), "only exports and marker differ");
    let gone = |name: &String| {
        (name == PRE_UPGRADE && !plan.keep_pre_upgrade)
            || (name == POST_UPGRADE && !plan.keep_post_upgrade)
    };
    let mut expected = exports(&before);
    expected.retain(|(name, _)| !gone(name));
    assert_eq!(exports(&after), expected);
    patched
}

fn names(patched: &Patched) -> Vec<String> {
    let name = |change: &Change| match change {
        Change::ExportRemoved { name, .. } => name.clone(),
        Change::MarkerAdded { .. } => "marker".to_string(),
        Change::SectionDropped { name, .. } => format!("drop {name}"),
    };
    patched.changes.iter().map(name).collect()
}

#[test]
fn both_hooks_go_and_the_marker_comes() {
    let patched = patched(&typical(""), &Plan::BOTH_HOOKS);
    assert_eq!(names(&patched), [PRE_UPGRADE, POST_UPGRADE, "marker"]);
    assert!(surgery::layout::is_marked(&patched.module).unwrap());
    let titles: Vec<&str> = patched.copied.iter().map(|(t, _)| t.as_str()).collect();
    assert_eq!(
        titles,
        [
            "types",
            "imports",
            "functions",
            "tables",
            "memory",
            "globals",
            "elements",
            "code",
            "data",
            "custom section \"name\""
        ]
    );
}

#[test]
fn hooks_stay_when_told_to() {
    let module = typical("");
    let one = patched(&module, &Plan::POST_UPGRADE_ONLY);
    assert_eq!(names(&one), [POST_UPGRADE, "marker"]);
    let neither = Plan {
        keep_pre_upgrade: true,
        keep_post_upgrade: true,
        drop_sections: Vec::new(),
    };
    let marked = patched(&module, &neither);
    assert_eq!(names(&marked), ["marker"]);
    assert!(marked.module.starts_with(&module), "only appended to");
}

#[test]
fn a_patched_module_needs_no_patch() {
    let first = patched(&typical(""), &Plan::BOTH_HOOKS).module;
    let second = patched(&first, &Plan::BOTH_HOOKS);
    assert_eq!((second.module, second.changes), (first, vec![]));
    let public = typical(&format!("(@custom \"icp:public {MARKER}\" \"x\")"));
    assert_eq!(
        names(&patched(&public, &Plan::BOTH_HOOKS)),
        [PRE_UPGRADE, POST_UPGRADE]
    );
}

#[test]
fn modules_of_all_kinds_are_patched() {
    for (kind, module) in [
        ("wasm64", module_64()),
        (
            "SIMD",
            typical(
                "(func (result v128) (i8x16.swizzle (v128.const i64x2 1 2) (v128.const i64x2 3 4)))",
            ),
        ),
        (
            "passive data",
            typical(
                "(data $p \"passive\") (func (memory.init $p (i32.const 0) (i32.const 0) (i32.const 7)) (data.drop $p))",
            ),
        ),
        ("15 custom sections", typical(&sections("icp:public s", 15))),
        ("many others", typical(&sections("producers", 40))),
        ("start", typical("(func $s) (start $s)")),
        ("padded lengths", padded(&typical(""))),
        (
            "no exports but hooks",
            wat::parse_str("(module (memory 1) (func (export \"canister_pre_upgrade\")))").unwrap(),
        ),
        ("no exports", wat::parse_str("(module (memory 1))").unwrap()),
        ("nothing", b"\0asm\x01\0\0\0".to_vec()),
        ("many exports", many_exports()),
    ] {
        let patched = patched(&module, &Plan::BOTH_HOOKS);
        assert!(
            surgery::layout::is_marked(&patched.module).unwrap(),
            "{kind}"
        );
        let comparison = surgery::layout::compare(&module, &patched.module).unwrap();
        assert!(comparison.same_layout(), "{kind}: {comparison:?}");
        assert_eq!(comparison.bodies_different, 0, "{kind}");
    }
}

fn module_64() -> Vec<u8> {
    wat::parse_str(
        r#"(module (memory i64 1) (data (i64.const 8) "x")
            (func (export "canister_pre_upgrade")) (func (export "canister_query q")))"#,
    )
    .unwrap()
}

/// More than 127 exports: their number takes two bytes before and after.
fn many_exports() -> Vec<u8> {
    let queries: String = (0..200)
        .map(|index| format!("(func (export \"canister_query q{index}\"))"))
        .collect();
    typical(&queries)
}

/// The same module with every length of a section written in five bytes, as some linkers do.
fn padded(module: &[u8]) -> Vec<u8> {
    let mut out = module[..8].to_vec();
    for section in surgery::sections::sections(module).unwrap() {
        let len = section.content.len() as u32;
        out.push(section.id);
        for group in 0..5 {
            let more = if group < 4 { 0x80 } else { 0 };
            out.push(((len >> (7 * group)) & 0x7f) as u8 | more);
        }
        out.extend_from_slice(&module[section.content]);
    }
    assert_eq!(
        Module::decode_from(&out[..]).unwrap().sections.len(),
        parsed(module).len()
    );
    out
}

#[test]
fn lengths_written_in_other_ways_stay_as_they_are() {
    let module = padded(&typical(""));
    let patched = patch(&module, &Plan::BOTH_HOOKS).unwrap();
    let sections = surgery::sections::sections(&module).unwrap();
    let code = sections.iter().find(|section| section.id == 10).unwrap();
    let bytes = &module[code.whole.clone()];
    assert!(patched.module.windows(bytes.len()).any(|w| w == bytes));
}

#[test]
fn the_marker_needs_a_place_among_the_custom_sections() {
    let full = typical(&sections("icp:private s", 16));
    let refused = patch(&full, &Plan::BOTH_HOOKS).unwrap_err();
    assert!(
        matches!(refused, SurgeryError::TooManySections { found: 16, .. }),
        "{refused}"
    );
    let plan = Plan {
        drop_sections: vec!["icp:private s3".to_string()],
        ..Plan::BOTH_HOOKS
    };
    let dropped = patch(&full, &plan).unwrap();
    assert!(names(&dropped).contains(&"drop icp:private s3".to_string()));
    let kinds = parsed(&dropped.module);
    assert_eq!(
        kinds.iter().filter(|s| s.kind() == Kind::Custom).count(),
        parsed(&full)
            .iter()
            .filter(|s| s.kind() == Kind::Custom)
            .count()
    );

    let long = typical(&format!(
        "(@custom \"icp:public long\" \"{}\")",
        "x".repeat((1 << 20) - 20)
    ));
    let refused = patch(&long, &Plan::BOTH_HOOKS).unwrap_err();
    assert!(
        matches!(refused, SurgeryError::SectionsTooLong { .. }),
        "{refused}"
    );
    let plan = Plan {
        drop_sections: vec!["no such".to_string()],
        ..Plan::BOTH_HOOKS
    };
    let refused = patch(&typical(""), &plan).unwrap_err();
    assert!(
        matches!(refused, SurgeryError::NoSuchSection { .. }),
        "{refused}"
    );
}

#[test]
fn an_export_that_is_no_function_is_no_hook() {
    let module = wat::parse_str(
        r#"(module (memory (export "canister_pre_upgrade") 1) (func (export "canister_query q")))"#,
    )
    .unwrap();
    let patched = patch(&module, &Plan::BOTH_HOOKS).unwrap();
    assert_eq!(names(&patched), ["marker"]);
}

#[test]
fn malformed_modules_are_refused_wherever_they_are_cut() {
    let module = typical("");
    for len in 8..module.len() {
        match patch(&module[..len], &Plan::BOTH_HOOKS) {
            Err(SurgeryError::Malformed { .. }) => {}
            // Between two sections a cut module is a shorter module.
            Ok(patched) => assert!(Module::decode_from(&patched.module[..]).is_ok()),
            Err(other) => panic!("{other}"),
        }
    }
    let component = b"\0asm\x0d\0\x01\0";
    assert_eq!(
        patch(component, &Plan::BOTH_HOOKS).unwrap_err(),
        SurgeryError::Component
    );
}
