"""What is told of an engine that somebody else runs: its status, settings and log; pure."""

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.llama_server.status import (
    EngineInfo,
    RemoteFacts,
    ServerConfig,
    ServerLog,
    ServerState,
    ServerStatus,
    SlotCount,
)

REMOTE = "remote"
_KINDS = {
    "llama-server": "a llama-server",
    "router": "llama-server's router",
    "openai": "an OpenAI-compatible server",
    None: "an engine",
}


def status_of(look: RemoteLook, name: str, slots: SlotCount | None) -> ServerStatus:
    """Return the status of an engine.

    Args:
        look: what it has told of itself.
        name: what its model is called here.
        slots: its slots and how many generate; None where it does not tell.
    """
    is_estimate = look.counting == "estimate"
    return ServerStatus(
        state=state_of(look),
        message=_sentence(look, name),
        model=name or None,
        url=look.url,
        engine=EngineInfo(kind=REMOTE, version=look.build or "unknown"),
        remote=RemoteFacts(
            server=look.kind,
            ctx_size=look.ctx_size,
            ctx_size_source=look.ctx_size_source,
            parallel=look.total_slots,
            parallel_source=look.total_slots_source,
            token_counts="estimate" if is_estimate else "exact",
            missing=missing_of(look),
        ),
        slots=slots,
        notes=list(notes_on(look)) or None,
    )


def state_of(look: RemoteLook) -> ServerState:
    """Return the state that fits: ready when it answers and can be used."""
    if look.problem is not None:
        return ServerState.UNRESPONSIVE
    return ServerState.STARTING if look.is_loading else ServerState.READY


def config_of(look: RemoteLook, name: str, notes: Sequence[str]) -> ServerConfig:
    """Return what counts of an engine's settings, and what is wrong with ours."""
    return ServerConfig(
        model_path=None,
        ctx_size=look.ctx_size,
        parallel=look.total_slots,
        port=urlsplit(look.url).port or 0,
        running=look.problem is None,
        url=look.url,
        url_model=look.model or name or None,
        notes=(*notes, *notes_on(look)),
    )


def log_of(look_url: str, name: str) -> ServerLog:
    """Return that its log is not here."""
    whose = f"{name} is served at {look_url}" if name else f"The engine is at {look_url}"
    return ServerLog(note=f"There is no log here: {whose}, and who runs it has its log.")


def missing_of(look: RemoteLook) -> list[str]:
    """Return what an engine does not tell, by the names of figures and parts of a status."""
    told = {
        "slots": look.has_slots,
        "metrics": look.has_metrics,
        # None until a reply has come.
        "timings": look.has_timings is not False,
        "ctx_size": look.ctx_size_source == "told",
        "token_counts": look.counting != "estimate",
    }
    if look.kind is None:
        return []
    return [*(name for name, is_told in told.items() if not is_told), "log", "memory"]


def notes_on(look: RemoteLook) -> Iterator[str]:
    """Give what a person should know of an engine: where texts go, and what is guessed."""
    if look.kind is not None and look.guesses:
        yield look.guesses
    yield from notes_on_url(look.url)


def notes_on_url(url: str) -> Iterator[str]:
    """Give what a person should know of an address: whether texts leave this machine, and how."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host):
        return
    yield f"Messages and files that are sent to it leave this machine, for {host}."
    if parts.scheme == "http":
        yield (
            f"They go to {host} unencrypted (http), and so does a key: whoever is on the way can "
            "read them. Take https, or a tunnel such as SSH or WireGuard."
        )


def is_this_machine(host: str) -> bool:
    """Tell whether a host is certainly this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sentence(look: RemoteLook, name: str) -> str:
    kind = _KINDS[look.kind]
    if look.problem is not None:
        return look.problem.situation
    at_once = look.total_slots
    each = f"each of {at_once} conversations at once" if at_once > 1 else "one conversation"
    guess = {"told": "", "setting": ", as the operator says", "guess": ", which is a guess"}
    window = f"{look.ctx_size} tokens for {each}{guess[look.ctx_size_source]}"
    if look.is_loading:
        return (
            f"{kind[0].upper()}{kind[1:]} at {look.url} that somebody else runs has {name} to load."
        )
    served = f"{name} is served" if name else "A model is served"
    return f"{served} at {look.url} by {kind} that somebody else runs ({window})."
