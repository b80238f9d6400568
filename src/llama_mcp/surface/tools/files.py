"""The tool for jobs over files."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import BeforeValidator, Field

from llama_mcp.services import Services
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.patience import waiting_at_most
from llama_mcp.surface.calling import current_caller, was_cancelled
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.notifications.progress import JobProgress
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.files import ToldFiles
from llama_mcp.surface.results.replies import NOTHING, Telling
from llama_mcp.surface.tools.links import with_link
from llama_mcp.surface.tools.parameters import (
    REPLACING,
    JsonSchema,
    MaxTokensParameter,
    OptionalText,
    Overwrite,
    TemperatureParameter,
    WaitUntilBack,
)
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.tracing import note_turn

if TYPE_CHECKING:
    from llama_mcp.files.border import FileBorder
    from llama_mcp.turns.jobs.job import Job

FilesResult = Annotated[CallToolResult, ToldFiles]
Instruction = Annotated[str, Field(description="What to do with the files.")]
JobFiles = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(description="Paths, globs, folders, path:10-80."),
]
Each = Annotated[bool, Field(description="One result per file.")]
ModelOfJob = Annotated[OptionalText, Field(description="Name or file; else the one that runs.")]
SaveResultsTo = Annotated[
    OptionalText, Field(description=".md, .json or .jsonl for the results; gives a receipt.")
]


class FileTools:
    """Jobs over files."""

    def __init__(
        self, services: Callable[[], Services], client_folders: ClientFolders, telling: Telling
    ) -> None:
        self._services = services
        self._client_folders = client_folders
        self._telling = telling

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tool to the server."""
        server.tool(title="Run on files", annotations=REPLACING)(self.run_on_files)

    async def run_on_files(
        self,
        ctx: Context[Services],
        instruction: Instruction,
        files: JobFiles,
        each: Each = False,
        json_schema: JsonSchema = None,
        save_to: SaveResultsTo = "",
        overwrite: Overwrite = False,
        model: ModelOfJob = "",
        max_tokens: MaxTokensParameter = None,
        temperature: TemperatureParameter = None,
        wait_seconds: WaitUntilBack = None,
    ) -> FilesResult:
        """Have the local model do one thing with files of any size: sum up, extract, classify.

        Their texts stay out of your context. Long ones are read in pieces, put together. coverage
        says what was read, what not and why. The same call goes on with a job that was cut off.
        """
        from llama_mcp.turns.jobs.beginning import Jobs
        from llama_mcp.turns.jobs.job_request import JobRequest

        services = self._services()
        deadline = anyio.current_time() + services.settings.patience(wait_seconds)
        folders = await self._client_folders.of(ctx.session)
        # Abandoned with the call: a folder on a network may hang.
        border = await anyio.to_thread.run_sync(
            services.file_border, folders, current_caller(), abandon_on_cancel=True
        )
        request = JobRequest(
            instruction=instruction,
            owner=current_caller().owner,
            limits=current_caller().limits,
            files=files,
            each=each,
            model=model or None,
            wait_seconds=max(0.0, deadline - anyio.current_time()),
            sampling=Sampling(
                temperature=temperature, max_tokens=max_tokens, json_schema=json_schema
            ),
            save_to=await _place(save_to, border, overwrite=overwrite),
        )
        jobs = Jobs(services.in_flight, services.supervisor, services.archive)
        told = discretion_of(services)
        progress = JobProgress(ctx, told.text)
        with waiting_at_most(max(0.0, deadline - anyio.current_time())):
            job = await jobs.begin(request, border, progress.tell_wait)
        job.calls = call = job.calls + 1
        try:
            left_seconds = max(0.0, deadline - anyio.current_time())
            reply = told.reply(await follow_job(job, left_seconds, progress))
        except anyio.get_cancelled_exc_class():
            # Not when the same call has been made again since: that one waits for the job.
            is_last = job.calls == call and not services.in_flight.is_shutting_down
            if is_last and was_cancelled():
                with anyio.CancelScope(shield=True):
                    await job.cancel()
            raise
        return with_link(self._telling.tell(reply, NOTHING), reply, ctx.protocol_version)


async def follow_job(job: "Job", seconds: float, progress: JobProgress) -> ChatReply:
    """Wait for a job, and return what has come of it."""
    await job.following.follow(seconds, lambda _reply: progress.report(job))
    reply = await job.deliver()
    note_turn(reply, job.reply.model)
    return reply


async def _place(save_to: str, border: "FileBorder", *, overwrite: bool) -> SaveTo | None:
    if not save_to:
        return None
    from llama_mcp.turns.attaching import place_to_save

    check = partial(place_to_save, save_to, border, overwrite=overwrite)
    return await anyio.to_thread.run_sync(check)
