//! Section 6: how large replies, arguments and messages may be, and how long a query may run.

use crate::clients_and_rest::{call_envelope, query_envelope, submit_body};
use crate::lab::{Module, get_status, post, post_cbor, refused};
use crate::modules::wat;
use pocket_ic::ErrorCode;

/// Replies as many bytes as its argument says, reads arguments of any length, loops forever.
fn sizes() -> Module {
    wat(
        "sizes",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
        (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
        (memory 64)
        (func $sized
            (call $arg (i32.const 0) (i32.const 0) (i32.const 4))
            (call $append (i32.const 0) (i32.load (i32.const 0)))
            (call $reply))
        (func $count
            (i32.store (i32.const 0) (call $arg_size))
            (call $append (i32.const 0) (i32.const 4))
            (call $reply))
        (func $forever
            (loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $again)))
        (func (export "canister_query sized_query") (call $sized))
        (func (export "canister_update sized") (call $sized))
        (func (export "canister_query count_query") (call $count))
        (func (export "canister_update echo") (call $count))
        (func (export "canister_query forever") (call $forever)))"#,
    )
}

fn too_long(len_bytes: u32, limit_bytes: u32) -> String {
    format!(
        "ic0.msg_reply_data_append: application payload size ({len_bytes}) cannot be larger than {limit_bytes}."
    )
}

facts! {
    fn a_plain_query_replies_three_mebibytes(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let limit = 3_145_728u32;
        let reply = lab.query(canister, "sized_query", &limit.to_le_bytes()).unwrap();
        assert_eq!(reply.len(), limit as usize);
        let outcome = lab.query(canister, "sized_query", &(limit + 1).to_le_bytes());
        refused(outcome)
            .expect_query_error(ErrorCode::CanisterContractViolation, &too_long(limit + 1, limit));
    }

    fn updates_and_replicated_queries_reply_two_mebibytes(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let limit = 2_097_152u32;
        for method in ["sized_query", "sized"] {
            let reply = lab.update(canister, method, &limit.to_le_bytes()).unwrap();
            assert_eq!(reply.len(), limit as usize);
            refused(lab.update(canister, method, &(limit + 1).to_le_bytes()))
                .expect_error(ErrorCode::CanisterContractViolation, &too_long(limit + 1, limit));
        }
    }

    fn a_message_through_rest_has_two_mebibytes_in_all(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let submit = |len_bytes: usize| {
            let body = submit_body(canister, "echo", &vec![0; len_bytes]);
            post(&lab.pic, "update/submit_ingress_message", &body)
        };
        // 161 bytes go to the rest of the message.
        assert_eq!(submit(2_096_991).0, 200);
        let (status, body) = submit(2_096_992);
        assert_eq!(status, 400);
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains("is too large. Message byte size 2097153 is larger than the max allowed 2097152."),
            "{text}"
        );
        let text = String::from_utf8_lossy(&submit(2_097_152).1).into_owned();
        assert!(text.contains("Message byte size 2097313"), "{text}");
        lab.measured("largest argument of a 4-letter method", 2_096_991);
    }

    fn a_call_of_the_http_interface_has_two_mebibytes_too(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let path = format!("api/v2/canister/{canister}/call");
        let call = |len_bytes: usize| {
            let envelope = call_envelope(&lab.pic, canister, "echo", &vec![0; len_bytes]);
            let len = envelope.len();
            (post_cbor(&lab.pic, &path, envelope).0, len)
        };
        let (mut taken, mut refused) = (2_090_000, 2_100_000);
        while taken + 1 < refused {
            let middle = (taken + refused) / 2;
            match call(middle).0 {
                202 => taken = middle,
                status => {
                    assert_eq!(status, 413);
                    refused = middle;
                }
            }
        }
        let largest = taken;
        assert_eq!(largest, 2_097_006);
        lab.measured("largest anonymous argument", largest);
    }

    fn a_query_takes_what_four_mebibytes_of_body_hold(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let reply = lab.query(canister, "count_query", &vec![7; 4_000_000]).unwrap();
        assert_eq!(reply, 4_000_000u32.to_le_bytes());
        let path = format!("api/v2/canister/{canister}/query");
        let query = |len_bytes: usize| {
            let envelope = query_envelope(&lab.pic, canister, "count_query", &vec![0; len_bytes]);
            let len = envelope.len();
            (post_cbor(&lab.pic, &path, envelope).0, len)
        };
        let rest = query(1_000_000).1 - 1_000_000;
        let limit = 4_194_304;
        assert_eq!(query(limit - rest), (200, limit));
        assert_eq!(query(limit + 1 - rest).0, 413);
        assert_eq!(get_status(&lab.pic, "api/v2/status"), 200);
    }

    fn a_query_ends_after_five_billion_instructions(lab) {
        let canister = lab.installed("A", &sizes(), b"");
        let text = "Canister exceeded the limit of 5000000000 instructions for single message execution.";
        refused(lab.query(canister, "forever", b""))
            .expect_query_error(ErrorCode::CanisterInstructionLimitExceeded, text);
        refused(lab.update(canister, "forever", b""))
            .expect_error(ErrorCode::CanisterInstructionLimitExceeded, text);
    }
}
