"""Every module can be imported where the names that only POSIX or only Linux has are missing."""

import subprocess
import sys

import pytest

from tests.support import foreign_platform_program


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_no_import_needs_a_name_that_the_platform_does_not_have(platform: str) -> None:
    if sys.platform == "win32" and platform == "darwin":
        pytest.skip("Windows cannot be taken for a POSIX system")
    command = [sys.executable, foreign_platform_program.__file__, platform]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
