"""What llama-server is doing, in lines of a terminal of any width."""

import io

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.display.columns import width_of
from llama_mcp.cli.llama_server.screen import doing, screen
from llama_mcp.cli.terminal import Terminal
from llama_mcp.llama_server.status import (
    EngineInfo,
    ModelStatus,
    ServerState,
    ServerStatus,
    Slot,
    WorkerStatus,
)
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.overview import Overview, UnderwayRow, without_others
from llama_mcp.sessions.recent_turns import JobProgress, Stage, TurnProgress

EVIL = "evil\x1b[2J\u202emodel"
STATUS = ServerStatus(
    state=ServerState.READY,
    message="It is ready.",
    model=EVIL,
    port=8080,
    pid=4711,
    engine=EngineInfo(kind="embedded", version="1", path="/e"),
    uptime_seconds=300.0,
    memory_bytes=2**30,
    clients=2,
    models=[
        ModelStatus(name=EVIL, state=ServerState.READY, port=8080, memory_bytes=2**30),
        ModelStatus(name="other", state=ServerState.IDLE, idle_seconds=400.0),
    ],
    workers=[
        WorkerStatus(address="10.0.0.2:1", reachable=True, memory_bytes=2**30, round_trip_ms=0.3),
        WorkerStatus(address="10.0.0.3:1", reachable=False, problem="nothing listens there"),
    ],
    notes=["Pass ctx_size."],
)


def a_turn(
    progress: TurnProgress | None = None,
    job: JobProgress | None = None,
    *,
    is_cancel_asked: bool = False,
) -> UnderwayRow:
    return UnderwayRow(
        session_id="k7m2-q9x4-tbhz",
        title=EVIL,
        turn=1,
        owner="local",
        started_at_utc="2026-11-27T10:00:00.000Z",
        seconds=3.0,
        pid=99,
        progress=progress,
        job=job,
        is_cancel_asked=is_cancel_asked,
    )


SEEN = Overview(
    status=STATUS,
    slots=[Slot(id=0, is_processing=True, ctx_size=1000, tokens=500)],
    turns=[a_turn(TurnProgress(stage=Stage.GENERATING, generated_tokens=40))],
    metrics=ServerMetrics(state=ServerState.READY, generated_tokens_per_second=12.34),
)


class FakeTerminal(Terminal):
    """A terminal of a width, for what is drawn on it."""

    def __init__(self, columns: int | None) -> None:
        super().__init__({"NO_COLOR": "1"}, io.StringIO())
        self._columns = columns

    @property
    def columns(self) -> int | None:
        return self._columns


def test_the_screen_shows_state_model_port_memory_slots_turns_and_figures() -> None:
    shown = "\n".join(screen(SEEN, FakeTerminal(None)))
    for text in (
        "ready  evil",
        "port 8080, pid 4711, embedded 1, 1.0 GiB, up 5 min, 2 clients",
        "12.3 tokens/s",
        "slot 0 [##########..........] 500 of 1000 tokens, generates",
        "k7m2-q9x4-tbhz evil",
        "40 tokens",
        "pid 99",
        "other",
        "idle",
        "ctx_size by LLAMA_MCP_CTX_SIZE",
    ):
        assert text in shown


def test_a_reply_of_another_owner_is_shown_without_its_session() -> None:
    row = without_others(a_turn().model_copy(update={"owner": "alice"}), LOCAL_OWNER)
    shown = "\n".join(screen(SEEN.model_copy(update={"turns": [row]}), FakeTerminal(None)))
    assert "one of alice" in shown and "k7m2" not in shown


def test_rpc_workers_are_shown_with_what_is_wrong() -> None:
    shown = "\n".join(screen(SEEN, FakeTerminal(None)))
    assert "RPC worker 10.0.0.3:1: nothing listens there." in shown
    row = next(line for line in shown.splitlines() if line.startswith("10.0.0.2:1"))
    assert row.split()[1:] == ["yes", "1.0", "GiB", "0.3", "ms"]


@pytest.mark.parametrize("columns", [10, 25, 40, 60, 100])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    assert all(width_of(line) <= columns for line in screen(SEEN, FakeTerminal(columns)))


def test_a_job_says_how_far_it_is_before_its_progress_is_noted() -> None:
    assert doing(a_turn(job=JobProgress(done=1, planned=2))) == "[#####.....] 1 of about 2 pieces"
    assert doing(a_turn()) == ""


def test_names_are_harmless() -> None:
    shown = "\n".join(screen(SEEN, FakeTerminal(None)))
    assert "\x1b" not in shown and "\u202e" not in shown


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (a_turn(), ""),
        (a_turn(TurnProgress(stage=Stage.LOADING)), "waits for its model"),
        (a_turn(TurnProgress(stage=Stage.QUEUED, place=2)), "waits at place 2"),
        (a_turn(TurnProgress(stage=Stage.QUEUED)), "waits for a slot"),
        (a_turn(TurnProgress(stage=Stage.READING)), "reads"),
        (
            a_turn(TurnProgress(stage=Stage.READING, prompt_tokens=400, prompt_tokens_read=100)),
            "reads [##........] 100 of 400 tokens",
        ),
        (
            a_turn(
                TurnProgress(stage=Stage.GENERATING, generated_tokens=1, tokens_per_second=9.87)
            ),
            "1 token, 9.9/s",
        ),
        (
            a_turn(
                TurnProgress(stage=Stage.GENERATING, tokens_per_second=9.0),
                JobProgress(done=3, planned=12, is_planned=True),
            ),
            "[##........] 3 of 12 pieces, 9.0 tokens/s",
        ),
        (
            a_turn(TurnProgress(stage=Stage.READING), JobProgress(done=0, planned=1)),
            "[..........] 0 of about 1 piece",
        ),
        (
            a_turn(TurnProgress(stage=Stage.READING), is_cancel_asked=True),
            "is asked to stop",
        ),
    ],
)
def test_a_turn_under_way_tells_what_it_does(turn: UnderwayRow, told: str) -> None:
    assert doing(turn) == told
