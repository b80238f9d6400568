"""What a llama-server, or a router's model, tells of its slots and in figures; others tell none."""

from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.finding_out import NO_LOAD, query_of
from llama_mcp.llama_server.remote.wire.http import Answer


async def slots_of(access: Access) -> object | None:
    """Return the JSON of /slots; None where there is none.

    Raises:
        LlamaMCPError: the engine does not answer.
    """
    if access.facts is None or not access.facts.has_slots:
        return None
    answer = await _ask(access, "/slots")
    slots: object | None = answer.json if answer.is_success else None
    return slots


async def metrics_of(access: Access) -> str | None:
    """Return the text of /metrics; None where there is none; raises as slots_of."""
    if access.facts is None or not access.facts.has_metrics:
        return None
    answer = await _ask(access, "/metrics")
    return answer.content.decode("utf-8", "replace") if answer.is_success else None


async def _ask(access: Access, path: str) -> Answer:
    facts = access.facts
    if facts is not None and facts.kind == "router" and facts.model is not None:
        path = f"{path}?{query_of(facts.model)}&{NO_LOAD}"
    return await access.http.ask("GET", path)
