"""Which tools and prompts there are, in the sets that an operator can offer or leave out.

Made to be imported quickly: early/ answers by it before settings.py can be imported.
"""

from llama_mcp.copied_text import plain_text

TOOLSETS: dict[str, tuple[str, ...]] = {
    "server": ("start_llama_server", "stop_llama_server", "status", "get_config"),
    "chat": ("chat", "wait_for_reply", "cancel_reply"),
    "files": ("run_on_files",),
    "sessions": (
        *("list_sessions", "read_session", "update_session", "fork_session", "delete_session"),
    ),
    "models": ("list_models", "download_model"),
    "ranking": ("rank_texts",),
    "observing": ("server_metrics", "server_log"),
    "dashboard": ("open_dashboard", "dashboard_snapshot", "dashboard_checks"),
}
# Those that only the page calls; a client that shows no page is not told of them.
PAGE_TOOLS = frozenset({"dashboard_snapshot", "dashboard_checks"})
ALL = "all"
TOOLS = frozenset(tool for tools in TOOLSETS.values() for tool in tools)

# Each prompt with the tool that it is about: without the tool it is not offered either.
TOOL_OF_PROMPT = {
    "ask": "chat",
    "summarize_files": "run_on_files",
    "go_on": "chat",
    "why_slow": "server_metrics",
}

# What the server's instructions say of a set, in this order, after what they say in any case.
INSTRUCTIONS = {
    "chat": "Call chat: it starts the model. Each result names a session_id: pass it to go on, "
    "leave it out for a new conversation. wait_for_reply gives the rest of a reply that takes "
    "long.",
    "files": "run_on_files does one thing with files of any size.",
    "sessions": "list_sessions finds earlier conversations.",
    "server": "stop_llama_server frees the memory.",
    "models": "list_models shows which models there are, download_model fetches more.",
}


def toolsets_in(text: str) -> tuple[str, ...]:
    """Return the sets that the text of a setting names, in the order in which they stand here.

    Raises:
        ValueError: it names none, or what is none.
    """
    parts = [plain_text(part).lower() for part in plain_text(text).split(",")]
    named = set(filter(None, parts))
    if not named or not named <= {ALL, *TOOLSETS}:
        names = ", ".join(TOOLSETS)
        raise ValueError(f"it takes {ALL}, or some of {names}, with commas between them")
    return tuple(name for name in TOOLSETS if name in named or ALL in named)


def tools_of(toolsets: "tuple[str, ...]") -> frozenset[str]:
    """Return the names of the tools in these sets."""
    return frozenset(tool for name in toolsets for tool in TOOLSETS[name])


def prompts_of(tools: "frozenset[str]") -> frozenset[str]:
    """Return the names of the prompts that can be offered beside these tools."""
    return frozenset(prompt for prompt, tool in TOOL_OF_PROMPT.items() if tool in tools)
