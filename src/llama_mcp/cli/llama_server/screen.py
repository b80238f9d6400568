"""What llama-server is doing, in lines as wide as the terminal; pure."""

from collections.abc import Iterator

from llama_mcp.cli.display.columns import Column, bar, cut, table, wrapped
from llama_mcp.cli.failures import in_the_terminals_words
from llama_mcp.cli.terminal import Colour, Terminal
from llama_mcp.llama_server.status import ServerState, ServerStatus, Slot
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.overview import Overview, UnderwayRow
from llama_mcp.sessions.recent_turns import JobProgress, Stage, TurnProgress, UnderwayTurn
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted, lasting, size_text

# Beside a title there is little room.
_SHORT_BAR = 10
_COLOURS = {
    ServerState.READY: Colour.GREEN,
    ServerState.STARTING: Colour.YELLOW,
    ServerState.STOPPING: Colour.YELLOW,
    ServerState.CRASHED: Colour.RED,
    ServerState.UNRESPONSIVE: Colour.RED,
}
_REACHABLE = {True: "yes", False: "no", None: "?"}


def screen(seen: Overview, terminal: Terminal) -> list[str]:
    """Return the lines, harmless and cut to the terminal; the first has the state."""
    width = terminal.columns
    status = seen.status
    state = terminal.coloured(status.state.value, _COLOURS.get(status.state, Colour.BOLD))
    is_there = status.pid or status.remote or status.state is ServerState.IDLE
    model = status.model if is_there else None
    heading = f"  {model}" if model else ""
    lines = [state + _cut(heading, None if width is None else width - len(status.state.value))]
    lines += wrapped([status.message], width)
    facts = [*_facts(status), *_figures(seen.metrics), *_slots(seen.slots)]
    rows = [*_turns(seen.turns, width), *_models(status, width), *_workers(status, width)]
    lines += [_cut(line, width) for line in (*facts, *rows)]
    return [*lines, *wrapped(_remarks(seen), width)]


def _cut(line: str, width: int | None) -> str:
    shown = visible_line(line)
    return shown if width is None else cut(shown, width)


def _facts(status: ServerStatus) -> Iterator[str]:
    engine = status.engine
    parts = [
        f"port {status.port}" if status.port else "",
        f"pid {status.pid}" if status.pid else "",
        f"{engine.kind} {engine.version}" if engine and (status.pid or status.remote) else "",
        size_text(status.memory_bytes) if status.memory_bytes else "",
        f"up {lasting(status.uptime_seconds)}" if status.uptime_seconds and status.pid else "",
        counted(status.clients, "client") if status.clients else "",
    ]
    if any(parts):
        yield ", ".join(filter(None, parts))


def _figures(metrics: ServerMetrics | None) -> Iterator[str]:
    if metrics is None:
        return
    share = metrics.cache_hit_share
    parts = [
        _if(metrics.generated_tokens_per_second, "{:.1f} tokens/s"),
        _if(metrics.generated_tokens_per_second_now, "{:.1f} lately"),
        _if(metrics.prompt_tokens_per_second, "prompts read at {:.0f} tokens/s"),
        _if(metrics.generated_tokens_total, "{} tokens generated"),
        _if(share and share * 100, "{:.0f} % of prompts from the cache"),
        _if(metrics.cpu_percent, "CPU {:.0f} %"),
        *(
            f"{gpu.name} {size_text(gpu.used_bytes)} of {size_text(gpu.total_bytes)}"
            for gpu in metrics.gpu_memory
        ),
    ]
    if any(parts):
        yield ", ".join(filter(None, parts))


def _slots(slots: list[Slot]) -> Iterator[str]:
    for slot in slots:
        used, window = slot.tokens or 0, slot.ctx_size
        share = used / window if window else 0.0
        of = f"{used} of {window} tokens" if window else f"{used} tokens"
        doing = "generates" if slot.is_processing else "free"
        yield f"slot {slot.id} [{bar(share)}] {of}, {doing}"


