"""Which further llama-server flags a caller may pass: known ones that open nothing."""

import json
import re
from collections.abc import Sequence

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.llama_server.engine.capabilities import Capabilities, Flag, long_name
from llama_mcp.wording import shortened

RPC = "--rpc"
# Flags that have a parameter of their own, or that we must set ourselves to keep our promises.
OURS = {
    "--model": "use model_path",
    "--model-url": "use model_path",
    "--hf-repo": "use model_path",
    "--hf-file": "use model_path",
    "--docker-repo": "use model_path",
    "--host": "llama-server listens on this machine only",
    "--port": "use port",
    "--reuse-port": "two servers on one port cannot be told apart",
    "--ctx-size": "use ctx_size",
    "--parallel": "use parallel",
    "--kv-unified": "one conversation could end another",
    "--kv-unified-per-slot": "use ctx_size",
    "--n-gpu-layers": "use n_gpu_layers",
    "--alias": "the model's name proves which server answers",
    "--metrics": "it is always on",
    "--slots": "it is always on",
    "--cors-origins": "other web origins are refused",
    "--cors-credentials": "other web origins are refused",
    "--log-file": "llama-mcp reads the log",
    "--log-disable": "llama-mcp reads the log",
    "--api-prefix": "our own requests would miss it",
    "--help": "it starts no server",
    "--version": "it starts no server",
    "--list-devices": "it starts no server",
    "--cache-list": "it starts no server",
    "--completion-bash": "it starts no server",
}
# Flags that give the machine, its files or its network to anyone who can reach llama-server.
DANGEROUS = (
    *("--tools", "--agent", "--mcp-servers-config", "--ui-mcp-proxy", "--webui-mcp-proxy"),
    *("--path", "--media-path", "--api-key", "--api-key-file", "--ssl-key-file"),
    *("--ssl-cert-file", "--models-dir", "--models-preset", "--slot-save-path", "--props"),
)
# How many flags an error proposes for one that is not known, and what it repeats of an argument.
PROPOSED = 3
SHOWN = 200
_A_FLAG = re.compile(r"--[A-Za-z][\w-]*")
_USE = "use "


def check_extra_args(
    extra_args: Sequence[str], capabilities: Capabilities, rpc_servers: Sequence[str]
) -> None:
    """Raise InvalidArgumentError for the first argument that may not be passed.

    Args:
        extra_args: flags and values, each an item.
        capabilities: what the executable knows.
        rpc_servers: addresses (host:port) that the operator allows --rpc to name.
    """
    position = 0
    while position < len(extra_args):
        given = extra_args[position]
        flag = capabilities.find(given)
        if flag is None:
            raise _not_a_flag(given, extra_args[:position], capabilities)
        values = extra_args[position + 1 : position + 1 + flag.value_count]
        _check_flag(given, flag, values)
        if len(values) < flag.value_count:
            raise _refused(
                given,
                f"needs a value ({flag.value})",
                f"Put the value behind it, as an item of its own: {_as_items(given, flag.value)}.",
            )
        for value in values:
            _check_value(given, value, capabilities)
        if RPC in flag.names:
            _check_rpc(extra_args[position + 1], rpc_servers)
        position += 1 + flag.value_count


def _not_a_flag(
    given: str, before: Sequence[str], capabilities: Capabilities
) -> InvalidArgumentError:
    """Say what the writer of an item that is no flag may have meant."""
    what = "is not a flag of this llama-server"
    name, gap, value = _parted(given)
    flag = capabilities.find(name)
    if gap and flag is not None:
        _check_flag(name, flag, [value])
        return _refused(
            given, f"{what}: a flag and its value are two items", f"Pass {_as_items(name, value)}."
        )
    if not given.startswith("-"):
        advice = "Leave it out, or put its flag before it."
        if before and before[-1] in capabilities:
            advice = f"Leave it out: {before[-1]} takes no value."
        return _refused(given, what, advice)
    if hint := capabilities.removed.get(long_name(name)):
        return _refused(given, f"{what} any more", f"It says: {hint}. Correct it, or leave it out.")
    alike = capabilities.nearest(long_name(name), PROPOSED)
    proposed = ", ".join(_described(other, capabilities.flags[other]) for other in alike)
    if proposed:
        return _refused(given, what, f"It has: {proposed}. Correct it, or leave it out.")
    return _refused(given, f"{what}, nor is one like it", "Leave it out.")


def _parted(argument: str) -> tuple[str, str, str]:
    """Return a flag, what parts it from its value in the same item, and the value."""
    name = re.split(r"[\s=]", argument, maxsplit=1)[0]
    value = argument[len(name) :].lstrip("= \t\n").rstrip()
    return name, argument[len(name) : len(argument) - len(value)], value


def _described(name: str, flag: Flag) -> str:
    reason = next(filter(None, map(OURS.get, flag.names)), None)
    return f"{name} ({reason})" if reason else f"{name} {flag.value}".rstrip()


def _as_items(*items: str) -> str:
    return json.dumps(items, ensure_ascii=False)


def _check_value(flag: str, value: str, capabilities: Capabilities) -> None:
    # If the number of values were wrong, a flag among them would pass unchecked.
    if capabilities.find(value) or _A_FLAG.fullmatch(value):
        raise _refused(
            flag,
            f"is followed by another flag ({value}) where its value belongs",
            f"Put its value ({capabilities.flags[long_name(flag)].value}) directly behind it.",
        )
    if "\0" in value:
        raise _refused(
            flag,
            "is followed by a value with a NUL, which no command line can hold",
            "Leave the NUL out.",
        )


def _check_flag(given: str, flag: Flag, values: Sequence[str]) -> None:
    for name in flag.names:
        if reason := OURS.get(name):
            raise _refused(given, f"cannot be passed ({reason})", _instead(reason, values))
        if name in DANGEROUS:
            raise _refused(
                given,
                "is refused, since it opens the machine to others",
                "Leave it out; llama-mcp never passes it on.",
            )


def _instead(reason: str, values: Sequence[str]) -> str:
    if not reason.startswith(_USE):
        return "Leave it out."
    parameter = reason.removeprefix(_USE)
    value = f"={values[0][:SHOWN]}" if values and values[0] else ""
    return f"Leave it out of extra_args, and pass {parameter}{value}."


def _check_rpc(addresses: str, allowed: Sequence[str]) -> None:
    # All that goes to an RPC server, prompts included, is sent in clear.
    for address in addresses.split(","):
        if address.strip() not in allowed:
            others = f", or take one that is allowed: {', '.join(allowed)}" if allowed else ""
            raise _refused(
                f"{RPC} {address.strip()}",
                "is refused: the operator has not allowed that address in LLAMA_MCP_RPC_SERVERS",
                f"Leave it out{others}; only the operator can allow another.",
            )


def _refused(argument: str, problem: str, advice: str) -> InvalidArgumentError:
    shown = repr(shortened(argument, SHOWN))
    return InvalidArgumentError("extra_args", f"holds {shown}, which {problem}", advice)
