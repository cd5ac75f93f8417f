//! The candid interface of a canister: text in, bytes to the method; bytes back, values out.

use crate::error::OfflineError;
use candid::types::{FuncMode, Function, Type};
use candid::{IDLArgs, TypeEnv};
use candid_parser::utils::CandidSource;
use engine::Module;
use std::path::Path;

/// Name of the custom section that holds the interface, without `icp:public `.
const SECTION: &str = "candid:service";

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    env: TypeEnv,
    service: Type,
}

impl Interface {
    /// The interface that a module carries; none if it carries none.
    ///
    /// # Errors
    /// [`OfflineError::BadInterface`].
    pub fn of_module(module: &Module) -> Result<Option<Self>, OfflineError> {
        let Some(section) = module.custom_sections().get(SECTION) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&section.content).map_err(bad)?;
        Self::of(CandidSource::Text(text)).map(Some)
    }

    /// The interface in a file, which may import others.
    ///
    /// # Errors
    /// [`OfflineError::BadInterface`].
    pub fn of_file(path: &Path) -> Result<Self, OfflineError> {
        Self::of(CandidSource::File(path))
    }

    fn of(source: CandidSource) -> Result<Self, OfflineError> {
        let (env, service) = source.load().map_err(bad)?;
        let service = service.ok_or_else(|| bad("there is no service in it"))?;
        Ok(Self { env, service })
    }

    /// The type of a method.
    ///
    /// # Errors
    /// [`OfflineError::BadInterface`] when the interface does not name it.
    pub fn method<'a>(&'a self, method: &'a str) -> Result<&'a Function, OfflineError> {
        // An actor class: the service is what the constructor gives.
        let service = match self.service.as_ref() {
            candid::types::TypeInner::Class(_, service) => service,
            _ => &self.service,
        };
        self.env.get_method(service, method).map_err(bad)
    }

    /// Whether the interface says that a method is a query.
    ///
    /// # Errors
    /// As [`Interface::method`].
    pub fn is_query(&self, method: &str) -> Result<bool, OfflineError> {
        let modes = &self.method(method)?.modes;
        Ok(modes.contains(&FuncMode::Query) || modes.contains(&FuncMode::CompositeQuery))
    }
}

fn bad(reason: impl ToString) -> OfflineError {
    OfflineError::BadInterface {
        reason: reason.to_string(),
    }
}

/// Candid bytes of an argument in candid text, by the method's type where it is known.
///
/// # Errors
/// [`OfflineError::BadArgument`].
pub fn encode(
    interface: Option<&Interface>,
    method: &str,
    text: &str,
) -> Result<Vec<u8>, OfflineError> {
    let bad = |reason: String| OfflineError::BadArgument {
        method: method.to_string(),
        reason,
    };
    let arguments = candid_parser::parse_idl_args(text).map_err(|error| bad(error.to_string()))?;
    let bytes = match interface {
        None => arguments.to_bytes(),
        Some(interface) => {
            let types = argument_types(interface.method(method)?);
            if arguments.args.len() > types.len() {
                return Err(bad(format!(
                    "{} values for {} parameters",
                    arguments.args.len(),
                    types.len()
                )));
            }
            arguments
                .annotate_types(true, &interface.env, &types)
                .and_then(|arguments| arguments.to_bytes_with_types(&interface.env, &types))
        }
    };
    bytes.map_err(|error| bad(error.to_string()))
}

/// Values of a reply, by the method's type where it is known.
///
/// # Errors
/// [`OfflineError::BadReply`].
pub fn decode(
    interface: Option<&Interface>,
    method: &str,
    bytes: &[u8],
) -> Result<IDLArgs, OfflineError> {
    let values = match interface {
        None => IDLArgs::from_bytes(bytes),
        Some(interface) => {
            let function = interface.method(method)?;
            IDLArgs::from_bytes_with_types(bytes, &interface.env, &function.rets)
        }
    };
    values.map_err(|error| OfflineError::BadReply {
        method: method.to_string(),
        reason: error.to_string(),
    })
}

fn argument_types(function: &Function) -> Vec<Type> {
    function.args.clone()
}
