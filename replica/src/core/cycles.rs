//! Prices, as cycles per thing for a subnet of 13 nodes, scaled to the subnet's size.

/// Nodes the prices are given for.
const REFERENCE_NODES: u128 = 13;
/// `update_message_execution_fee`
const EXECUTION_BASE_FEE: u128 = 5_000_000;
/// `ten_update_instructions_execution_fee` / 10
const INSTRUCTION_FEE: u128 = 1;
/// The same for a wasm64 module.
const WASM64_INSTRUCTION_FEE: u128 = 2;
/// `ingress_message_reception_fee`
const INGRESS_FEE: u128 = 1_200_000;
/// `ingress_byte_reception_fee`
const INGRESS_BYTE_FEE: u128 = 2_000;
/// `gib_storage_per_second_fee`
const GIB_SECOND_FEE: u128 = 127_000;
/// `compute_percent_allocated_per_second_fee`
const COMPUTE_PERCENT_SECOND_FEE: u128 = 10_000_000;
/// `xnet_byte_transmission_fee`
const XNET_BYTE_FEE: u128 = 1_000;
/// `canister_creation_fee`
const CREATION_FEE: u128 = 500_000_000_000;
const GIB: u128 = 1 << 30;
const SECONDS_PER_DAY: u128 = 24 * 60 * 60;

/// The prices of one subnet.
#[derive(Clone, Copy, Debug)]
pub struct Prices {
    nodes: u128,
    is_free: bool,
}

impl Prices {
    /// Prices of a subnet of so many nodes; `is_free` for a subnet whose schedule charges nothing.
    pub fn new(size_nodes: u64, is_free: bool) -> Self {
        Prices {
            nodes: u128::from(size_nodes),
            is_free,
        }
    }

    /// Whether nothing costs anything.
    pub fn is_free(&self) -> bool {
        self.is_free
    }

    fn scaled(&self, reference: u128) -> u128 {
        if self.is_free {
            return 0;
        }
        reference.saturating_mul(self.nodes) / REFERENCE_NODES
    }

    /// Running so many instructions.
    pub fn execution(&self, instructions: u64, is_wasm64: bool) -> u128 {
        self.scaled(EXECUTION_BASE_FEE) + self.instructions(instructions, is_wasm64)
    }

    /// The part of [`Prices::execution`] that depends on the instructions.
    pub fn instructions(&self, instructions: u64, is_wasm64: bool) -> u128 {
        let fee = if is_wasm64 {
            WASM64_INSTRUCTION_FEE
        } else {
            INSTRUCTION_FEE
        };
        self.scaled(u128::from(instructions) * fee)
    }

    /// Taking in an ingress message of so many bytes.
    pub fn ingress(&self, signed_len_bytes: u64) -> u128 {
        self.scaled(INGRESS_FEE + INGRESS_BYTE_FEE * u128::from(signed_len_bytes))
    }

    /// Sending so many bytes from canister to canister.
    pub fn transmission(&self, len_bytes: u64) -> u128 {
        self.scaled(XNET_BYTE_FEE * u128::from(len_bytes))
    }

    /// Creating a canister.
    pub fn creation(&self) -> u128 {
        self.scaled(CREATION_FEE)
    }

    /// Holding memory and compute for a while.
    pub fn storage(&self, memory_bytes: u64, compute_percent: u64, duration_ns: u64) -> u128 {
        const NS: u128 = 1_000_000_000;
        let duration_ns = u128::from(duration_ns);
        let memory = u128::from(memory_bytes) * GIB_SECOND_FEE * duration_ns / GIB / NS;
        let compute = u128::from(compute_percent) * COMPUTE_PERCENT_SECOND_FEE * duration_ns / NS;
        self.scaled(memory) + self.scaled(compute)
    }

    /// What holding memory and compute costs a day.
    pub fn storage_per_day(&self, memory_bytes: u64, compute_percent: u64) -> u128 {
        let memory = self.scaled(u128::from(memory_bytes) * GIB_SECOND_FEE * SECONDS_PER_DAY / GIB);
        let compute =
            self.scaled(u128::from(compute_percent) * COMPUTE_PERCENT_SECOND_FEE * SECONDS_PER_DAY);
        memory + compute
    }

    /// The balance below which a canister is frozen.
    pub fn freezing_threshold(
        &self,
        threshold_seconds: u64,
        memory_bytes: u64,
        compute_percent: u64,
        reserved: u128,
    ) -> u128 {
        let per_day = self.storage_per_day(memory_bytes, compute_percent);
        (per_day.saturating_mul(u128::from(threshold_seconds)) / SECONDS_PER_DAY)
            .saturating_sub(reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_subnet_pays_the_listed_prices() {
        let prices = Prices::new(13, false);
        assert_eq!(prices.execution(300_000_000_000, false), 300_005_000_000);
        assert_eq!(prices.execution(10, true), 5_000_020);
        assert_eq!(prices.ingress(161), 1_522_000);
        assert_eq!(prices.creation(), 500_000_000_000);
    }

    #[test]
    fn prices_grow_with_the_subnet() {
        assert_eq!(Prices::new(34, false).creation(), 500_000_000_000 * 34 / 13);
        assert_eq!(Prices::new(13, true).creation(), 0);
    }
}
