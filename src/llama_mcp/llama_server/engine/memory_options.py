"""What of a command line changes how much memory llama-server takes, and of which kind; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llama_mcp.llama_server.engine.capabilities import Capabilities, Flag, long_name
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import Device, is_nvidia
from llama_mcp.models.fitting import ALL_LAYERS
from llama_mcp.models.needs import F16_BYTES, UBATCH_SIZE, StartOptions

# Bytes of 32 numbers in each type that a cache can have, over 32 (ggml.c, type_traits).
_TYPE_BYTES = {
    "f32": 4.0,
    "f16": F16_BYTES,
    "bf16": F16_BYTES,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}
_OFF = ("off", "disabled", "false", "0")
_BATCH_SIZE = 2048
# With these a part of the model is where they say, and not on a GPU for its layers' sake.
_PLACING = ("--override-tensor", "--cpu-moe", "--n-cpu-moe", "--no-kv-offload", "--tensor-split")
_VECTORS = ("--embedding", "--reranking")

Values = dict[str, str]


def given_values(arguments: Sequence[str], capabilities: Capabilities) -> Values:
    """Return the value of each flag, by all its names; "" for a switch, the last where several."""
    return dict(_each_value(arguments, capabilities))


def start_options(config: LaunchConfig, values: Values, capabilities: Capabilities) -> StartOptions:
    """Return what of a start changes how much memory it takes.

    Args:
        config: the start.
        values: of all flags that it passes beside those of its own parameters.
        capabilities: what the engine knows; older builds have other defaults.
    """
    layers = config.n_gpu_layers
    return StartOptions(
        ctx_size=config.ctx_size,
        parallel=config.parallel,
        n_gpu_layers=ALL_LAYERS if layers is not None and layers < 0 else layers,
        ubatch_size=_ubatch_size(values),
        key_bytes=_TYPE_BYTES.get(values.get("--cache-type-k", ""), F16_BYTES),
        value_bytes=_TYPE_BYTES.get(values.get("--cache-type-v", ""), F16_BYTES),
        flash_attention=_has_flash_attention(values, capabilities),
        has_full_windows="--swa-full" in values,
        is_unified="--kv-unified" in values,
        makes_vectors=any(name in values for name in _VECTORS),
    )


def used_devices(devices: Sequence[Device], values: Values) -> tuple[Device, ...]:
    """Return the GPUs that llama-server puts layers on, of those that the engine lists.

    Those whose memory is RAM are left alone where there is another (llama.cpp,
    llama_prepare_model_devices), unless they are named.
    """
    if named := values.get("--device"):
        wanted = named.split(",")
        return tuple(device for device in devices if device.name in wanted)
    cards = tuple(device for device in devices if not device.is_unified)
    used = cards or tuple(devices[:1])
    if values.get("--split-mode") == "none":
        return used[_number(values.get("--main-gpu"), 0) :][:1]
    return used


def placed_on(options: StartOptions, devices: Sequence[Device]) -> StartOptions:
    """Return the options of a start that uses these GPUs."""
    is_used = options.n_gpu_layers != 0
    return replace(options, uses_cuda=is_used and any(map(is_nvidia, devices)))


def is_placed_by_hand(values: Values) -> bool:
    """Tell whether what is on a GPU is decided otherwise than by the number of layers."""
    return any(name in values for name in _PLACING)


def _each_value(arguments: Sequence[str], capabilities: Capabilities) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(arguments):
        flag: Flag | None = capabilities.find(arguments[position])
        count = flag.value_count if flag else 0
        value = arguments[position + 1] if count and position + 1 < len(arguments) else ""
        if flag is not None:
            is_off = _switches_off(long_name(arguments[position]), flag)
            yield from ((name, value) for name in flag.names if _switches_off(name, flag) == is_off)
        position += 1 + count


def _switches_off(name: str, flag: Flag) -> bool:
    """Tell whether a name switches off what another name of the same flag switches on."""
    bare = name.lstrip("-")
    others = {other.lstrip("-") for other in flag.names}
    return any(bare in (f"n{other}", f"no-{other}") for other in others)


def _ubatch_size(values: Values) -> int | None:
    if "--ubatch-size" not in values and "--batch-size" not in values:
        return None
    # A step is never larger than what is taken in at once (llama-context.cpp).
    size = _number(values.get("--ubatch-size"), UBATCH_SIZE)
    return min(size, _number(values.get("--batch-size"), _BATCH_SIZE))


def _has_flash_attention(values: Values, capabilities: Capabilities) -> bool:
    name = "--flash-attn"
    flag = capabilities.find(name)
    if flag is None or not flag.value:  # builds of 2025 and before: a switch, off by default
        return name in values
    return values.get(name, "") not in _OFF


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) else default
