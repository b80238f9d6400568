"""The catalogue of tools made small: an agent pays for all of it in every conversation.

What is left out is what a reader can do without; what is left is true.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from mcp.types import Tool

# A property's name says what its title says.
_NEEDLESS_IN_INPUT = frozenset({"title"})
# What comes back explains itself; its descriptions are for readers of our code.
_NEEDLESS_IN_OUTPUT = frozenset({"title", "description", "default", "minimum", "maximum"})
# A definition's description is for readers of our code, too.
_NEEDLESS_INSIDE = {"$defs": {"description"}}
# What a schema says by saying nothing: leaving out is the same as passing null, "", false or
# anything. And bounds that nobody passes unknowingly: no less than none, or one; not more than
# 32 bits hold. Who does passes them is told (ranges.py).
_IDLE = (
    ("default", None),
    ("default", ""),
    ("default", False),
    ("additionalProperties", True),
    ("minimum", 0),
    ("minimum", 1),
    ("exclusiveMinimum", 0),
    ("minLength", 1),
)
_LARGEST_TOLD = 2**20

Schema = dict[str, Any]

# Claude Code shows its model only the names of most tools (`_meta` of a tool, 2026-11): those with
# the mark whole and at once, the others when it searches by words, their hints among them. What an
# agent cannot do without: to ask, to get the rest, and to choose the model or its settings.
_SHOWN_AT_ONCE = frozenset({"chat", "wait_for_reply", "start_llama_server"})
# What somebody may look for, besides the words of the name and the description.
_SEARCH_HINTS = {
    "stop_llama_server": "unload the local LLM, free RAM and VRAM",
    "status": "is the local LLM running, loading, crashed",
    "get_config": "model, context size, GPU layers of the local LLM",
    "cancel_reply": "abort the local LLM",
    "run_on_files": "summarize, extract from files with a local LLM",
    "list_sessions": "search past local LLM chats",
    "read_session": "transcript, history of a local LLM chat",
    "update_session": "rename a local LLM chat",
    "fork_session": "branch, copy a local LLM chat",
    "delete_session": "remove a local LLM chat",
    "list_models": "which local LLMs, GGUF files are there",
    "download_model": "get a GGUF from Hugging Face, pull an LLM",
    "rank_texts": "semantic search in files, embeddings, rerank",
    "server_metrics": "why the local LLM is slow, tokens per second",
    "server_log": "llama.cpp output, why the local LLM crashed",
    "open_dashboard": "show the user a live view of the local LLM",
}


def compact_catalogue(tools: Iterable[Tool]) -> list[Tool]:
    """Return the tools with compact descriptions and schemas.

    A result that several tools give is spelled out by the first of them; the others name it, in
    the title.
    """
    known: list[Schema] = []
    compact = []
    for tool in tools:
        output = tool.output_schema and compact_output_schema(tool.output_schema)
        if output in known:
            output = {name: output[name] for name in ("title", "type")}
        elif output:
            known.append(output)
        changes = {
            "description": tool.description and one_line_a_paragraph(tool.description),
            "input_schema": compact_input_schema(tool.input_schema),
            "output_schema": output,
            "meta": {**_how_shown(tool.name), **(tool.meta or {})} or None,
        }
        compact.append(tool.model_copy(update=changes))
    return compact


def _how_shown(name: str) -> dict[str, Any]:
    if name in _SHOWN_AT_ONCE:
        return {"anthropic/alwaysLoad": True}
    hint = _SEARCH_HINTS.get(name)
    return {"anthropic/searchHint": hint} if hint else {}


def docstring_of(method: Callable[..., Any]) -> str | None:
    """Return a method's docstring, from its source where Python has left it out.

    PYTHONOPTIMIZE=2, which some images set for all programs, takes docstrings away.
    """
    if method.__doc__:
        return method.__doc__
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(method))).body[0]
    except (OSError, SyntaxError):
        return None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    return ast.get_docstring(function)


def one_line_a_paragraph(docstring: str) -> str:
    """Return a docstring without its indentation and its line breaks."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def compact_input_schema(schema: Schema) -> Schema:
    """Return a tool's input schema without titles and without null as an alternative.

    Null is left out because nobody has to pass it: an optional parameter is left out.
    """
    return _inlined(_compact(schema, _NEEDLESS_IN_INPUT))


def compact_output_schema(schema: Schema) -> Schema:
    """Return a tool's output schema as one level of names and types, with its title.

    What is null is left out of results too, and what is always there, or one of few words, shows
    itself. Objects inside the result are only said to be objects, and lists to be lists: spelled
    out, they would take half of the catalogue.
    """
    compacted = _inlined(_compact(schema, _NEEDLESS_IN_OUTPUT))
    flat = {name: _flattened(item) for name, item in compacted["properties"].items()}
    whole = {"title": schema["title"], **compacted, "properties": flat}
    return {name: item for name, item in whole.items() if name != "required"}


def _compact(value: Any, needless: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_compact(item, needless) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: _compact_names(item, needless | _NEEDLESS_INSIDE.get(name, set()))
        if name in ("properties", "$defs")
        else _compact(item, needless)
        for name, item in value.items()
        if name not in needless and not _is_idle(name, item)
    }
    return _without_null(kept)


def _is_idle(name: str, item: Any) -> bool:
    # Not a mere ==: 0 is False to Python, and 1 True.
    is_known = any((name, item) == idle and type(item) is type(idle[1]) for idle in _IDLE)
    is_number = isinstance(item, int | float)
    return is_known or (name == "maximum" and is_number and item > _LARGEST_TOLD)


def _compact_names(named: Schema, needless: frozenset[str]) -> Schema:
    """Compact the values of a map whose keys are names of properties, not of keywords."""
    return {name: _compact(item, needless) for name, item in named.items()}


def _without_null(schema: Schema) -> Schema:
    alternatives = schema.get("anyOf", [])
    left = [item for item in alternatives if item != {"type": "null"}]
    if len(left) != 1:
        return schema
    return {**left[0], **{name: item for name, item in schema.items() if name != "anyOf"}}


def _inlined(schema: Schema) -> Schema:
    """Return the schema with each definition at the place that refers to it; none has two.

    One with an anchor stays as it is: it may be referred to from elsewhere, by that name.
    """
    definitions = schema.get("$defs", {})
    if any("$anchor" in definition for definition in definitions.values()):
        return schema

    def inlined(value: Any) -> Any:
        if isinstance(value, list):
            return [inlined(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inlined(definitions[value["$ref"].rpartition("/")[2]])
        return {name: inlined(item) for name, item in value.items() if name != "$defs"}

    whole: Schema = inlined(schema)
    return whole


def _flattened(schema: Schema) -> Schema:
    return {"type": schema["type"]} if "type" in schema else schema
