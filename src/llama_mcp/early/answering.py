"""The wire while only Python is there: lines in, answers out, until the real server is wanted."""

# Not signal: it makes enumerations of all that this has.
import _signal  # type: ignore[import-not-found]  # typeshed has no stub of it
import os
import stat
import sys

from llama_mcp.early.catalogue import read_catalogue
from llama_mcp.early.conversation import Conversation
from llama_mcp.early.handover import Handover
from llama_mcp.early.offered import offered_of
from llama_mcp.early.wire import CHUNK_BYTES, MAX_LINE_BYTES, answered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llama_mcp.early.conversation import CompleteList
    from llama_mcp.early.meanwhile import Meanwhile

# As long as the real server takes to be there, which then makes the list itself.
_LIST_SECONDS = 1.0
# A client that listens asks for its lists at the same time, and has them before the import begins.
_QUIET_SECONDS = 0.5


def answer_until_wanted(complete_list: "CompleteList") -> "Meanwhile | None":
    """Answer what can be answered early; return what the real server takes over when it is there.

    None when there is nothing to take over: the client has left. While it waits it takes no time
    of a processor. SIGTERM and SIGINT end the process at once, as there is nothing to be closed,
    until the real server listens to them itself.
    """
    if sys.platform == "win32":
        return _meanwhile(Handover())
    if not _are_pipes() or (catalogue := read_catalogue()) is None:
        return _meanwhile(Handover())
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, _leave)
    # As the real server's: what a client does not read must not keep us from seeing it leave.
    os.set_blocking(1, False)
    offered = offered_of(catalogue, os.environ)
    conversation = Conversation(offered, lambda listed: _completed_aside(complete_list, listed))
    handover = _answer(conversation)
    return _meanwhile(handover, conversation) if handover else None


def _meanwhile(handover: Handover, conversation: Conversation | None = None) -> "Meanwhile":
    # Not before it is wanted: an idle process does without.
    from llama_mcp.early.meanwhile import Meanwhile

    return Meanwhile(handover, conversation)


def _completed_aside(complete_list: "CompleteList", listed: str) -> tuple[str, object] | None:
    from llama_mcp.early.aside import done_aside

    done = done_aside(lambda: complete_list(listed), _LIST_SECONDS)
    return (done[0], done[1]) if done else None


def _are_pipes() -> bool:
    """Tell whether stdin and stdout are pipes or sockets, and stderr is open."""
    try:
        modes = [os.fstat(descriptor).st_mode for descriptor in (0, 1, 2)]
    except OSError:
        return False
    return all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in modes[:2])


def _answer(conversation: Conversation) -> Handover | None:
    pending = b""
    while len(pending) <= MAX_LINE_BYTES:
        if conversation.is_heard and not _wait_for_stdin(_QUIET_SECONDS):
            break
        try:
            data = os.read(0, CHUNK_BYTES)
        except BlockingIOError:  # stdin and stdout are one socket
            _wait_for_stdin()
            continue
        except OSError:
            break
        # The last line may end with stdin instead of a line end.
        *lines, rest = (pending + (data or b"\n")).split(b"\n")
        left, unsent = answered(conversation, lines)
        if left or unsent:
            return _handover(conversation, b"\n".join([*left, rest]), unsent)
        pending = rest
        if not data:
            return None
    return _handover(conversation, pending)


def _handover(conversation: Conversation, unread: bytes, unsent: bytes = b"") -> Handover:
    return Handover(tuple(conversation.replayed), unread, unsent, conversation.list_told)


def _wait_for_stdin(seconds: float | None = None) -> bool:
    """Wait until there is something to read, or the time is over; tell whether there is."""
    import select

    return bool(select.select([0], [], [], seconds)[0])


def _leave(_number: int, _frame: object) -> None:
    os._exit(0)
