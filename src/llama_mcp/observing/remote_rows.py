"""Models of engines that somebody else runs, as rows of the list; pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llama_mcp.llama_server.elsewhere.engines import names_of
from llama_mcp.observing.model_list import ModelDetails, ModelRow

if TYPE_CHECKING:
    from llama_mcp.llama_server.remote.engine import RemoteEngine
    from llama_mcp.llama_server.remote.look import RemoteLook


def remote_rows(engine: "RemoteEngine", look: "RemoteLook") -> Iterator[ModelRow]:
    """Give the rows of an engine: an entry has one, LLAMA_MCP_URL one for each model it lists."""
    for name in names_of(engine, look):
        yield _row(name, look, is_asked_for=name == engine.shown_model)


def remote_details(row: ModelRow, look: "RemoteLook") -> ModelDetails:
    """Return a row with where its engine is."""
    return ModelDetails(**row.model_dump(), url=look.url)


def _row(name: str, look: "RemoteLook", *, is_asked_for: bool) -> ModelRow:
    """Return a row; what an engine tells is of the model that is asked for."""
    is_known = is_asked_for and look.problem is None
    return ModelRow(
        model=name,
        size_bytes=0,
        context_length=look.model_ctx_size if is_known else None,
        vision=look.sees_pictures or None if is_known else None,
        source="remote",
        running=True if is_known and not look.is_loading else None,
        problem=look.problem.situation if look.problem else None,
    )
