"""Which RPC workers a start uses; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RPC = "--rpc"
_DEVICE = "--device"
# How llama-server calls the devices of workers.
RPC_DEVICE = "RPC"


@dataclass(frozen=True, slots=True)
class WantedWorkers:
    """The RPC workers of a start.

    Attributes:
        addresses: Each as host:port; none for a start without.
        is_named: The call or the model's entry has named them; else they are those of the setting,
            and the start can do without.
        is_ours: llama-mcp has to pass --rpc; else it stands in extra_args.
        notes: What the caller should know.
    """

    addresses: tuple[str, ...] = ()
    is_named: bool = False
    is_ours: bool = False
    notes: tuple[str, ...] = ()

    @property
    def flags(self) -> list[str]:
        """What llama-server gets for them besides extra_args."""
        return [RPC, ",".join(self.addresses)] if self.addresses and self.is_ours else []


NO_WORKERS = WantedWorkers()


def wanted_workers(
    values: Mapping[str, str],
    of_entry: Sequence[str] | None,
    of_setting: Sequence[str],
    *,
    uses_gpus: bool,
    is_known: bool,
) -> WantedWorkers:
    """Return the workers of a start: those of extra_args, else of the entry, else of the setting.

    Args:
        values: of the flags in extra_args.
        of_entry: what the entry of a named model says; None where it says nothing.
        of_setting: what the operator has set for every start.
        uses_gpus: whether any layer may leave the processor. Workers are GPUs to llama-server.
        is_known: whether the engine knows --rpc.
    """
    if RPC in values:
        return WantedWorkers(addresses_in(values[RPC]), is_named=True)
    addresses = of_setting if of_entry is None else of_entry
    picks_others = _DEVICE in values and RPC_DEVICE not in values[_DEVICE]
    if not addresses or not uses_gpus or picks_others:
        return NO_WORKERS
    if not is_known:
        listed = ", ".join(addresses)
        return WantedWorkers(
            notes=(
                f"The RPC workers {listed} are not used: this engine was built without RPC. A "
                "llama.cpp release (llama_cpp_path) has it.",
            )
        )
    return WantedWorkers(tuple(addresses), is_named=of_entry is not None, is_ours=True)


def addresses_in(value: str) -> tuple[str, ...]:
    """Return the addresses in a value of --rpc."""
    return tuple(filter(None, (address.strip() for address in value.split(","))))


def host_and_port(address: str) -> tuple[str, int]:
    """Return the two parts of an address.

    Raises:
        ValueError: it has not both.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is no host:port")
    return host.strip("[]"), int(port)
