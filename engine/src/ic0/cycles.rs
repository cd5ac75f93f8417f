//! Functions about cycles: balance, cycles of the call, burning.

use super::context::{BURNS, CYCLES_IN, MINTS, NOT_START, REFUNDS};
use super::host::{Host, call, call_with_heap, cycles, cycles_64, cycles_to_heap, toolchain};
use super::{FUNCTION_COST, Pointer};
use crate::error::ExecutionError;
use wasmtime::{Caller, Linker};

/// The canister that may mint cycles.
const CYCLES_MINTING_CANISTER: &str = "rkp4c-7iaaa-aaaaa-aaaca-cai";

impl Host {
    fn balance(&self, function: &str) -> Result<u128, ExecutionError> {
        self.context.require(NOT_START, function)?;
        Ok(self.balance)
    }

    fn liquid_balance(&self, function: &str) -> Result<u128, ExecutionError> {
        self.context.require(NOT_START, function)?;
        let threshold = self.env.freezing_threshold_cycles;
        Ok(self.balance.saturating_sub(threshold))
    }

    fn available(&self, function: &str) -> Result<u128, ExecutionError> {
        self.context.require(CYCLES_IN, function)?;
        let accepted = self.effects.cycles_accepted;
        Ok(self.env.cycles_available.saturating_sub(accepted))
    }

    fn refunded(&self, function: &str) -> Result<u128, ExecutionError> {
        self.context.require(REFUNDS, function)?;
        Ok(self.env.cycles_refunded)
    }

    fn accept_cycles(&mut self, most: u128, function: &str) -> Result<u128, ExecutionError> {
        let amount = self.available(function)?.min(most);
        self.effects.cycles_accepted += amount;
        self.balance = self.balance.saturating_add(amount);
        Ok(amount)
    }

    fn burn(&mut self, most: u128, function: &str) -> Result<u128, ExecutionError> {
        self.context.require(BURNS, function)?;
        let amount = self.liquid_balance(function)?.min(most);
        self.effects.cycles_burned += amount;
        self.balance -= amount;
        Ok(amount)
    }

    fn mint(&self) -> Result<(), ExecutionError> {
        self.context.require(MINTS, "ic0_mint_cycles128")?;
        Err(toolchain(format!(
            "ic0.mint_cycles128 cannot be executed on non Cycles Minting Canister: {} != \
             {CYCLES_MINTING_CANISTER}",
            self.env.canister_id
        )))
    }
}

type Amount = fn(&Host, &str) -> Result<u128, ExecutionError>;

/// Defines a function that writes an amount to the heap.
fn link_amount<P: Pointer>(
    linker: &mut Linker<Host>,
    name: &'static str,
    amount: Amount,
) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", name, move |mut caller: Caller<'_, Host>, dst: P| {
        call_with_heap(&mut caller, FUNCTION_COST, |host, heap| {
            let name = format!("ic0_{name}");
            cycles_to_heap(heap, dst.to_usize(), amount(host, &name)?, &name)
        })
    })?;
    Ok(())
}

/// Defines a function that gives an amount of at most 64 bits.
fn link_amount_64(
    linker: &mut Linker<Host>,
    name: &'static str,
    amount: Amount,
) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", name, move |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            cycles_64(amount(host, &format!("ic0_{name}"))?)
        })
    })?;
    Ok(())
}

/// Defines a function that moves at most an amount and writes how much it moved.
fn link_move<P: Pointer>(
    linker: &mut Linker<Host>,
    name: &'static str,
    act: fn(&mut Host, u128, &str) -> Result<u128, ExecutionError>,
) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        name,
        move |mut caller: Caller<'_, Host>, high: u64, low: u64, dst: P| {
            call_with_heap(&mut caller, FUNCTION_COST, |host, heap| {
                let name = format!("ic0_{name}");
                let amount = act(host, cycles(high, low), &name)?;
                cycles_to_heap(heap, dst.to_usize(), amount, &name)
            })
        },
    )?;
    Ok(())
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    link_amount::<P>(linker, "canister_cycle_balance128", Host::balance)?;
    link_amount::<P>(
        linker,
        "canister_liquid_cycle_balance128",
        Host::liquid_balance,
    )?;
    link_amount::<P>(linker, "msg_cycles_available128", Host::available)?;
    link_amount::<P>(linker, "msg_cycles_refunded128", Host::refunded)?;
    link_move::<P>(linker, "msg_cycles_accept128", Host::accept_cycles)?;
    link_move::<P>(linker, "cycles_burn128", Host::burn)?;
    linker.func_wrap(
        "ic0",
        "mint_cycles128",
        |mut caller: Caller<'_, Host>, _high: u64, _low: u64, _dst: P| {
            call_with_heap(&mut caller, 0, |host, _| host.mint())
        },
    )?;
    if !P::WASM64 {
        link_amount_64(linker, "canister_cycle_balance", Host::balance)?;
        link_amount_64(linker, "msg_cycles_available", Host::available)?;
        link_amount_64(linker, "msg_cycles_refunded", Host::refunded)?;
        linker.func_wrap(
            "ic0",
            "msg_cycles_accept",
            |mut caller: Caller<'_, Host>, most: u64| {
                call(&mut caller, FUNCTION_COST, |host| {
                    cycles_64(host.accept_cycles(most.into(), "ic0_msg_cycles_accept")?)
                })
            },
        )?;
    }
    Ok(())
}
