#!/bin/sh
# Rescues a canister of a dfx project whose pre_upgrade traps, and whose state is in stable memory.
#
#   scripts/rescue-dfx.sh CANISTER FIXED_WASM BACKUP_DIR [OPTIONS OF `dfx canister install`]
#   scripts/rescue-dfx.sh ledger fixed.wasm backup/ --network ic
#
# It needs `ic-rescue` and `dfx` in the PATH, and the identity of a controller: IC_RESCUE_IDENTITY, or else the
# identity that dfx uses. IC_RESCUE_NETWORK is the network of ic-rescue: ic (the default), local or a URL.
# Interrupted? Run the same command again.

set -eu
if [ $# -lt 3 ]; then
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
canister=$1 fixed=$2 backup=$3
shift 3
[ -f "$fixed" ] || { echo "there is no file $fixed: build the repaired module first" >&2; exit 1; }
IC_RESCUE_IDENTITY=${IC_RESCUE_IDENTITY:-$(dfx identity whoami)}
export IC_RESCUE_IDENTITY

echo "== What it is, and what will be done =="
ic-rescue diagnose "$canister"
ic-rescue plan "$canister"
if [ -t 0 ]; then
    printf 'Go on? [y/N] '
    read -r answer
    [ "$answer" = y ] || exit 1
fi

echo "== Stop it, take a snapshot, swap the downloader in, download everything =="
ic-rescue backup "$canister" --output "$backup" --direct
ic-rescue verify "$backup"

echo "== Install the repaired module: stable memory stays, the heap is built anew =="
# The downloader has no hooks, so nothing is left that could trap before the new module is in.
dfx canister install "$canister" --mode upgrade --wasm "$fixed" --skip-pre-upgrade \
    --wasm-memory-persistence replace --yes "$@" ||
    { echo "not installed; the canister runs the downloader and lost nothing: run this again" >&2; exit 1; }

echo "== Done. Look whether everything is there. The way back, if not: =="
echo "ic-rescue snapshot list $canister"
echo "ic-rescue snapshot restore $canister SNAPSHOT_ID"
