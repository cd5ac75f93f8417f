//! Random scripts for the universal module (see the comments of `$exec` in `uni1.wat`).

use rand::Rng;
use rand::rngs::StdRng;

/// How deep scripts hold scripts.
pub const DEPTH_MAX: usize = 2;

/// Slots for callbacks; lower ones belong to hooks.
const CALLBACK_SLOTS: std::ops::Range<u8> = 5..9;

/// `record { canister_id }` in candid, up to the id.
const RECORD: [u8; 17] = [
    0x44, 0x49, 0x44, 0x4c, 1, 0x6c, 1, 0xb3, 0xc4, 0xb1, 0xf2, 4, 0x68, 1, 0, 1, 10,
];

/// A script, in hex with places for the ids of canisters.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The text.
    pub hex: String,
    len_bytes: u32,
}

impl Script {
    fn byte(&mut self, byte: u8) -> &mut Self {
        self.bytes(&[byte])
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.hex.push_str(&hex::encode(bytes));
        self.len_bytes += bytes.len() as u32;
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn canister(&mut self, label: &str) -> &mut Self {
        self.hex.push_str(&format!("{{{label}}}"));
        self.len_bytes += 10;
        self
    }

    /// Another script with its length before it.
    fn sized(&mut self, script: &Script) -> &mut Self {
        self.u32(script.len_bytes);
        self.hex.push_str(&script.hex);
        self.len_bytes += script.len_bytes;
        self
    }

    /// An opcode with a text.
    fn text(&mut self, opcode: u8, text: &str) -> &mut Self {
        self.byte(opcode)
            .u32(text.len() as u32)
            .bytes(text.as_bytes())
    }
}

/// What runs the script: decides which operations make sense most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// `canister_init` and `canister_post_upgrade`.
    Init,
    /// An update.
    Update,
    /// A query.
    Query,
    /// A callback.
    Callback,
    /// The hook before an upgrade, the timer.
    Hook,
}

/// A random script.
pub fn script(rng: &mut StdRng, context: Context, depth: usize, labels: &[&str]) -> Script {
    let mut script = Script::default();
    for _ in 0..rng.random_range(0..5) {
        operation(rng, &mut script, context, depth, labels);
    }
    finish(rng, &mut script, context);
    script
}

/// The dump of everything a query can see.
pub fn dump() -> Script {
    let mut script = Script::default();
    for offset in [0u32, 0xe000, 0xf000] {
        script.byte(7).u32(offset).u32(64);
    }
    for slot in 0..9u32 {
        script.byte(7).u32(0x10000 + 0x800 * slot).u32(32);
    }
    // Hidden and exported global, stable pages, heap pages, status, code number.
    for read in [
        &[18][..],
        &[39],
        &[13, 2],
        &[13, 3],
        &[13, 8],
        &[27],
        &[13, 12],
    ] {
        script.bytes(read).byte(11);
    }
    script.byte(2);
    script
}

fn finish(rng: &mut StdRng, script: &mut Script, context: Context) {
    let replies = !matches!(context, Context::Init | Context::Hook);
    match rng.random_range(0..20) {
        0 => script.text(4, "stop here"),
        1 => script.byte(5),
        2 if replies => script.text(3, "no"),
        3 => script.byte([28, 29, 31, 48, 49, 55, 56, 57][rng.random_range(0..8)]),
        4 => script,
        _ if replies => script.byte(2),
        _ => script,
    };
}

