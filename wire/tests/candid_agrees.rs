//! The fixed bytes of `wire::candid` against the candid crate, in both directions.

use candid::{Decode, Encode};
use proptest::prelude::*;
use wire::candid as ours;

#[test]
fn unit_is_what_the_encoder_makes() {
    let bytes = Encode!().unwrap();
    assert_eq!(bytes, ours::UNIT);
    assert_eq!(ours::decode_unit(&bytes), Ok(()));
    assert!(ours::decode_unit(b"DIDL\x00\x00\x00").is_err());
    assert!(ours::decode_unit(b"").is_err());
}

#[test]
fn an_over_long_length_is_malformed() {
    let mut bytes = ours::BLOB_PREFIX.to_vec();
    bytes.extend([0x83, 0x00, 1, 2, 3]);
    assert!(ours::decode_blob(&bytes).is_err());
    let mut bytes = ours::BLOB_PREFIX.to_vec();
    bytes.extend([0x83, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 2, 3]);
    assert!(ours::decode_blob(&bytes).is_err());
}

#[test]
fn a_length_that_no_header_announces_is_refused() {
    assert!(ours::blob_header(u64::from(u32::MAX)).is_some());
    assert!(ours::blob_header(u64::from(u32::MAX) + 1).is_none());
    assert!(ours::nat64_blob_header(0, u64::MAX).is_none());
}

proptest! {
    #[test]
    fn numbers_are_what_the_encoder_makes(a: u64, b: u64, c: u64) {
        prop_assert_eq!(&Encode!(&a).unwrap()[..], &ours::encode_nat64(a)[..]);
        prop_assert_eq!(&Encode!(&a, &b).unwrap()[..], &ours::encode_nat64_pair(a, b)[..]);
        prop_assert_eq!(&Encode!(&a, &b, &c).unwrap()[..], &ours::encode_nat64_triple(a, b, c)[..]);
        prop_assert_eq!(ours::decode_nat64(&ours::encode_nat64(a)), Ok(a));
        prop_assert_eq!(ours::decode_nat64_pair(&ours::encode_nat64_pair(a, b)), Ok((a, b)));
        prop_assert_eq!(
            ours::decode_nat64_triple(&ours::encode_nat64_triple(a, b, c)),
            Ok((a, b, c))
        );
    }

    #[test]
    fn blobs_are_what_the_encoder_makes(
        number: u64,
        data in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(Just(7u8), 16_380..16_390),
        ],
    ) {
        let len_bytes = data.len() as u64;
        let mut reply = ours::blob_header(len_bytes).unwrap().as_bytes().to_vec();
        reply.extend(&data);
        prop_assert_eq!(&reply, &Encode!(&data).unwrap());
        prop_assert_eq!(ours::decode_blob(&reply), Ok(&data[..]));
        let mut arg = ours::nat64_blob_header(number, len_bytes).unwrap().as_bytes().to_vec();
        arg.extend(&data);
        prop_assert_eq!(&arg, &Encode!(&number, &data).unwrap());
        prop_assert_eq!(ours::decode_nat64_blob(&arg), Ok((number, &data[..])));
    }

    /// A message with one byte changed, cut or added is accepted only if the encoder makes exactly
    /// these bytes of the decoded value.
    #[test]
    fn changed_bytes_are_accepted_only_if_the_encoder_makes_them(
        number: u64,
        data in prop::collection::vec(any::<u8>(), 0..140),
        at in 0usize..200,
        byte: u8,
        change in 0..3,
    ) {
        let mut arg = Encode!(&number, &data).unwrap();
        let at = at % arg.len();
        match change {
            0 => arg[at] = byte,
            1 => arg.truncate(at),
            _ => arg.insert(at, byte),
        }
        if let Ok((number, data)) = ours::decode_nat64_blob(&arg) {
            prop_assert_eq!(&arg, &Encode!(&number, &data).unwrap());
            let theirs = Decode!(&arg, u64, Vec<u8>).unwrap();
            prop_assert_eq!(theirs, (number, data.to_vec()));
        }
    }
}
