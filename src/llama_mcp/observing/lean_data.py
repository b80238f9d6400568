"""Records as JSON data for programs: without what is null or empty, all of it valid Unicode."""

from typing import Any

from pydantic import BaseModel

from llama_mcp.sessions.texts import clean_text

# The model's or the caller's own data, in which null and empty mean something.
VERBATIM = frozenset({"parsed", "sampling"})


def structure_of(content: BaseModel) -> dict[str, Any]:
    """Return the model as JSON data without what is null or empty, all of it valid Unicode."""
    pruned = _pruned(content.model_dump(mode="json"))
    return pruned if isinstance(pruned, dict) else {}


def _pruned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    if isinstance(value, dict):
        pairs = (
            (name, _cleaned(item) if name in VERBATIM else _pruned(item))
            for name, item in value.items()
        )
        return {name: item for name, item in pairs if item is not None and item not in ([], {})}
    return value


def _cleaned(value: Any) -> Any:
    """Return data that is not ours as it is, but for lone surrogates."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _cleaned(item) for name, item in value.items()}
    return value
