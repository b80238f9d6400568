"""Results in words: what matters of each, in few lines."""

import json

from llama_mcp.llama_server.status import (
    AboutModel,
    ModelStatus,
    ServerConfig,
    ServerLog,
    ServerState,
    ServerStatus,
    SlotCount,
)
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.records import Session, SessionList, TurnStatistics
from llama_mcp.surface.results.discretion import ConfigByName
from llama_mcp.wording import counted, lasting


def status_text(status: ServerStatus) -> str:
    """Return a ServerStatus in words."""
    lines = [status.message]
    figures = [
        status.state.value,
        "already running with these settings" if status.already_running else "",
        status.url if status.url and status.url not in status.message else "",
        f"pid {status.pid}" if status.pid else "",
        f"{status.engine.kind} {status.engine.version}" if status.engine and status.pid else "",
        _slots(status.slots),
        f"{counted(status.waiting_turns, 'turn')} waiting" if status.waiting_turns else "",
        f"{status.memory_bytes / 2**20:.0f} MiB" if status.memory_bytes else "",
        counted(status.clients, "client") if status.clients else "",
        f"up {lasting(status.uptime_seconds)}" if status.uptime_seconds else "",
        _if(status.ready_after_seconds, "ready after {:.1f} s"),
        f"model_path={status.model_path}" if status.model_path else "",
        about_text(status.about_model),
    ]
    lines.append(f"[{_joined(figures)}]")
    lines += [_model_line(model) for model in status.models or []]
    lines += status.notes or []
    if status.last_exit and status.last_exit.log_tail:
        lines += ["From its log:", *(f"  {line}" for line in status.last_exit.log_tail)]
    return "\n".join(lines)


def _model_line(model: ModelStatus) -> str:
    """Return one of several models that run or are idle, in a line."""
    is_idle = model.state is ServerState.IDLE
    parts = [
        "" if is_idle else model.state.value,
        f"port {model.port}" if model.port else "",
        f"{model.memory_bytes / 2**20:.0f} MiB" if model.memory_bytes else "",
        "" if model.idle_seconds is None else f"unused for {lasting(model.idle_seconds)}",
        counted(model.clients, "client") if model.clients else "",
    ]
    return f"{'Is idle' if is_idle else 'Runs'}: {model.name} ({_joined(parts)})"


def config_text(config: ServerConfig | ConfigByName) -> str:
    """Return a ServerConfig in words."""
    whose = "The running llama-server has" if config.running else "A start would use now"
    layers = "automatic" if config.n_gpu_layers is None else str(config.n_gpu_layers)
    sizes = f"ctx_size={config.ctx_size}, parallel={config.parallel}, n_gpu_layers={layers}"
    if isinstance(config, ConfigByName):
        settings = f"{whose}: model_path={config.model_path}, {sizes}."
    else:
        settings = (
            f"{whose}: llama_cpp_path={config.llama_cpp_path}, model_path={config.model_path}, "
            f"port={config.port}, {sizes}, extra_args={json.dumps(config.extra_args)}."
        )
    about = about_text(config.about_model)
    lines = [settings, f"The model: {about}." if about else ""]
    return "\n".join(filter(None, [*lines, *(f"Note: {note}" for note in config.notes)]))


def about_text(about: AboutModel | None) -> str:
    """Return what a header says of a model, in words."""
    if about is None:
        return ""
    defaults = " ".join(f"{name}={value:g}" for name, value in about.sampling.items())
    parts = [
        f"kind={about.kind}",
        _if(about.context_length, "context_length={}"),
        "vision" if about.vision else "",
        "audio" if about.audio else "",
        f"its author's sampling {defaults}" if defaults else "",
    ]
    return _joined(parts)


def list_text(sessions: SessionList) -> str:
    """Return a page of sessions, a line or two for each, and how to get the next one."""
    found = f"{len(sessions.sessions)} of {counted(sessions.total, 'session')}"
    lines = [sessions.note or "", found if sessions.total else ""]
    lines += [session_line(session) for session in sessions.sessions]
    if sessions.next_before:
        lines.append(f"More: before={sessions.next_before}")
    return "\n".join(filter(None, lines))


def session_line(session: Session) -> str:
    """Return a session in a line, and what was found in it in another."""
    origin = ""
    if session.forked_from:
        origin = f", forked from {session.forked_from} at turn {session.forked_at_turn or 0}"
    unfinished = f", reply {session.unfinished}" if session.unfinished else ""
    # On one line, or what was said in it could pass for another session.
    found = f"\n  {' '.join(session.match.split())}" if session.match else ""
    return (
        f"{session.session_id}  {session.title}  ({counted(session.turns, 'turn')}{origin}, "
        f"changed {session.updated_at_utc}{unfinished}){found}"
    )


def log_text(log: ServerLog) -> str:
    """Return a ServerLog in words."""
    about = f"[{log.log_path}{', older lines left out' if log.truncated else ''}]"
    return "\n".join([*log.lines, *filter(None, [log.note, about if log.log_path else ""])])


def metrics_text(metrics: ServerMetrics) -> str:
    """Return a ServerMetrics in words."""
    head = f"{metrics.model}: {metrics.state.value}" if metrics.model else metrics.state.value
    asleep = ", asleep" if metrics.is_sleeping else ""
    lines = [f"{head}{asleep}{_if(metrics.uptime_seconds, ', up {:.0f} s')}"]
    parts = [
        _counted(metrics.prompt_tokens_total, "prompt token", " read"),
        _if(metrics.cached_prompt_tokens_total, "{} cached"),
        _if(metrics.cache_hit_share and metrics.cache_hit_share * 100, "{:.0f} % from the cache"),
        _if(metrics.generated_tokens_total, "{} generated"),
        _if(metrics.prompt_tokens_per_second, "read at {:.1f} tokens/s"),
        _if(metrics.generated_tokens_per_second, "generated at {:.1f} tokens/s"),
        _if(metrics.prompt_tokens_per_second_now, "lately read at {:.1f} tokens/s"),
        _if(metrics.generated_tokens_per_second_now, "lately generated at {:.1f} tokens/s"),
    ]
    lines.append(_joined(parts))
    parts = [
        _slots(metrics.slots),
        _counted(metrics.requests_processing or None, "request", " under way"),
        _counted(metrics.requests_deferred or None, "request", " deferred"),
        _counted(metrics.waiting_turns or None, "turn", " waiting"),
        _if(metrics.memory_bytes and metrics.memory_bytes / 2**20, "{:.0f} MiB"),
        _if(metrics.cpu_percent, "CPU {:.0f} %"),
        *(
            f"{gpu.name} {gpu.used_bytes / 2**20:.0f} of {gpu.total_bytes / 2**20:.0f} MiB"
            for gpu in metrics.gpu_memory
        ),
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


def _slots(slots: SlotCount | None) -> str:
    return "" if slots is None else f"{slots.busy} of {counted(slots.total, 'slot')} busy"


def _counted(count: int | None, one: str, what: str) -> str:
    return "" if count is None else counted(count, one) + what


def _if(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)


def _joined(parts: list[str]) -> str:
    return ", ".join(part for part in parts if part)
