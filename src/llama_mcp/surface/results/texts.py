"""Results in words: what matters of each, in few lines."""

from llama_mcp.llama_server.status import ServerConfig, ServerLog, ServerStatus
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.records import Receipt, TurnStatistics, TurnStatus
from llama_mcp.turns.cache_miss import FIRST_TURN
from llama_mcp.turns.reply import ChatReply


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


def _read_again(receipt: Receipt) -> str:
    # That a first turn reads its prompt is no news.
    if not receipt.cache_miss or receipt.cache_miss == FIRST_TURN:
        return ""
    return f"prompt read again: {receipt.cache_miss.partition(':')[0]}"


def log_text(log: ServerLog) -> str:
    """Return a ServerLog in words."""
    if log.log_path is None:
        return "There is no log: no llama-server was started yet."
    about = f"[{log.log_path}{', older lines left out' if log.truncated else ''}]"
    return "\n".join([*log.lines, about])


def metrics_text(metrics: ServerMetrics) -> str:
    """Return a ServerMetrics in words."""
    head = f"{metrics.model}: {metrics.state.value}" if metrics.model else metrics.state.value
    asleep = ", asleep" if metrics.is_sleeping else ""
    lines = [f"{head}{asleep}{_if(metrics.uptime_seconds, ', up {:.0f} s')}"]
    parts = [
        _if(metrics.prompt_tokens_total, "{} prompt tokens read"),
        _if(metrics.cached_prompt_tokens_total, "{} cached"),
        _if(metrics.generated_tokens_total, "{} generated"),
        _if(metrics.prompt_tokens_per_second, "read at {:.1f} tokens/s"),
        _if(metrics.generated_tokens_per_second, "generated at {:.1f} tokens/s"),
        _if(metrics.generated_tokens_per_second_now, "lately at {:.1f} tokens/s"),
    ]
    lines.append(_joined(parts))
    parts = [
        f"{metrics.slots.busy} of {metrics.slots.total} slots busy" if metrics.slots else "",
        _if(metrics.requests_deferred or None, "{} requests deferred"),
        _if(metrics.waiting_turns or None, "{} turns waiting"),
        _if(metrics.memory_bytes and metrics.memory_bytes / 2**20, "{:.0f} MiB"),
        _if(metrics.cpu_percent, "CPU {:.0f} %"),
        *(f"{gpu.name} {gpu.used_bytes / 2**20:.0f} MiB" for gpu in metrics.gpu_memory),
    ]
    lines.append(_joined(parts))
    lines += [_turns_text(turns) for turns in metrics.own_turns]
    if metrics.missing:
        lines.append(f"Not known here: {', '.join(metrics.missing)}.")
    return "\n".join(line for line in lines if line)


def _turns_text(turns: TurnStatistics) -> str:
    first, rate = turns.first_token_ms, turns.tokens_per_second
    parts = [
        f"Turns with {turns.model}: {turns.turns}",
        f"{turns.failures} failed",
        f"first token after {first.median:.0f} ms (p95 {first.p95:.0f})" if first else "",
        f"{rate.median:.1f} tokens/s (p95 {rate.p95:.1f})" if rate else "",
    ]
    return _joined(parts)


def _if(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)


def _joined(parts: list[str]) -> str:
    return ", ".join(part for part in parts if part)
