"""The state of a conversation at the terminal, and the messages that go out of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
from anyio.from_thread import BlockingPortal

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.chat.asking import Asking
from llama_mcp.cli.chat.events import Event, Over
from llama_mcp.cli.chat.given_files import files_given
from llama_mcp.cli.chat.reply_printing import ReplyPrinting
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.terminal import Terminal
from llama_mcp.services import Services
from llama_mcp.sessions.records import Session
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.replies.reply import ChatReply

# A model may have to be loaded, or others to become quiet: the person can press Ctrl-C.
WAIT_SECONDS = 24 * 3600.0

T = TypeVar("T")


@dataclass
class Talk:
    """One conversation: what the next message is sent with."""

    services: Services
    portal: BlockingPortal
    terminal: Terminal
    progress: ProgressLine
    sampling: Sampling = field(default_factory=Sampling)
    session_id: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    """Of a session that has not begun."""
    files: list[str] = field(default_factory=list)
    """Go with the next message."""
    piped: bytes = b""
    """Likewise, as a file."""
    last: ChatReply | None = None
    was_stopped: bool = False
    """Whether Ctrl-C has stopped the last reply."""

    def told(self, ask: Callable[[Services], Awaitable[T]]) -> T:
        """Return what the rooms answer, which are only used on their loop. Raises as they do."""
        return self.portal.call(ask, self.services)

    def send(self, message: str) -> Event:
        """Send a message and print its reply; return how it ended. Raises LlamaMCPError."""
        request = self.portal.call(self._request, message)
        asking = Asking(self.portal, self.services)
        event = asking.ask(request, ReplyPrinting(self.terminal, self.progress))
        return self._note(event, asking)

    def wait(self) -> Event:
        """Print the reply that is under way in the session; return how it ended."""
        asking = Asking(self.portal, self.services)
        session_id = self.session_id or ""
        event = asking.wait(session_id, ReplyPrinting(self.terminal, self.progress))
        return self._note(event, asking)

    def resume(self, session_id: str) -> Session:
        """Go on in a session from now on; return it. Raises LlamaMCPError."""
        session = self.told(
            lambda services: services.archive.session(session_id, owner=LOCAL_OWNER)
        )
        self.begin_anew()
        self.session_id = session.session_id
        return session

    def begin_anew(self) -> None:
        """Begin a new session with the next message."""
        self.session_id, self.last, self.files = None, None, []

    def set_system_prompt(self, text: str) -> None:
        """Set it for the next turns; an empty one removes it. Raises LlamaMCPError."""
        if (session_id := self.session_id) is None:
            self.system_prompt = text or None
        else:
            self.told(
                lambda services: services.archive.update_session(
                    session_id, None, text, owner=LOCAL_OWNER
                )
            )

    async def _request(self, message: str) -> ChatRequest:
        taken = await anyio.to_thread.run_sync(files_given, self.services, self.files, self.piped)
        is_new = self.session_id is None
        return ChatRequest(
            message=message,
            owner=LOCAL_OWNER,
            session_id=self.session_id,
            model=self.model,
            system_prompt=self.system_prompt if is_new else None,
            sampling=self.sampling,
            files=taken.files,
            file_notes=taken.notes,
            wait_seconds=WAIT_SECONDS,
        )

    def _note(self, event: Event, asking: Asking) -> Event:
        self.was_stopped = asking.was_stopped
        if isinstance(event, Over):
            self.last, self.session_id, self.files = event.reply, event.reply.session_id, []
        return event


def history_file(services: Services) -> Path:
    """Return where what was typed is kept; raises as the setting of the home does."""
    return services.settings.state_dir / "chat-history.jsonl"
