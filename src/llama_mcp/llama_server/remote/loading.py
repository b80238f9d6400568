"""An engine whose model is not loaded yet: a router's, or a llama-server that has just started."""

import time

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.errors import RemoteBusyError
from llama_mcp.llama_server.remote.finding_out import props_of

# As long as a start of ours may take by default.
LOAD_SECONDS = 600.0
_POLL_SECONDS = 0.5
_TELL_SECONDS = 0.3


async def once_loaded(access: Access, tell: TellLoad) -> None:
    """Have the model loaded and return once it is; a router loads the one that is asked for.

    Args:
        access: the way to the engine.
        tell: is told how long it has taken.

    Raises:
        LlamaMCPError: it cannot be loaded, or the engine is gone, or it takes too long.
    """
    begun = time.monotonic()

    async def keep_telling() -> None:
        while True:
            seconds = time.monotonic() - begun
            tell(ModelLoad(seconds, f"The engine is loading {access.shown_model}"))
            await anyio.sleep(_TELL_SECONDS)

    problem: LlamaMCPError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_telling)
        try:
            with anyio.fail_after(LOAD_SECONDS):
                await _load(access)
        except TimeoutError:
            within = f"its model has not loaded within {LOAD_SECONDS:.0f} s"
            problem = RemoteBusyError(access.url, within, waiting_seconds=None)
        except LlamaMCPError as error:
            problem = error
        tasks.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def _load(access: Access) -> None:
    while (facts := await access.refresh(0)).is_loading:
        if facts.kind == "router" and facts.model is not None:
            answer = await access.http.ask(
                "GET", props_of(facts.model, may_load=True), timeout_seconds=LOAD_SECONDS
            )
            if not answer.is_success and not answer.refusal.is_busy:
                raise access.error_of(answer.refusal, {})
        await anyio.sleep(_POLL_SECONDS)
