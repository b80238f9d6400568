"""A command that is asked to end leaves nothing behind: the signal becomes a cancellation."""

import signal
import sys
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskStatus

ENDED_BY_SIGNAL = 1


async def until_signal(act: Callable[[], Awaitable[int]], *more: str) -> int:
    """Act until it is done or SIGTERM, SIGHUP or one of more comes; return the exit code.

    Windows has no signals that can be waited for: there a command is ended, or gets Ctrl-C.
    """
    exit_code = ENDED_BY_SIGNAL
    async with anyio.create_task_group() as tasks:
        await tasks.start(_cancel_on_signal, tasks.cancel_scope, ("SIGTERM", "SIGHUP", *more))
        exit_code = await act()
        tasks.cancel_scope.cancel()
    return exit_code


async def _cancel_on_signal(
    scope: anyio.CancelScope, names: tuple[str, ...], *, task_status: TaskStatus[None]
) -> None:
    known = [] if sys.platform == "win32" else [signal.Signals[name] for name in names]
    with anyio.open_signal_receiver(*known) as signals:
        task_status.started()
        async for _number in signals:
            scope.cancel()
