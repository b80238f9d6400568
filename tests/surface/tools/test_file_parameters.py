"""Files that a call names are read in the time that it has."""

import pytest

from llama_mcp.surface.tools.file_parameters import FilesOfCall, in_time
from llama_mcp.turns.errors import FilesTakeLongError


async def test_files_that_take_too_long_end_the_call_and_say_what_to_do() -> None:
    with pytest.raises(FilesTakeLongError, match="wait_seconds"):
        await in_time(0.0, FilesOfCall)


async def test_what_is_read_in_time_is_given() -> None:
    assert await in_time(600.0, FilesOfCall) == FilesOfCall()
