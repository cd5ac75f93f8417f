//! The decoders of `wire::candid` accept exactly what the candid crate's encoder makes, whatever the bytes.
//!
//! See `campaign.rs` for how to make the campaign longer.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

mod arguments;
mod campaign;
mod dice;
mod exactly;

use campaign::Campaign;
use exactly::exactly;
use serde_bytes::ByteBuf;
use wire::candid as ours;
use wire::methods::{STABLE_READ, STABLE_SHA256, STABLE_SIZE, STABLE_WRITE};

/// One method of each signature.
const METHODS: [&str; 4] = [STABLE_SIZE, STABLE_READ, STABLE_SHA256, STABLE_WRITE];

#[test]
fn the_decoders_accept_exactly_what_the_encoder_makes() {
    let Campaign { cases, mut dice } = Campaign::begin(50_000);
    let mut accepted = [0u64; 6];
    for _ in 0..cases {
        let method = dice.pick(&METHODS);
        let arg = arguments::argument(&mut dice, method, |dice| {
            // Around the lengths whose LEB128 takes one byte more.
            let around = dice.pick(&[0, 0, 0, 128, 128, 16_384]);
            let length = dice.length(around / 64 + 40) + around;
            dice.bytes(length.saturating_sub(20))
        });
        let unit = ours::decode_unit(&arg).ok();
        assert_eq!(unit, exactly::<()>(&arg), "{arg:?}");
        let one = ours::decode_nat64(&arg).ok();
        assert_eq!(one, exactly::<(u64,)>(&arg).map(|(a,)| a), "{arg:?}");
        let pair = ours::decode_nat64_pair(&arg).ok();
        assert_eq!(pair, exactly::<(u64, u64)>(&arg), "{arg:?}");
        let triple = ours::decode_nat64_triple(&arg).ok();
        assert_eq!(triple, exactly::<(u64, u64, u64)>(&arg), "{arg:?}");
        let write = ours::decode_nat64_blob(&arg).ok();
        let write = write.map(|(offset, data)| (offset, ByteBuf::from(data)));
        assert!(write == exactly::<(u64, ByteBuf)>(&arg), "{arg:?}");
        let blob = ours::decode_blob(&arg).ok().map(ByteBuf::from);
        assert!(blob == exactly::<(ByteBuf,)>(&arg).map(|(a,)| a), "{arg:?}");
        let found = [
            unit.is_some(),
            one.is_some(),
            pair.is_some(),
            triple.is_some(),
            write.is_some(),
            blob.is_some(),
        ];
        for (count, found) in accepted.iter_mut().zip(found) {
            *count += u64::from(found);
        }
    }
    println!("{cases} arguments, of each type accepted: {accepted:?}");
    assert!(cases < 1_000 || accepted.iter().all(|&count| count > 0));
}
