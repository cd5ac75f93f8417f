//! Who and what is refused.

use crate::harness::{Canister, READERS, chunks, noise, range, unit};
use candid::Principal;
use wire::methods::READS;

/// A well-formed argument for each of [`READS`].
fn arguments() -> Vec<(&'static str, Vec<u8>)> {
    let args = [
        unit(),
        range(0, 1),
        chunks(0, 1, 1),
        unit(),
        range(0, 1),
        chunks(0, 1, 1),
    ];
    READS.into_iter().zip(args).collect()
}

#[test]
fn only_controllers_are_answered() {
    let strangers = [
        Principal::anonymous(),
        Principal::management_canister(),
        Principal::self_authenticating([8; 32]),
        Principal::from_slice(&[1; 29]),
    ];
    for name in READERS {
        for stranger in strangers {
            let heap = noise(65_536, 1);
            let canister = Canister::holding(name, &heap, &heap).called_by(stranger);
            for (method, arg) in arguments() {
                canister
                    .query(method, &arg)
                    .refused("only a controller may call this");
                canister
                    .replicated_query(method, &arg)
                    .refused("only a controller may call this");
            }
            let canister = Canister::fresh(name).called_by(stranger);
            canister
                .query("heap_size", &unit())
                .refused("only a controller may call this");
        }
    }
}

#[test]
fn an_argument_of_another_type_is_refused() {
    for name in READERS {
        let canister = Canister::holding(name, &noise(65_536, 1), &noise(65_536, 2));
        for (method, right) in arguments() {
            for (_, wrong) in arguments() {
                if wrong != right {
                    canister
                        .query(method, &wrong)
                        .refused("malformed candid argument");
                }
            }
            canister
                .query(method, b"")
                .refused("malformed candid argument");
            let mut longer = right.clone();
            longer.push(0);
            canister
                .query(method, &longer)
                .refused("malformed candid argument");
            canister
                .query(method, &right[..right.len() - 1])
                .refused("malformed candid argument");
        }
    }
}

/// `nat` or `int64` or a record where the signature says `nat64`: what a client with another
/// interface sends.
#[test]
fn subtypes_and_other_numbers_are_refused() {
    let canister = Canister::holding("downloader", &noise(65_536, 1), &noise(65_536, 2));
    let nat = candid::encode_args((candid::Nat::from(0u8), candid::Nat::from(1u8))).unwrap();
    let int64 = candid::encode_args((0i64, 1i64)).unwrap();
    let opt = candid::encode_args((0u64, Some(1u64))).unwrap();
    for arg in [nat, int64, opt] {
        canister
            .query("stable_read", &arg)
            .refused("malformed candid argument");
    }
}
