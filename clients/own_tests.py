"""The tests of the suite that need programs which few machines have; the suite skips them there.

    python -m clients.own_tests NODE

The page's scripts with a Node, and a reply through nginx and Caddy. Prints one JSON line: how many
passed, and what could not be run all the same.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from clients import debian_programs

ROOT = Path(__file__).parent.parent
TESTS = ("tests/dashboard/test_page_scripts.py", "tests/deploy/test_proxies.py")
_SKIPPED = re.compile(r"^SKIPPED .*: (.*)$", re.MULTILINE)


def main(node: str) -> int:
    """Run them; return the exit code of pytest."""
    problem = debian_programs.fetch_missing(["nginx", "caddy"])
    folders = [str(Path(node).parent), os.environ["PATH"], *map(str, debian_programs.FOLDERS)]
    ours = ("LLAMA_MCP_", "HF_")  # the clients' settings; tests make their own
    variables = {name: each for name, each in os.environ.items() if not name.startswith(ours)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env=variables | {"PATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        print(run.stdout + run.stderr, file=sys.stderr)
        return run.returncode
    passed = re.search(r"(\d+) passed", run.stdout)
    done = [passed[0] if passed else "none passed", *sorted(set(_SKIPPED.findall(run.stdout)))]
    done += [problem] if problem else []
    print(json.dumps({"version": "-", "done": done}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