def _turns(turns: list[UnderwayRow], width: int | None) -> Iterator[str]:
    if turns:
        columns = (
            Column("REPLY FOR"),
            Column("SESSION", is_flexible=True),
            Column("DOES"),
            Column("PROCESS"),
        )
        rows = [
            (lasting(each.seconds), _session(each), doing(each), _whose(each)) for each in turns
        ]
        yield from table(columns, rows, width)


def doing(turn: UnderwayTurn) -> str:
    """Return how far a turn under way is; pure."""
    if turn.is_cancel_asked:
        return "is asked to stop"
    progress = turn.progress
    if progress is None:
        return _of_job(turn.job, None) if turn.job is not None else ""
    if progress.stage is Stage.LOADING:
        return "waits for its model"
    if progress.stage is Stage.QUEUED:
        return f"waits at place {progress.place}" if progress.place else "waits for a slot"
    if turn.job is not None:
        return _of_job(turn.job, progress)
    read, total = progress.prompt_tokens_read, progress.prompt_tokens
    if progress.stage is Stage.READING:
        if not total:
            return "reads"
        return f"reads [{bar(read / total, _SHORT_BAR)}] {read} of {total} tokens"
    speed = _if(progress.tokens_per_second, ", {:.1f}/s")
    return f"{counted(progress.generated_tokens, 'token')}{speed}"


def _of_job(job: JobProgress, progress: TurnProgress | None) -> str:
    about = "" if job.is_planned else "about "
    speed = _if(progress.tokens_per_second if progress else None, ", {:.1f} tokens/s")
    share = job.done / job.planned if job.planned else 0.0
    pieces = f"[{bar(share, _SHORT_BAR)}] {job.done} of {about}{counted(job.planned, 'piece')}"
    return f"{pieces}{speed}"


def _session(turn: UnderwayRow) -> str:
    return f"{turn.session_id} {turn.title}" if turn.session_id else f"one of {turn.owner}"


def _whose(turn: UnderwayRow) -> str:
    if turn.is_left:
        return "has ended; goes on"
    return f"pid {turn.pid}" if turn.pid else ""


def _models(status: ServerStatus, width: int | None) -> Iterator[str]:
    if status.models:
        columns = (
            Column("MODEL", is_flexible=True),
            Column("STATE"),
            Column("PORT", is_number=True),
            Column("MEMORY", is_number=True),
            Column("UNUSED", is_number=True),
        )
        rows = [
            (
                each.name,
                each.state.value,
                str(each.port or ""),
                size_text(each.memory_bytes) if each.memory_bytes else "",
                "" if each.idle_seconds is None else lasting(each.idle_seconds),
            )
            for each in status.models
        ]
        yield from table(columns, rows, width)


def _workers(status: ServerStatus, width: int | None) -> Iterator[str]:
    if status.workers:
        columns = (
            Column("RPC WORKER", is_flexible=True),
            Column("REACHABLE"),
            Column("MEMORY", is_number=True),
            Column("ROUND TRIP", is_number=True),
        )
        rows = [
            (
                each.address,
                _REACHABLE[each.reachable],
                size_text(each.memory_bytes) if each.memory_bytes else "",
                "" if each.round_trip_ms is None else f"{each.round_trip_ms:.1f} ms",
            )
            for each in status.workers
        ]
        yield from table(columns, rows, width)


def _remarks(seen: Overview) -> Iterator[str]:
    for worker in seen.status.workers or []:
        if worker.problem:
            yield f"RPC worker {worker.address}: {worker.problem}."
    for note in seen.status.notes or []:
        yield from in_the_terminals_words(note).split("\n")
    yield from seen.problems
    if seen.status.last_exit and seen.status.last_exit.log_tail:
        yield "From its log:"
        yield from (f"  {line}" for line in seen.status.last_exit.log_tail)


def _if(value: float | None, text: str) -> str:
    return "" if not value else text.format(value)
