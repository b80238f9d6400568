"""Status and settings of an engine that somebody else runs, asked of it now."""

from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.slots import count_slots, slots_in
from llama_mcp.llama_server.elsewhere import telling
from llama_mcp.llama_server.status import ServerConfig, ServerLog, ServerStatus, SlotCount
from llama_mcp.reading_settings import findings_in
from llama_mcp.settings import LlamaServerSettings

if TYPE_CHECKING:
    from llama_mcp.llama_server.remote.engine import RemoteEngine
    from llama_mcp.llama_server.remote.look import RemoteLook

# A status is asked for when something may be wrong.
STATUS_AGE_SECONDS = 1.0
_A_WORD = ({"role": "user", "content": "Hello"},)
_asked_to_count: "WeakSet[RemoteEngine]" = WeakSet()


async def status_elsewhere(engine: "RemoteEngine") -> ServerStatus:
    """Return the status of an engine.

    One that is no llama-server is asked once to count a word: short prompts are not counted, so
    that nobody might know yet whether it can.
    """
    look = await engine.look(max_age_seconds=STATUS_AGE_SECONDS)
    if look.problem is None and look.kind == "openai" and engine not in _asked_to_count:
        _asked_to_count.add(engine)
        with suppress(LlamaMCPError):
            await (await engine.ready_server()).count_tokens(_A_WORD)
        look = engine.last_look()
    return telling.status_of(look, _name(engine, look), await _count(engine, look))


async def config_elsewhere(engine: "RemoteEngine", settings: LlamaServerSettings) -> ServerConfig:
    """Return what counts of an engine's settings, with what is wrong with those of llama-mcp."""
    look = await engine.look()
    return telling.config_of(look, _name(engine, look), findings_in(settings))


async def log_elsewhere(engine: "RemoteEngine") -> ServerLog:
    """Return that its log is not here, and whose it is."""
    look = await engine.look()
    return telling.log_of(look.url, _name(engine, look))


def _name(engine: "RemoteEngine", look: "RemoteLook") -> str:
    """Return what its model is called here; empty as long as nobody knows it."""
    return engine.shown_model if engine.target.name or look.model else ""


async def _count(engine: "RemoteEngine", look: "RemoteLook") -> SlotCount | None:
    if look.problem is not None or not look.has_slots:
        return None
    return count_slots(slots_in(await engine.slots()))