fn operation(
    rng: &mut StdRng,
    script: &mut Script,
    context: Context,
    depth: usize,
    labels: &[&str],
) {
    let offset = 8 * rng.random_range(0..8u32);
    match rng.random_range(0..26) {
        0..=2 => {
            let word: u64 = rng.random();
            script.byte(6).u32(offset).u32(8).u64(word);
        }
        3 => {
            script.byte(33).u32(offset).u32(16).byte(rng.random());
        }
        4 => {
            script.byte(8).u64(rng.random_range(0..3));
        }
        5 => {
            let at = rng.random_range(0..3) * 65_530;
            script.byte(9).u64(at).u32(6).bytes(b"stable");
        }
        6 => {
            script.byte(10).u64(rng.random_range(0..2) * 65_530).u32(6);
        }
        7 => {
            script.text(15, "certified");
        }
        8 => {
            // The timer: off, due at once, or a little later than now.
            match rng.random_range(0..3) {
                0 => script.byte(12).u64(0),
                1 => script.byte(12).u64(1),
                _ => script.bytes(&[13, 0]).byte(36).u64(3),
            };
            script.byte(14);
        }
        9 => {
            script.byte(16).u32(rng.random_range(0..3));
        }
        10 => {
            let value: u64 = rng.random_range(0..100);
            script
                .byte(12)
                .u64(value)
                .byte([17, 38][rng.random_range(0..2)]);
        }
        11 => {
            let read: [u8; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 18, 19, 24];
            script
                .byte(13)
                .byte(read[rng.random_range(0..read.len())])
                .byte(11);
        }
        12 => {
            script.text(1, "appended");
        }
        13 => {
            script.text(21, ["one line", "another line"][rng.random_range(0..2)]);
        }
        14..=16 if depth < DEPTH_MAX => {
            let slot = match rng.random_range(0..4) {
                0 => rng.random_range(1..5),
                _ => rng.random_range(CALLBACK_SLOTS),
            };
            let context = match slot {
                1 | 2 | 4 => Context::Hook,
                3 => Context::Query,
                _ => Context::Callback,
            };
            let held = self::script(rng, context, depth + 1, labels);
            script.byte(19).byte(slot).sized(&held);
        }
        17..=21 if depth < DEPTH_MAX && context != Context::Init => {
            call(rng, script, depth, labels);
        }
        22 => {
            script.byte(45).u64(rng.random_range(0..2_000_000));
        }
        23 => {
            script.byte(23).u64(rng.random_range(0..10_000));
        }
        24 => {
            script.byte([24, 25, 26, 32][rng.random_range(0..4)]);
        }
        _ => {
            script.byte(34).u32(offset).byte(11);
        }
    }
}

fn call(rng: &mut StdRng, script: &mut Script, depth: usize, labels: &[&str]) {
    script.byte(20);
    if rng.random_range(0..4) == 0 {
        let methods = [
            "canister_status",
            "stop_canister",
            "start_canister",
            "uninstall_code",
            "canister_info",
            "stored_chunks",
            "list_canister_snapshots",
            "delete_canister",
            "none",
        ];
        let method = methods[rng.random_range(0..methods.len())];
        // The management canister, and a `record { canister_id }`.
        script
            .byte(0)
            .byte(method.len() as u8)
            .bytes(method.as_bytes());
        script
            .u32(27)
            .bytes(&RECORD)
            .canister(labels[rng.random_range(0..labels.len())]);
        return end_call(rng, script);
    }
    script.byte(10);
    script.canister(labels[rng.random_range(0..labels.len())]);
    let method = ["u", "u", "u", "u", "q", "q", "cq", "none"][rng.random_range(0..8)];
    script.byte(method.len() as u8).bytes(method.as_bytes());
    let context = match method {
        "u" => Context::Update,
        _ => Context::Query,
    };
    let arg = self::script(rng, context, depth + 1, labels);
    script.sized(&arg);
    end_call(rng, script);
}

/// Callbacks, cycles and timeout of a call.
fn end_call(rng: &mut StdRng, script: &mut Script) {
    let callback = |rng: &mut StdRng| match rng.random_range(0..12) {
        0 => 255,
        1 => 254,
        2 => 253,
        _ => rng.random_range(CALLBACK_SLOTS),
    };
    let (reply, reject) = (callback(rng), callback(rng));
    let cleanup = match rng.random_range(0..2) {
        0 => 255,
        _ => rng.random_range(CALLBACK_SLOTS),
    };
    script.byte(reply).byte(reject).byte(cleanup);
    let cycles = match rng.random_range(0..3) {
        0 => rng.random_range(1..1_000_000),
        _ => 0,
    };
    script.u64(cycles);
    let timeout_seconds = match rng.random_range(0..6) {
        0 => rng.random_range(1..20),
        _ => 0,
    };
    script.u32(timeout_seconds).byte(1);
}
