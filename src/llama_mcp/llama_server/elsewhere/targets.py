"""Which engines the operator has named, and what is taken for granted of them; pure."""

from dataclasses import replace

from llama_mcp.llama_server.remote.target import RemoteTarget
from llama_mcp.models.entries.entry import RemoteModel
from llama_mcp.settings import LlamaServerSettings


def target_of_settings(settings: LlamaServerSettings, model: str | None = None) -> RemoteTarget:
    """Return the engine at LLAMA_MCP_URL, which must be set.

    Args:
        settings: the operator's.
        model: another of its models than the operator's.
    """
    return RemoteTarget(
        url=settings.url or "",
        model=model or settings.url_model,
        key_file=settings.url_key_file,
        ctx_size=_given(settings, "ctx_size"),
        parallel=_given(settings, "parallel"),
    )


def target_of_entry(entry: RemoteModel, settings: LlamaServerSettings) -> RemoteTarget:
    """Return the engine of an entry; what it does not say, the settings do."""
    fallback = target_of_settings(settings)
    return replace(
        fallback,
        url=entry.url,
        name=entry.name,
        model=entry.url_model,
        key_file=entry.key_file,
        ctx_size=entry.ctx_size or fallback.ctx_size,
        parallel=entry.parallel or fallback.parallel,
    )


def _given(settings: LlamaServerSettings, name: str) -> int | None:
    """Return a number that the operator has set; None for a default, which says nothing of them."""
    value: int = getattr(settings, name)
    return value if name in settings.model_fields_set else None
