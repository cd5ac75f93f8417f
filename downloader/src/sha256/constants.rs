//! SHA-256's constants, computed by the compiler from their definition instead of copied from a table.

/// Round constants: the first 32 bits of the fractional parts of the cube roots of the first 64
/// primes.
pub const K: [u32; 64] = round_constants();
/// Initial state: the same of the square roots of the first 8 primes.
pub const H: [u32; 8] = initial_state();

const fn round_constants() -> [u32; 64] {
    let mut constants = [0; 64];
    let mut prime = 2;
    let mut index = 0;
    while index < 64 {
        constants[index] = root_fraction(prime, 3);
        prime = next_prime(prime);
        index += 1;
    }
    constants
}

const fn initial_state() -> [u32; 8] {
    let mut state = [0; 8];
    let mut prime = 2;
    let mut index = 0;
    while index < 8 {
        state[index] = root_fraction(prime, 2);
        prime = next_prime(prime);
        index += 1;
    }
    state
}

/// First 32 bits of the fractional part of a root: the root of the number shifted by 32 times its
/// degree, in integers, modulo 2^32.
const fn root_fraction(number: u128, degree: u32) -> u32 {
    let shifted = number << (32 * degree);
    let mut root = 0u128;
    let mut bit = 36;
    while bit > 0 {
        bit -= 1;
        let candidate = root | 1 << bit;
        if candidate.pow(degree) <= shifted {
            root = candidate;
        }
    }
    root as u32
}

const fn next_prime(after: u128) -> u128 {
    let mut candidate = after + 1;
    let mut divisor = 2;
    while divisor < candidate {
        if candidate.is_multiple_of(divisor) {
            candidate += 1;
            divisor = 2;
        } else {
            divisor += 1;
        }
    }
    candidate
}
