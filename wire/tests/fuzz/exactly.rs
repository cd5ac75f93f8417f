//! The candid crate as the judge of an argument.

use candid::DecoderConfig;
use candid::utils::{ArgumentDecoder, ArgumentEncoder, decode_args_with_config};

/// Work that decoding one made-up message may cost, in the candid crate's own units.
const DECODING_QUOTA: usize = 50_000_000;

/// The value of which the encoder makes exactly these bytes.
pub fn exactly<T>(arg: &[u8]) -> Option<T>
where
    T: for<'a> ArgumentDecoder<'a> + ArgumentEncoder + Clone,
{
    let mut config = DecoderConfig::new();
    config.set_decoding_quota(DECODING_QUOTA);
    config.set_full_error_message(false);
    let value: T = decode_args_with_config(arg, &config).ok()?;
    let encoded = candid::encode_args(value.clone()).unwrap();
    (encoded == arg).then_some(value)
}
