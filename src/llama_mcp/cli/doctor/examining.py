"""Checks, each made apart from the others: one that raises or hangs becomes a line."""

import logging
from collections.abc import Sequence

import anyio
from anyio.abc import TaskGroup

from llama_mcp.cli.doctor.findings import Check, Circumstances, Finding, Level, fault, warning
from llama_mcp.cli.failures import COMMAND_WORDS
from llama_mcp.errors import LlamaMCPError, WrongSettingsError

logger = logging.getLogger(__name__)

_REPORT = "This is a bug in `llama-mcp doctor`: please report it."


class Examination:
    """Makes checks, one after the other."""

    def __init__(self, circumstances: Circumstances, tasks: TaskGroup) -> None:
        """Take what is looked at, and where checks run that hang."""
        self._circumstances = circumstances
        self._tasks = tasks
        self._running: set[str] = set()
        self._faults: set[str] = set()

    @property
    def is_stuck(self) -> bool:
        """Whether a check still waits for something that does not answer, in a thread."""
        return bool(self._running)

    async def make(self, check: Check) -> Sequence[Finding]:
        """Return what a check has found, or that it could not be made."""
        found: list[Finding] = []
        is_done, scope = anyio.Event(), anyio.CancelScope()

        async def look() -> None:
            self._running.add(check.topic)
            with scope:
                found.extend(await _findings_of(check, self._circumstances))
            self._running.discard(check.topic)
            is_done.set()

        self._tasks.start_soon(look)
        with anyio.move_on_after(check.seconds):
            await is_done.wait()
            return self._once(found)
        # It ends now, or, should a thread of it wait for a disk, never.
        scope.cancel()
        if check.starts_programs:
            await is_done.wait()
        return [_hung(check)]

    def _once(self, found: Sequence[Finding]) -> Sequence[Finding]:
        """Return the findings, with a fault that was told before only named: it is one fault."""
        once = [
            warning("This was not looked at, because of a fault above.", "Mend that first.")
            if finding.level is Level.FAULT and finding.text in self._faults
            else finding
            for finding in found
        ]
        self._faults |= {each.text for each in found if each.level is Level.FAULT}
        return once


async def _findings_of(check: Check, circumstances: Circumstances) -> Sequence[Finding]:
    try:
        return await check.look(circumstances)
    except LlamaMCPError as error:
        return [told(error)]
    except Exception as error:  # whatever it is, the other checks are worth having
        logger.debug("The check of %s failed", check.topic, exc_info=error)
        what = f"{type(error).__name__}: {error}"
        return [fault(f"This could not be checked: {what}", _REPORT)]


def told(error: LlamaMCPError, next_step: str | None = None) -> Finding:
    """Return an anticipated failure as a fault; wrong settings are told by a check of their own.

    Args:
        error: the failure. Of one about an operator's value its cause is told: the rest is for a
            model that makes calls.
        next_step: what to do at a terminal; None where the error says it.
    """
    while error.cause is not None:
        error = error.cause
    if isinstance(error, WrongSettingsError):
        return warning("This was not looked at: its settings are wrong.", "Set them right first.")
    text = error.told(COMMAND_WORDS)
    return fault(text, next_step or "Do what it says, then run `llama-mcp doctor` again.")


def _hung(check: Check) -> Finding:
    return fault(
        f"This could not be checked within {check.seconds:g} s.",
        "Look for a disk, a network folder or a driver that does not answer, and try again.",
    )
