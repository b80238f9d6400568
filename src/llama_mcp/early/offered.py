"""The catalogue with only what the operator offers (LLAMA_MCP_TOOLSETS), as the real server has it.

The text of a tool does not depend on which others there are (tests/surface/tools/test_toolsets.py),
so what is left out is cut away.
"""

from llama_mcp.early.catalogue import Catalogue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOOLSETS = "LLAMA_MCP_TOOLSETS"
_TOOLS = '"tools":['
# Each tool begins with it, as each says how hosts show it.
_BETWEEN_TOOLS = '},{"_meta":'


def offered_of(catalogue: Catalogue, environment: "Mapping[str, str]") -> Catalogue:
    """Return the catalogue without the toolsets that the environment leaves out."""
    texts = [text for name, text in environment.items() if name.upper() == TOOLSETS]
    if not texts:
        return catalogue
    # Most operators do not set it, and have no need of this module.
    from llama_mcp.toolsets import INSTRUCTIONS, tools_of, toolsets_in

    try:
        offered = toolsets_in(texts[-1])
    except ValueError:  # unset, or wrong: both leave nothing out
        return catalogue
    untold = [text for name, text in INSTRUCTIONS.items() if name not in offered]
    tools = tools_of(offered)
    return {
        key: _with_tools(result, tools) if key[1] == "tools/list" else _without(result, untold)
        for key, result in catalogue.items()
    }


def _with_tools(listed: str, names: "Iterable[str]") -> str:
    head, _, rest = listed.partition(_TOOLS)
    all_tools, _, tail = rest.rpartition("}]")
    marks = [f'"name":"{name}"' for name in names]
    tools = all_tools.removeprefix('{"_meta":').split(_BETWEEN_TOOLS)
    left = [tool for tool in tools if any(mark in tool for mark in marks)]
    return f'{head}{_TOOLS}{{"_meta":{_BETWEEN_TOOLS.join(left)}}}]{tail}'


def _without(result: str, sentences: "Iterable[str]") -> str:
    for sentence in sentences:
        result = result.replace(f" {sentence}", "")
    return result
