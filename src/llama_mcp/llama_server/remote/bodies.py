"""A chat request as an engine takes it: llama-server all of it, others what they know.

What only llama-server has and nobody has asked for is not sent to others. What a caller has asked
for is, and left out from then on when an engine says that it does not know it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llama_mcp.llama_server.remote.look import EngineKind

# Of ours, for figures and for going on: nobody misses them where they are not known.
_LLAMA_SERVERS_OWN = frozenset(
    {
        *("return_progress", "cache_prompt", "timings_per_token", "id_slot", "grammar"),
        *("continue_final_message", "add_generation_prompt"),
    }
)
# Without these there is no request.
_NEEDED = frozenset({"model", "messages", "stream"})
# What leaving a field out means to the caller, by whose words it is known; others tell nothing.
_CALLERS_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "stop": "stop",
    "max_tokens": "max_tokens",
    "response_format": "json_schema",
    "chat_template_kwargs": "thinking",
}
# OpenAI's newer name, which its newer models insist on.
_NEW_MAX_TOKENS = "max_completion_tokens"


def body_for(
    kind: EngineKind,
    model: str | None,
    body: Mapping[str, Any],
    unknown: Iterable[str],
    session_key: str | None,
) -> dict[str, Any]:
    """Return the request for one engine.

    Args:
        kind: what it is.
        model: what it is asked for.
        body: as for llama-server.
        unknown: the fields that it has refused; max_tokens among them is sent by its newer name.
        session_key: by which a balancer knows what belongs together.
    """
    shaped = {"model": model, **body} if model is not None else dict(body)
    refused = set(unknown)
    if kind == "openai":
        refused |= _LLAMA_SERVERS_OWN
        if session_key is not None:
            shaped["user"] = session_key
        shaped = _with_named_schema(shaped)
    if "max_tokens" in shaped and "max_tokens" in refused and _NEW_MAX_TOKENS not in refused:
        shaped[_NEW_MAX_TOKENS] = shaped["max_tokens"]
    return {name: value for name, value in shaped.items() if name not in refused}


def can_be_left_out(body: Mapping[str, Any]) -> list[str]:
    """Return the fields of a request without which it still is one."""
    return [name for name in body if name not in _NEEDED]


def left_out_note(fields: Iterable[str]) -> str | None:
    """Return what a caller should know of fields that an engine does not take."""
    told = [_CALLERS_NAMES[name] for name in fields if name in _CALLERS_NAMES]
    if not told:
        return None
    verb = "was" if len(told) == 1 else "were"
    return f"The engine does not know {', '.join(told)}, which {verb} left out."


def callers_fields(body: Mapping[str, Any]) -> list[str]:
    """Return what the caller has set in a request, by the caller's names."""
    return [_CALLERS_NAMES[name] for name in body if name in _CALLERS_NAMES]


def _with_named_schema(body: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's form of a schema has a name, which llama-server does not ask for."""
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return body
    named = {"name": "reply", **form["json_schema"]}
    return {**body, "response_format": {**form, "json_schema": named}}
