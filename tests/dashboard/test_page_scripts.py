"""The page's own scripts, tested by Node where it is installed; `scripts/clients` brings one."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "page"


def test_the_modules_of_the_page_pass_their_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH; `sh scripts/clients` brings one and runs this")
    tests = sorted(str(path) for path in SCRIPTS.glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
