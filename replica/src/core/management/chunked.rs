//! Puts together the module of `install_chunked_code` from a chunk store.

use ic_management_canister_types::InstallChunkedCodeArgs;

use super::Call;
use super::decode::decode;
use super::install::Installation;
use crate::core::api::ErrorCode;
use crate::core::chunk_store::ChunkHash;
use crate::core::errors::UserError;
use crate::core::limits::CHUNK_BYTES;
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

/// Reads the arguments of `install_chunked_code` and assembles the module.
///
/// # Errors
/// Undecodable arguments, a store canister that is not there or that the caller may not use.
pub fn assemble(
    state: &SubnetState,
    subnet: &SubnetContext,
    call: &Call,
) -> Result<Installation, UserError> {
    let args: InstallChunkedCodeArgs = decode(call.arg())?;
    let expected = <&ChunkHash>::try_from(args.wasm_module_hash.as_slice()).map_err(|_| {
        UserError::setting_out_of_range(format!("Invalid wasm hash {:?}", args.wasm_module_hash))
    })?;
    let target = args.target_canister;
    let store_id = args.store_canister.unwrap_or(target);
    let Some(store) = state.canisters.get(&store_id) else {
        return Err(UserError {
            code: ErrorCode::CanisterNotFound,
            description: format!(
                "InstallChunkedCode Error: Store canister {store_id} was not found on subnet {} of target canister {target}",
                subnet.id
            ),
        });
    };
    let sender = call.sender();
    if store_id != target && sender != store_id && !store.settings.is_controller(&sender) {
        return Err(UserError::not_controller(
            store_id,
            &store.settings.controllers,
            sender,
        ));
    }
    let hashes = args
        .chunk_hashes_list
        .iter()
        .map(|chunk| chunk.hash.as_slice());
    let chunk_count = hashes.len() as u64;
    let module = store.chunk_store.assemble(hashes, expected);
    Ok(Installation {
        mode: args.mode,
        canister: target,
        module,
        assembly_instructions: chunk_count * CHUNK_BYTES as u64,
        arg: args.arg,
        sender_canister_version: args.sender_canister_version,
    })
}
