//! Which canister a visitor of a gateway means.
//!
//! A canister is named by the host (`<id>.localhost`, `<id>.raw.localhost`), by the query parameter `canisterId`, or,
//! for what a page loads after itself, by the page's address in the header `Referer`.

use super::{GatewayError, Visit};
use candid::Principal;
use hyper::Uri;

/// A canister behind a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Who answers.
    pub canister: Principal,
    /// Whether the answer has to be certified: everywhere but on `raw` hosts.
    pub is_verified: bool,
}

/// The site a visit is for.
///
/// # Errors
/// [`GatewayError`] when the host is not served here or no canister is named.
pub fn resolve(visit: &Visit) -> Result<Site, GatewayError> {
    let host = visit.host.as_deref().ok_or(GatewayError::NoAuthority)?;
    let host = without_port(host).to_ascii_lowercase();
    let domain = visit
        .domains
        .iter()
        .find(|domain| host == domain.as_str() || is_below(&host, domain))
        .ok_or_else(|| GatewayError::UnknownDomain(host.clone()))?;
    let labels: Vec<&str> = host[..host.len() - domain.len()]
        .split('.')
        .filter(|label| !label.is_empty())
        .collect();
    let (label, is_verified) = match labels.as_slice() {
        [] | ["raw"] => (None, labels.is_empty()),
        [label] => (Some(label), true),
        [label, "raw"] => (Some(label), false),
        _ => return Err(GatewayError::UnknownDomain(host)),
    };
    // Anything before `--` is for human readers.
    let from_host = label
        .and_then(|label| label.rsplit("--").next())
        .and_then(|label| Principal::from_text(label).ok());
    let canister = match from_host {
        Some(canister) => canister,
        None => match from_query(&visit.target)? {
            Some(canister) => canister,
            None => from_referer(visit).ok_or(GatewayError::CanisterIdNotResolved)?,
        },
    };
    Ok(Site {
        canister,
        is_verified,
    })
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn from_query(target: &str) -> Result<Option<Principal>, GatewayError> {
    let Some(text) = canister_parameter(target) else {
        return Ok(None);
    };
    match Principal::from_text(text) {
        Ok(canister) => Ok(Some(canister)),
        Err(error) => Err(GatewayError::CanisterIdIncorrect(format!(
            "`{text}` in the address: {error}"
        ))),
    }
}

fn canister_parameter(target: &str) -> Option<&str> {
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("canisterId="))
}

fn from_referer(visit: &Visit) -> Option<Principal> {
    let page: Uri = visit.header("referer")?.parse().ok()?;
    let from_host = page
        .host()
        .and_then(|host| host.split('.').next())
        .and_then(|label| Principal::from_text(label).ok());
    from_host.or_else(|| {
        let text = canister_parameter(page.path_and_query()?.as_str())?;
        Principal::from_text(text).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "lxzze-o7777-77777-aaaaa-cai";

    fn visit(host: Option<&str>, target: &str, referer: Option<&str>) -> Visit {
        Visit {
            instance: 0,
            domains: vec!["localhost".into(), "127.0.0.1".into()].into(),
            host: host.map(str::to_owned),
            target: target.to_owned(),
            headers: referer
                .map(|page| ("referer".to_owned(), page.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    fn canister(host: &str, target: &str, referer: Option<&str>) -> Option<(String, bool)> {
        resolve(&visit(Some(host), target, referer))
            .ok()
            .map(|site| (site.canister.to_text(), site.is_verified))
    }

    #[test]
    fn the_host_names_the_canister() {
        let verified = Some((ID.to_owned(), true));
        for host in [
            format!("{ID}.localhost:8000"),
            format!("{ID}.LOCALHOST"),
            format!("my-page--{ID}.localhost"),
        ] {
            assert_eq!(canister(&host, "/", None), verified, "{host}");
        }
        let raw = Some((ID.to_owned(), false));
        assert_eq!(canister(&format!("{ID}.raw.localhost:1"), "/", None), raw);
    }

    #[test]
    fn the_address_or_the_page_before_names_the_canister() {
        let verified = Some((ID.to_owned(), true));
        for (host, target, referer) in [
            ("localhost:8000", format!("/?canisterId={ID}"), None),
            ("127.0.0.1:8000", format!("/a/b?x=1&canisterId={ID}"), None),
            (
                "localhost:8000",
                "/style.css".to_owned(),
                Some(format!("http://localhost:8000/?canisterId={ID}")),
            ),
            (
                "localhost:8000",
                "/style.css".to_owned(),
                Some(format!("http://{ID}.localhost:8000/")),
            ),
        ] {
            assert_eq!(canister(host, &target, referer.as_deref()), verified);
        }
    }

    #[test]
    fn what_names_no_canister_is_refused_with_the_reason() {
        let refused = |host: Option<&str>, target: &str| {
            resolve(&visit(host, target, None))
                .expect_err("no canister is named")
                .cause()
        };
        assert_eq!(refused(None, "/"), "no_authority");
        assert_eq!(refused(Some("example.org"), "/"), "unknown_domain");
        assert_eq!(
            refused(Some(&format!("{ID}.notlocalhost")), "/"),
            "unknown_domain"
        );
        assert_eq!(
            refused(Some(&format!("a.{ID}.localhost")), "/"),
            "unknown_domain"
        );
        assert_eq!(refused(Some("localhost"), "/"), "canister_id_not_resolved");
        assert_eq!(
            refused(Some("localhost"), "/?canisterId=nobody"),
            "canister_id_incorrect"
        );
    }
}
