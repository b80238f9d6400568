"""The tools that show what llama-server is doing: its figures and its log."""

from collections.abc import Callable
from typing import Annotated

import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.llama_server.diagnosis.log import MAX_LINES, Level, ServerLog, read_log
from llama_mcp.llama_server.metrics.figures import OwnTurns, ServerMetrics
from llama_mcp.services import Services
from llama_mcp.surface.observation import own_metrics
from llama_mcp.surface.results import tool_result
from llama_mcp.surface.tools import hints

DEFAULT_LINES = 100

MetricsResult = Annotated[CallToolResult, ServerMetrics]
LogResult = Annotated[CallToolResult, ServerLog]


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the tools of this file to the server."""

    @server.tool(title="Figures of the local model", annotations=hints.LOOKS)
    async def server_metrics() -> MetricsResult:
        """Show tokens, speed, load, memory, and what earlier turns saw. Wakes no sleeping model."""
        metrics = await own_metrics(services())
        return tool_result(metrics_text(metrics), metrics)

    @server.tool(title="Log of the local model", annotations=hints.LOOKS)
    async def server_log(
        lines: Annotated[int, Field(ge=1, le=MAX_LINES, description="Newest lines.")] = (
            DEFAULT_LINES
        ),
        level: Annotated[Level | None, Field(description="Only this bad or worse.")] = None,
    ) -> LogResult:
        """Show the end of llama-server's log, also after it has stopped or crashed."""
        log = await end_of_log(services(), lines, level)
        return tool_result(log_text(log), log)


async def end_of_log(services: Services, lines: int, level: Level | None = None) -> ServerLog:
    """Return the end of the log of the last llama-server; nothing when there never was one."""
    seen = await services.supervisor.observe()
    if seen is None:
        return ServerLog()
    return await anyio.to_thread.run_sync(read_log, seen.run.log_path, lines, level)


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


def _turns_text(turns: OwnTurns) -> str:
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
