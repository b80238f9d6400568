"""A process that writes to an archive.

    writer_program.py stream PATH SESSION_ID
    writer_program.py append PATH SESSION_ID NAME COUNT [OWNER]

"stream" begins a turn and saves its reply ever longer; "append" has whole turns, every second one
in SESSION_ID. It says what it has done, a line each, after it is done. SESSION_ID "-" is a new
session.
"""

import sys
from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.errors import SessionBusyError, SessionNotFoundError
from llama_mcp.sessions.records import NewTurn, TurnEnding, TurnStatus
from llama_mcp.sessions.sqlite import connecting
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.sqlite.writing import begin_turn, end_turn, save_partial

STEP_CHARACTERS = 37
# These write without a pause, as no reply does, and SQLite lets none of them wait in a line: on a
# machine that other work shares, one may go without its turn for longer than our 20 s.
PATIENCE_SECONDS = 600


def reply_text(characters: int) -> str:
    """The reply that a streaming turn receives; every length of it is another text."""
    return "".join(f"{number} " for number in range(characters // 2 + 1))[:characters]


def stream(store: Store, session_id: str | None) -> None:
    begun = begin_turn(
        store, session_id, NewTurn("a message that must not be lost"), owner=LOCAL_OWNER
    )
    print("begun", begun.session.session_id, begun.turn, flush=True)
    characters = 0
    while True:
        characters += STEP_CHARACTERS
        text = reply_text(characters)
        save_partial(store, begun.session.session_id, begun.turn, text, f"thinking {text}")
        print("saved", characters, flush=True)


def append(store: Store, session_id: str, name: str, count: int, owner: str) -> None:
    own = None
    for number in range(count):
        message = f"{name} {number}"
        if number % 2:
            begun = _begin_when_free(store, session_id, message, owner)
        else:
            begun = begin_turn(store, own, NewTurn(message), owner)
            own = begun.session.session_id
        save_partial(store, begun.session.session_id, begun.turn, "re", "")
        ending = TurnEnding(status=TurnStatus.COMPLETE, reply=f"re: {message}")
        end_turn(store, begun.session.session_id, begun.turn, ending)
    print("done", flush=True)


def _begin_when_free(store: Store, session_id: str, message: str, owner: str) -> BegunTurn:
    while True:
        try:
            return begin_turn(store, session_id, NewTurn(message), owner)
        except SessionBusyError:
            pass


def main() -> None:
    connecting.BUSY_TIMEOUT_SECONDS = PATIENCE_SECONDS
    store = Store(Path(sys.argv[2]))
    session_id = None if sys.argv[3] == "-" else sys.argv[3]
    if sys.argv[1] == "stream":
        stream(store, session_id)
    elif session_id is not None:
        owner = sys.argv[6] if len(sys.argv) > 6 else LOCAL_OWNER
        try:
            append(store, session_id, sys.argv[4], int(sys.argv[5]), owner)
        except SessionNotFoundError:
            print("not found", flush=True)
    store.close()


if __name__ == "__main__":
    main()
