"""The catalogue with only what the operator offers (LLAMA_MCP_TOOLSETS), as the real server has it.

The text of a tool does not depend on which others there are (tests/surface/tools/test_toolsets.py),
nor does that of a prompt, so what is left out is cut away.
"""

from llama_mcp.early.catalogue import Catalogue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOOLSETS = "LLAMA_MCP_TOOLSETS"
# Each entry of a list begins with the same member: a tool with how hosts show it, and a prompt with
# what it takes, be that nothing.
_BEGINNINGS = {"tools": '{"_meta":', "prompts": '{"arguments":'}
_PROMPTS_CAPABILITY = '"prompts":{"listChanged":true},'
# That there is a page (MCP Apps), told to clients of 2026-07-28.
_PAGE_CAPABILITY = '"extensions":{"io.modelcontextprotocol/ui":{}},'


def offered_of(catalogue: Catalogue, environment: "Mapping[str, str]") -> Catalogue:
    """Return the catalogue without the toolsets that the environment leaves out."""
    texts = [text for name, text in environment.items() if name.upper() == TOOLSETS]
    if not texts:
        return catalogue
    # Most operators do not set it, and have no need of this module.
    from llama_mcp.toolsets import INSTRUCTIONS, prompts_of, tools_of, toolsets_in

    try:
        offered = toolsets_in(texts[-1])
    except ValueError:  # unset, or wrong: both leave nothing out
        return catalogue
    tools = tools_of(offered)
    prompts = prompts_of(tools)
    untold = [f" {text}" for name, text in INSTRUCTIONS.items() if name not in offered]
    if not prompts:
        untold.append(_PROMPTS_CAPABILITY)
    if "dashboard" not in offered:
        untold.append(_PAGE_CAPABILITY)
    left = {"tools/list": ("tools", tools), "prompts/list": ("prompts", prompts)}
    return {
        key: _with(result, *left[key[1]]) if key[1] in left else _without(result, untold)
        for key, result in catalogue.items()
    }


def _with(listed: str, member: str, names: "Iterable[str]") -> str:
    beginning = _BEGINNINGS[member]
    head, start, rest = listed.partition(f'"{member}":[')
    entries, _, tail = rest.rpartition("}]")
    marks = [f'"name":"{name}"' for name in names]
    left = [
        f"{beginning}{entry}}}"
        for entry in entries.removeprefix(beginning).split(f"}},{beginning}")
        if any(mark in entry for mark in marks)
    ]
    return f"{head}{start}{','.join(left)}]{tail}"


def _without(result: str, texts: "Iterable[str]") -> str:
    for text in texts:
        result = result.replace(text, "")
    return result
