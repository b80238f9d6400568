"""Results as clients get them: a text and a structure that each stand alone.

Hosts differ: some give their model only the structure, others only the text. So the text holds
what matters in few words, and the structure everything but what is null or empty.
"""

from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from llama_mcp.llama_server.status import ServerConfig, ServerStatus
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.sessions.texts import clean_text
from llama_mcp.turns.receipt import FIRST_TURN
from llama_mcp.turns.reply import ChatReply, ReplyReceipt

# The model's or the caller's own data, in which null and empty mean something.
VERBATIM = frozenset({"parsed", "sampling"})


def tool_result(text: str, content: BaseModel) -> CallToolResult:
    """Return a tool's result with that text and that structure."""
    return CallToolResult(
        content=[TextContent(type="text", text=clean_text(text))],
        structured_content=structure_of(content),
    )


def structure_of(content: BaseModel) -> dict[str, Any]:
    """Return the model as JSON data without what is null or empty, all of it valid Unicode."""
    pruned = _pruned(content.model_dump(mode="json"))
    return pruned if isinstance(pruned, dict) else {}


def status_text(status: ServerStatus) -> str:
    """Return a ServerStatus in words."""
    lines = [status.message]
    if status.already_running:
        lines.append("It was already running with these settings.")
    figures = [
        f"pid {status.pid}" if status.pid else "",
        f"{status.engine.kind} {status.engine.version}" if status.engine and status.pid else "",
        f"{status.slots.busy} of {status.slots.total} slots busy" if status.slots else "",
        f"{status.waiting_turns} turns waiting" if status.waiting_turns else "",
        f"{status.memory_bytes / 2**20:.0f} MiB" if status.memory_bytes else "",
        f"{status.clients} client(s)" if status.clients else "",
    ]
    if any(figures):
        lines.append("[" + ", ".join(figure for figure in figures if figure) + "]")
    lines += status.notes or []
    if status.last_exit and status.last_exit.log_tail:
        lines += ["From its log:", *(f"  {line}" for line in status.last_exit.log_tail)]
    return "\n".join(lines)


def config_text(config: ServerConfig) -> str:
    """Return a ServerConfig in words."""
    whose = "The running llama-server has" if config.running else "A start would use now"
    layers = "automatic" if config.n_gpu_layers is None else str(config.n_gpu_layers)
    return (
        f"{whose}: llama_cpp_path={config.llama_cpp_path}, model_path={config.model_path}, "
        f"port={config.port}, ctx_size={config.ctx_size}, parallel={config.parallel}, "
        f"n_gpu_layers={layers}, extra_args={config.extra_args}."
    )


def reply_text(reply: ChatReply) -> str:
    """Return a ChatReply as the reply itself and one short line with id and figures."""
    usage, timing, context = reply.usage, reply.timing, reply.context
    figures = [
        f"session_id={reply.session_id}",
        f"turn {reply.turn}",
        "" if reply.status is TurnStatus.COMPLETE else reply.status.value,
        f"{usage.completion_tokens} tokens" if usage.completion_tokens else "",
        f"{timing.tokens_per_second:.1f} tokens/s" if timing.tokens_per_second else "",
        f"context {context.tokens_used}/{context.limit}"
        if context.tokens_used and context.limit
        else "",
        _read_again(reply.receipt),
    ]
    lines = [reply.reply] if reply.reply else []
    lines.append("[" + ", ".join(figure for figure in figures if figure) + "]")
    lines += [f"Note: {note}" for note in reply.notes]
    if reply.status is TurnStatus.IN_PROGRESS:
        lines.append("The reply is still being generated; wait_for_reply gives the rest.")
    return "\n".join(lines)


def _read_again(receipt: ReplyReceipt) -> str:
    # That a first turn reads its prompt is no news.
    if not receipt.cache_miss or receipt.cache_miss == FIRST_TURN:
        return ""
    return f"prompt read again: {receipt.cache_miss.partition(':')[0]}"


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
