"""What an engine is, by a few small questions that load no model and wake none.

A proxy's /health is never asked: LiteLLM's calls every model behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.remote.errors import RemoteBusyError, RemoteRefusedError
from llama_mcp.llama_server.remote.look import EngineKind
from llama_mcp.llama_server.remote.target import RemoteTarget
from llama_mcp.llama_server.remote.wire.http import Answer, RemoteHttp
from llama_mcp.llama_server.remote.wire.refusals import FORBIDDEN, UNAUTHORIZED, Refusal

MODELS, PROPS = "/v1/models", "/props"
# A router loads the model for whoever asks about it, and may end another for that.
NO_LOAD = "autoload=false"
# By what engines call the window in their list of models: vLLM and SGLang, Groq, OpenRouter.
_WINDOW_NAMES = ("max_model_len", "context_window", "context_length", "max_context_length")
# A list of a gateway's models may be long.
_SHOWN_MODELS = 10
# Names and versions are shown and archived; longer ones are none.
_LONGEST_NAME = 300
MOST_MODELS = 5000


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine has told of itself; None where it has not."""

    kind: EngineKind
    model: str | None
    """What is sent as `model`."""
    models: tuple[str, ...]
    window: int | None = None
    total_slots: int | None = None
    build: str | None = None
    model_path: str | None = None
    model_ctx_size: int | None = None
    sees_pictures: bool | None = None
    has_slots: bool = False
    has_metrics: bool = False
    is_loading: bool = False

    @property
    def identity(self) -> tuple[object, ...]:
        """What is another when another engine, build or model answers at the same URL."""
        return self.kind, self.model, self.build, self.model_path


async def find_out(http: RemoteHttp, target: RemoteTarget) -> Facts:
    """Return what the engine is.

    Raises:
        RemoteUnreachableError: it does not answer.
        RemoteRefusedError: it wants another key, has no such model, or is no engine.
        RemoteBusyError: it takes no requests now.
        KeyFileError: its key cannot be read.
    """
    listed = await http.ask("GET", MODELS)
    if not listed.is_success and listed.refusal.is_loading:
        return Facts("llama-server", target.model, (), is_loading=True)
    _check_welcome(http, target, listed)
    entries = _entries(listed.json)
    props = await http.ask("GET", PROPS)
    told = props.json if props.is_success else None
    if member(told, "role") == "router":
        return await _of_router(http, target, told, entries)
    model = target.model or (str(entries[0]["id"]) if entries else None)
    kind: EngineKind = "openai"
    if isinstance(told, dict) and ("default_generation_settings" in told or "total_slots" in told):
        kind = "llama-server"
    elif model is None:
        raise RemoteRefusedError(
            http.base.root, f"{http.base.of(MODELS)} lists no models", _SET_MODEL
        )
    return _facts(kind, model, entries, told)


def refused_for_good(
    http: RemoteHttp, target: RemoteTarget, refusal: Refusal
) -> RemoteRefusedError:
    """Return the error for a refusal that no other request changes: of a key, or a redirect."""
    if refusal.status in (UNAUTHORIZED, FORBIDDEN):
        if target.key_file is None:
            advice = "It wants a key, and no key file is set; only the operator can set one."
        else:
            advice = (
                f"The key in {target.key_file} is not the one that it wants. Only the operator can "
                "set that right; the file is read again with the next call."
            )
        return RemoteRefusedError(http.base.root, refusal.shown, advice)
    return RemoteRefusedError(http.base.root, refusal.shown, _CHECK_URL)


_SET_MODEL = "Only the operator can set the model to ask for, or another URL."
_CHECK_URL = "Whether the URL is right, only the operator can tell."


def _check_welcome(http: RemoteHttp, target: RemoteTarget, answer: Answer) -> None:
    """Raise what is wrong with the answer to the first question; not having the list is not."""
    if answer.is_success:
        if answer.json is None:
            problem = f"{http.base.of(MODELS)} gives no JSON"
            raise RemoteRefusedError(http.base.root, problem, _CHECK_URL)
        return
    refusal = answer.refusal
    if refusal.is_busy:
        raise RemoteBusyError(http.base.root, refusal.shown, refusal.retry_after_seconds)
    is_absent = refusal.status in (404, 405, 501)
    if not is_absent or target.model is None:
        raise refused_for_good(http, target, refusal)


async def _of_router(
    http: RemoteHttp, target: RemoteTarget, told: Any, entries: list[dict[str, Any]]
) -> Facts:
    model = target.model or (str(entries[0]["id"]) if entries else None)
    if model is None:
        raise RemoteRefusedError(http.base.root, "its router has no models", _SET_MODEL)
    known = {str(entry["id"]) for entry in entries} | {
        str(alias) for entry in entries for alias in _list(entry.get("aliases"))
    }
    if entries and model not in known:
        there = ", ".join(sorted(known)[:_SHOWN_MODELS])
        problem = f"its router has no model {model}; it has {there}"
        raise RemoteRefusedError(http.base.root, problem, _SET_MODEL)
    own = await http.ask("GET", props_of(model, may_load=False))
    facts = _facts("router", model, entries, own.json if own.is_success else {})
    if own.is_success:
        return facts
    build = member(told, "build_info")
    return Facts("router", model, facts.models, build=_text(build), is_loading=True)


def props_of(model: str, *, may_load: bool) -> str:
    """Return where a router gives what it knows of one model; that loads it, where it may."""
    path = f"{PROPS}?{query_of(model)}"
    return path if may_load else f"{path}&{NO_LOAD}"


def query_of(model: str) -> str:
    """Return how a router is told in a URL which model is meant."""
    return f"model={quote(model, safe='')}"


def _facts(kind: EngineKind, model: str | None, entries: list[dict[str, Any]], props: Any) -> Facts:
    mine = next((entry for entry in entries if entry["id"] == model), None)
    entry = mine or (entries[0] if len(entries) == 1 else {})
    meta = member(entry, "meta")
    settings = member(props, "default_generation_settings")
    vision = member(member(props, "modalities"), "vision")
    has = kind != "openai"
    return Facts(
        kind,
        model,
        tuple(str(each["id"]) for each in entries),
        window=count_or_none(member(settings, "n_ctx")) or _window(entry, meta),
        total_slots=count_or_none(member(props, "total_slots")) or None,
        build=_text(member(props, "build_info")),
        model_path=_text(member(props, "model_path")),
        model_ctx_size=count_or_none(member(meta, "n_ctx_train")) or None,
        sees_pictures=vision if isinstance(vision, bool) else None,
        has_slots=has and member(props, "endpoint_slots") is not False,
        has_metrics=has and member(props, "endpoint_metrics") is not False,
    )


def _window(entry: Mapping[str, Any], meta: Any) -> int | None:
    told = [member(meta, "n_ctx"), *(entry.get(name) for name in _WINDOW_NAMES)]
    return next((count for value in told if (count := count_or_none(value))), None)


def _entries(answer: Any) -> list[dict[str, Any]]:
    listed = answer if isinstance(answer, list) else member(answer, "data")
    entries = (entry for entry in _list(listed) if _text(member(entry, "id")))
    return list(islice(entries, MOST_MODELS))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    is_right = isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_NAME
    return value if is_right and value else None
