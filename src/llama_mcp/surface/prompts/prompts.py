"""The prompts: what people see of each, and what each says to their assistant's model."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument

from llama_mcp.errors import InvalidArgumentError, LlamaMCPError
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.services import Services
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.prompts.messages import (
    ask_message,
    go_on_message,
    summarize_message,
    why_slow_message,
)
from llama_mcp.surface.prompts.typed_files import files_in
from llama_mcp.surface.results.discretion import Discretion
from llama_mcp.surface.results.hints import Offered
from llama_mcp.surface.results.texts import config_text, metrics_text, status_text
from llama_mcp.surface.scopes import words_of
from llama_mcp.toolsets import TOOL_OF_PROMPT

Seen = TypeVar("Seen")

QUESTION = PromptArgument(
    name="question", description="What to ask the model on this machine.", required=True
)
FILES = PromptArgument(
    name="files",
    description="Files, folders or globs, with commas between them; notes.txt:10-80 for lines.",
    required=True,
)
FOCUS = PromptArgument(name="focus", description="What matters most to you in them.")
SESSION_ID = PromptArgument(
    name="session_id", description="The conversation's id, or its beginning.", required=True
)
MESSAGE = PromptArgument(name="message", description="What to say in it next.")


class Prompts:
    """The prompts whose tools are offered."""

    def __init__(self, services: Callable[[], Services], offered: Offered) -> None:
        self._services = services
        self._offered = offered

    def register(self, server: MCPServer[Services]) -> None:
        """Add the prompts to the server."""
        for fn, title, description, arguments in (
            (self.ask, "Ask the local model", "Ask the model on this machine.", [QUESTION]),
            (
                self.summarize_files,
                "Summarize files locally",
                "Let the model on this machine summarize files of any size.",
                [FILES, FOCUS],
            ),
            (
                self.go_on,
                "Go on with a conversation",
                "Go on with an earlier conversation with the model on this machine.",
                [SESSION_ID, MESSAGE],
            ),
            (
                self.why_slow,
                "Why is the local model slow?",
                "Say from its figures why the model on this machine is slow, and what helps.",
                [],
            ),
        ):
            if TOOL_OF_PROMPT[fn.__name__] in self._offered:
                # The SDK's decorator makes a pydantic model of each signature, which takes a while.
                server.add_prompt(
                    Prompt(
                        name=fn.__name__,
                        title=title,
                        description=description,
                        arguments=arguments,
                        fn=fn,
                        context_kwarg=None,
                    )
                )

    async def ask(self, question: str) -> str:
        """Return what asks the local model a question."""
        return ask_message(question)

    async def summarize_files(self, files: str, focus: str = "") -> str:
        """Return what lets the local model summarize files.

        Raises:
            InvalidArgumentError: no file is named.
        """
        names = files_in(files)
        if not names:
            raise InvalidArgumentError("files", "names no file", "Type a path, a folder or a glob.")
        return summarize_message(names, focus)

    async def go_on(self, session_id: str, message: str = "") -> str:
        """Return what goes on with a session.

        Raises:
            LlamaMCPError: there is no such session.
        """
        session = await self._services().archive.session(session_id, owner=current_caller().owner)
        return go_on_message(session, message, self._offered)

    async def why_slow(self) -> str:
        """Return what asks why replies are slow, with the figures that there are."""
        observer, whose = self._services().observer, current_caller().whose_figures
        told = Discretion.towards(current_caller(), self._services().settings)
        facts = [
            await self._fact(observer.status, lambda seen: status_text(told.status(seen))),
            await self._fact(observer.config, lambda seen: config_text(told.config(seen))),
            await self._fact(partial(observer.metrics, owner=whose), metrics_text),
            *await self._of_the_others(),
        ]
        return why_slow_message(facts, self._offered)

    async def _of_the_others(self) -> list[str]:
        """Return the figures of the models that run beside the first, which may slow it down."""
        observer, whose = self._services().observer, current_caller().whose_figures
        try:
            status = await observer.status()
        except LlamaMCPError:  # it was told above
            return []

        def figures_of(metrics: ServerMetrics) -> str:
            # What turns saw is told with the first, for all models.
            return metrics_text(metrics.model_copy(update={"own_turns": []}))

        return [
            await self._fact(partial(observer.metrics, other.name, owner=whose), figures_of)
            for other in status.models or []
            if other.name != status.model
        ]

    async def _fact(
        self, look: Callable[[], Awaitable[Seen]], text_of: Callable[[Seen], str]
    ) -> str:
        """Return what is seen in words; what keeps it from being seen is a fact, too."""
        try:
            return text_of(await look())
        except LlamaMCPError as error:
            settings, caller = self._services().settings, current_caller()
            return Discretion.towards(caller, settings).error(error, words_of(settings, caller))
