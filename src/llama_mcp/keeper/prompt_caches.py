"""Whether prompt caches are saved before llama-server is stopped, and that nothing half is left."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llama_mcp.keeper import run_dir

if TYPE_CHECKING:
    from llama_mcp.keeper.saving_slots import SlotSaver


class PromptCaches:
    """Those of one run, at its end."""

    def __init__(self, folder: str, launch: dict[str, Any], say: Callable[[str], None]) -> None:
        """Take the run folder, its launch.json and what writes a line into the keeper's log."""
        self._folder = folder
        self._launch = launch
        self._say = say
        self._saver: SlotSaver | None = None

    def save(self, is_signalled: Callable[[], bool]) -> None:
        """Save them before an orderly stop of a llama-server that answers; limited in time.

        Args:
            is_signalled: whether a signal has asked for the end, as the system does when it shuts
                down.
        """

        def has_time() -> bool:
            return not is_wanted_at_once(self._folder, is_signalled())

        is_silent = os.path.exists(os.path.join(self._folder, run_dir.UNRESPONSIVE))
        if not self._launch.get("saved_kv") or is_silent or not has_time():
            return
        from llama_mcp.keeper.saving_slots import SlotSaver

        try:
            self._saver = SlotSaver(self._folder, self._launch, self._say)
            self._saver.save(has_time)
        except Exception as error:  # whatever it is, llama-server has to be stopped
            self._say(f"prompt caches are not saved: {type(error).__name__}: {error}")

    def conclude(self) -> None:
        """Prove what was saved, or remove it; llama-server has ended."""
        if self._saver is not None:
            self._saver.conclude()


def is_wanted_at_once(folder: str, is_signalled: bool) -> bool:
    """Tell whether nobody wants to wait: by what the file `stop` says, else by how it came."""
    try:
        with open(os.path.join(folder, run_dir.STOP), encoding="ascii", errors="replace") as file:
            return file.read() == run_dir.AT_ONCE
    except OSError:  # no such file: unused, or a signal
        return is_signalled
