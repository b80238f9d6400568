"""Which further llama-server flags a caller may pass: known ones that open nothing."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.llama_server.engine.capabilities import Capabilities, Flag
from llama_mcp.paths import check_path, expand_path
from llama_mcp.setting_texts import ON_WINDOWS

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
# How --help marks a value that is a file or a folder.
_FILE_VALUES = ("FNAME", "FILE", "PATH", "DIR")
# How much of an argument an error repeats.
SHOWN = 200


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
        name = _long_name(extra_args[position])
        flag = capabilities.flags.get(name)
        if flag is None:
            raise _refused(extra_args[position], "is not a flag of this llama-server")
        _check_flag(extra_args[position], flag)
        values = extra_args[position + 1 : position + 1 + flag.value_count]
        if len(values) < flag.value_count:
            raise _refused(extra_args[position], f"needs a value ({flag.value})")
        for value in values:
            _check_value(extra_args[position], value, capabilities)
        if RPC in flag.names:
            _check_rpc(extra_args[position + 1], rpc_servers)
        position += 1 + flag.value_count


def check_files_in(
    extra_args: Sequence[str], capabilities: Capabilities, allowed: Sequence[Path]
) -> None:
    """Check every file that a flag of extra_args names, such as a projector or an adapter."""
    for name, value in zip(extra_args, extra_args[1:], strict=False):
        flag = capabilities.flags.get(name.replace("_", "-"))
        if flag and any(word in flag.value for word in _FILE_VALUES):
            for part in value.split(","):
                file = without_scale(part, windows=ON_WINDOWS)
                check_path(expand_path("extra_args", file), "extra_args", allowed)


def without_scale(value: str, *, windows: bool) -> str:
    """Return the file of `FNAME:SCALE`; the colon after a drive letter belongs to the file."""
    path, _, scale = value.rpartition(":")
    is_drive = windows and len(path) == 1
    return path if path and not is_drive and _is_number(scale) else value


def _check_value(flag: str, value: str, capabilities: Capabilities) -> None:
    # If the number of values were wrong, a flag among them would pass unchecked.
    if _long_name(value) in capabilities.flags:
        raise _refused(flag, f"is followed by another flag ({value}) where its value belongs")
    if "\0" in value:
        raise _refused(flag, "is followed by a value with a NUL, which no command line can hold")


def _check_flag(given: str, flag: Flag) -> None:
    for name in flag.names:
        if reason := OURS.get(name):
            raise _refused(given, f"cannot be passed ({reason})")
        if name in DANGEROUS:
            raise _refused(given, "is refused, since it opens the machine to others")


def _check_rpc(addresses: str, allowed: Sequence[str]) -> None:
    # All that goes to an RPC server, prompts included, is sent in clear.
    for address in addresses.split(","):
        if address.strip() not in allowed:
            raise _refused(
                f"{RPC} {address.strip()}",
                "is refused: the operator has not allowed that address in LLAMA_MCP_RPC_SERVERS",
            )


def _long_name(argument: str) -> str:
    # llama.cpp takes --foo_bar for --foo-bar (common/arg.cpp).
    return argument.replace("_", "-") if argument.startswith("--") else argument


def _refused(argument: str, problem: str) -> InvalidArgumentError:
    shown = argument if len(argument) <= SHOWN else argument[:SHOWN] + "…"
    return InvalidArgumentError(
        "extra_args",
        f"holds {shown!r}, which {problem}",
        "Pass flags as llama-server --help lists them, each flag and value an item of its own.",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
