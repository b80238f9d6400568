"""What llama-server is doing, in lines of a terminal of any width."""

import io

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.display.columns import width_of
from llama_mcp.cli.llama_server.screen import screen
from llama_mcp.cli.terminal import Terminal
from llama_mcp.llama_server.status import (
    EngineInfo,
    ModelStatus,
    ServerState,
    ServerStatus,
    Slot,
)
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.overview import Overview, UnderwayRow

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
    notes=["Pass ctx_size."],
)
SEEN = Overview(
    status=STATUS,
    slots=[Slot(id=0, is_processing=True, ctx_size=1000, tokens=500)],
    turns=[
        UnderwayRow(session_id="k7m2-q9x4-tbhz", title=EVIL, seconds=3.0, pid=99, owner=LOCAL_OWNER)
    ],
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
        "pid 99",
        "other",
        "idle",
        "ctx_size by LLAMA_MCP_CTX_SIZE",
    ):
        assert text in shown


def test_a_reply_of_another_owner_is_shown_without_its_session() -> None:
    row = UnderwayRow(seconds=3.0, pid=99, owner="alice")
    shown = "\n".join(screen(SEEN.model_copy(update={"turns": [row]}), FakeTerminal(None)))
    assert "one of alice" in shown and "k7m2" not in shown


@pytest.mark.parametrize("columns", [10, 25, 40, 60, 100])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    assert all(width_of(line) <= columns for line in screen(SEEN, FakeTerminal(columns)))


def test_names_are_harmless() -> None:
    shown = "\n".join(screen(SEEN, FakeTerminal(None)))
    assert "\x1b" not in shown and "\u202e" not in shown
