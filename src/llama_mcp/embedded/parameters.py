"""From a flag's value to xllamacpp's CommonParams.

The parameters are handled without importing xllamacpp, so that the table of flags stays light;
an enum is found through the value that an attribute already has.
"""

import os
from collections.abc import Callable
from enum import Enum
from typing import Any

from llama_mcp.embedded.values import DEVICES

Put = Callable[[Any, Any], None]

DEFAULT_PORT = 8080
AUTOMATIC_SLOTS = -1
LOUDEST = 2**31 - 1
MIB = 2**20
NO_FIT = -1  # UINT32_MAX in llama.cpp: the context is not to be made smaller


def put_attribute(params: Any, path: str, value: Any) -> None:
    """Set `params.a.b` for "a.b"; a word becomes the member of the enum that is there now."""
    *owners, name = path.split(".")
    for owner in owners:
        params = getattr(params, owner)
    current = getattr(params, name)
    value = value_as_text(value) if isinstance(value, str) else value
    setattr(params, name, type(current)[value] if isinstance(current, Enum) else value)


def value_as_text(value: str) -> str:
    """Return a name that is UTF-8 for a file whose own name is not: xllamacpp takes no bytes.

    The file stays open for as long as the process lives.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        if os.path.isfile(value):
            return f"/dev/fd/{os.open(value, os.O_RDONLY)}"
        return os.fsencode(value).decode("utf-8", "replace")
    return value


def all_of(*paths: str) -> Put:
    """Put the value in several places."""

    def put(params: Any, value: Any) -> None:
        for path in paths:
            put_attribute(params, path, value)

    return put


def opposite_of(path: str) -> Put:
    """Put the opposite of a switch."""
    return lambda params, value: put_attribute(params, path, not value)


def sampling(name: str, config: str) -> Put:
    """Put a default for sampling that what the model file recommends must not replace."""

    def put(params: Any, value: Any) -> None:
        setattr(params.sampling, name, value)
        params.sampling.user_sampling_config |= _sampling_config(config)

    return put


def _sampling_config(config: str) -> int:
    from xllamacpp import common_params_sampling_config as bits

    return int(bits[f"COMMON_PARAMS_SAMPLING_CONFIG_{config}"].value)


def put_context_size(params: Any, size: int) -> None:
    """An explicit 0 asks for the model's whole context."""
    params.n_ctx = size
    if size == 0:
        params.fit_params_min_ctx = NO_FIT


def put_rope_scale(params: Any, factor: float) -> None:
    """llama.cpp keeps the inverse."""
    params.rope_freq_scale = 1.0 / factor


def put_flash_attention(params: Any, wish: bool | None) -> None:
    """On, off or automatic."""
    state = {True: "ENABLED", False: "DISABLED", None: "AUTO"}[wish]
    put_attribute(params, "flash_attn_type", f"LLAMA_FLASH_ATTN_TYPE_{state}")


def put_fit_margin(params: Any, mebibytes: list[float]) -> None:
    """A margin per device; a single one is for all."""
    margins = [int(value) * MIB for value in mebibytes]
    if len(margins) == 1:
        params.fit_params_target = margins * DEVICES
    else:
        kept = params.fit_params_target[len(margins) :]
        params.fit_params_target = margins + kept


def put_tensor_split(params: Any, shares: list[float]) -> None:
    """A share per device."""
    params.tensor_split = shares + [0.0] * (DEVICES - len(shares))


def put_loras(params: Any, adapters: list[tuple[str, float]]) -> None:
    """LoRA adapters, beside those already there."""
    from xllamacpp import CommonAdapterLoraInfo

    added = []
    for path, scale in adapters:
        adapter = CommonAdapterLoraInfo()
        adapter.path, adapter.scale = path, scale
        added.append(adapter)
    params.lora_adapters = params.lora_adapters + added


def put_everything_in_log(params: Any, _: bool) -> None:
    """The log as loud as it gets."""
    params.verbosity = LOUDEST


def put_colours(_: Any, wish: bool | None) -> None:
    """No colours, if so wished.

    xllamacpp has no parameter for it, but llama.cpp looks at NO_COLOR when it loads.
    """
    if wish is False:
        os.environ["NO_COLOR"] = "1"  # noqa: TID251 - a program of its own; for C code to read


def put_draft_model(params: Any, path: str) -> None:
    """A draft model is there to be used: without a kind of speculation it would sit idle."""
    params.speculative.draft.mparams.path = path
    if [kind.name for kind in params.speculative.types] == [_speculation("none")]:
        put_speculation(params, ["draft-simple"])


def put_speculation(params: Any, kinds: list[str]) -> None:
    """The kinds of speculative decoding to use."""
    members = type(params.speculative.types[0])
    params.speculative.types = [members[_speculation(kind)] for kind in kinds]


def _speculation(kind: str) -> str:
    return "COMMON_SPECULATIVE_TYPE_" + kind.upper().replace("-", "_")


def put_reranking(params: Any, _: bool) -> None:
    """Reranking is an embedding of a special pooling."""
    params.embedding = True
    put_attribute(params, "pooling_type", "LLAMA_POOLING_TYPE_RANK")


def put_api_keys(params: Any, keys: list[str]) -> None:
    """Keys add up."""
    params.api_keys = params.api_keys + keys


def put_origins(params: Any, origins: str) -> None:
    """Origins for CORS, and that they were asked for."""
    params.cors_origins, params.cors_origins_explicit = origins, True


def put_names(attribute: str) -> Put:
    """A set of names."""
    return lambda params, names: setattr(params, attribute, getattr(params, attribute) | set(names))


def put_template_arguments(params: Any, arguments: dict[str, str]) -> None:
    """Arguments for the chat template, beside those already there."""
    params.default_template_kwargs = {**params.default_template_kwargs, **arguments}


def put_reasoning(params: Any, wish: bool | None) -> None:
    """Thinking on, off, or as the template has it; the template hears of it as well."""
    params.enable_reasoning = -1 if wish is None else int(wish)
    if wish is not None:
        put_template_arguments(params, {"enable_thinking": "true" if wish else "false"})


def start_like_llama_server(params: Any) -> None:
    """Give CommonParams the defaults of llama-server's command line where xllamacpp's differ."""
    params.port = DEFAULT_PORT
    params.n_parallel = AUTOMATIC_SLOTS
