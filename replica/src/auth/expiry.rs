//! When a request is valid.

use super::AuthError;

/// How far ahead a request may expire: five minutes, and half a minute for clocks that differ.
pub const MAX_INGRESS_TTL_NS: u64 = (5 * 60 + 30) * 1_000_000_000;

/// Whether a request that expires at `expiry_ns` is valid at `now_ns`; all nanoseconds since the epoch.
pub fn check_ingress_expiry(expiry_ns: u64, now_ns: u64) -> Result<(), AuthError> {
    let max_ns = now_ns.saturating_add(MAX_INGRESS_TTL_NS);
    if (now_ns..=max_ns).contains(&expiry_ns) {
        return Ok(());
    }
    Err(AuthError::InvalidRequestExpiry(format!(
        "Specified ingress_expiry not within expected range: Minimum allowed expiry: {}, \
         Maximum allowed expiry: {}, Provided expiry:        {}",
        format_utc(now_ns),
        format_utc(max_ns),
        format_utc(expiry_ns)
    )))
}

/// Whether a delegation that expires at `expiration_ns` is still valid at `now_ns`.
pub fn check_delegation_expiry(expiration_ns: u64, now_ns: u64) -> Result<(), AuthError> {
    if expiration_ns >= now_ns {
        return Ok(());
    }
    Err(AuthError::InvalidDelegationExpiry(format!(
        "Specified sender delegation has expired:\nProvided expiry:    {}\nLocal replica time: {}",
        format_utc(expiration_ns),
        format_utc(now_ns)
    )))
}

/// A moment as `2026-11-20 23:14:29.000000001 UTC`, the way the replica prints time.
fn format_utc(time_ns: u64) -> String {
    const NANOS: u64 = 1_000_000_000;
    let seconds = time_ns / NANOS;
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let fraction = match time_ns % NANOS {
        0 => String::new(),
        nanos => format!(".{nanos:09}"),
    };
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}{fraction} UTC",
        second_of_day / 3_600,
        second_of_day / 60 % 60,
        second_of_day % 60
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, every 400 years are alike and the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_now_and_closes_after_five_and_a_half_minutes() {
        let now = 1_000_000_000_000;
        assert!(check_ingress_expiry(now, now).is_ok());
        assert!(check_ingress_expiry(now + MAX_INGRESS_TTL_NS, now).is_ok());
        assert!(check_ingress_expiry(now - 1, now).is_err());
        assert!(check_ingress_expiry(now + MAX_INGRESS_TTL_NS + 1, now).is_err());
    }

    #[test]
    fn moments_are_printed_as_dates() {
        assert_eq!(format_utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(
            format_utc(1_620_328_630_000_000_001),
            "2021-05-06 19:17:10.000000001 UTC"
        );
        assert_eq!(
            format_utc(1_709_164_800_000_000_000),
            "2024-02-29 00:00:00 UTC"
        );
    }
}
