"""Runs the official conformance suite on our own server object and judges the results.

    python -m clients.conformance NODE 2025-11-25|2026-07-28|extensions

NODE is the Node to run the suite with. Every scenario that the suite has for that run must pass,
except those that conformance_exceptions.toml names with a reason, and those must not. What came out
is printed as one JSON line; what is wrong goes to stderr, and the exit code is 1.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUITE = HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
EXTENSIONS = "extensions"
# Of every scenario the suite also holds the frames against the specification's schema.
WIRE_CHECK = "wire-schema-valid"
START_SECONDS = 30
SUITE_SECONDS = 120

Checks = list[dict[str, Any]]


def main(node: str, run: str) -> int:
    """Run the suite and judge it; return the exit code."""
    exceptions = tomllib.loads((HERE / "conformance_exceptions.toml").read_text())[run]
    listed = _scenarios_of(run, _suite(node, "list", "--server"))
    if run == EXTENSIONS:  # they belong to no version, and are among what the suite calls pending
        which = ["--suite", "pending"]
    else:
        which = ["--suite", "all", "--spec-version", run]
    with tempfile.TemporaryDirectory() as folder, _serve() as url:
        _suite(node, "server", "--url", url, *which, "--output-dir", folder)
        results = _read_results(Path(folder))
    wrong = judge(listed, results, exceptions)
    for complaint in wrong:
        print(complaint, file=sys.stderr)
    passed = sum(_outcome(results.get(name, [])) == "passed" for name in listed)
    done = [f"{passed} scenarios passed", f"{len(exceptions)} do not apply"]
    print(json.dumps({"version": run, "done": done}))
    return 1 if wrong else 0


def judge(listed: set[str], results: dict[str, Checks], exceptions: dict[str, str]) -> list[str]:
    """Say what is wrong with the results of a run.

    Args:
        listed: The scenarios that the suite has for this run.
        results: The checks of each scenario that was run.
        exceptions: The scenarios that do not apply, with the reason.
    """
    wrong = [
        f"{name} is among the exceptions, but no scenario" for name in exceptions.keys() - listed
    ]
    for name in sorted(listed):
        outcome = _outcome(results.get(name, []))
        if outcome == "passed" and name in exceptions:
            wrong.append(f"{name} is among the exceptions, but passes")
        elif outcome != "passed" and name not in exceptions:
            wrong.append(f"{name}: {outcome}")
            wrong += [
                f"    {check['id']}: {check.get('errorMessage', 'no message')}"
                for check in results.get(name, [])
                if check["status"] == "FAILURE"
            ]
    return wrong


def _outcome(checks: Checks) -> str:
    if any(check["status"] == "FAILURE" for check in checks):
        return "failed"
    if any(check["status"] == "SUCCESS" and check["id"] != WIRE_CHECK for check in checks):
        return "passed"
    return "checked nothing"


def _scenarios_of(run: str, listing: str) -> set[str]:
    """Return the scenarios of a run from lines such as `  - ping [2025-06-18,2025-11-25]`."""
    tag = "extension" if run == EXTENSIONS else run
    lines = re.findall(r"^ +- (\S+) \[(.*)\]$", listing, re.MULTILINE)
    return {name for name, tags in lines if tag in tags.split(",")}


def _read_results(folder: Path) -> dict[str, Checks]:
    results = {}
    for path in folder.glob("server-*/checks.json"):
        name = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", path.parent.name)
        if name:
            results[name[1]] = json.loads(path.read_text())
    return results


def _suite(node: str, *arguments: str) -> str:
    """Run the suite; its exit code says that something failed, which we judge ourselves."""
    command = [node, str(SUITE), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SUITE_SECONDS)
    return done.stdout


@contextmanager
def _serve() -> Iterator[str]:
    command = [sys.executable, "-m", "clients.conformance_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            if not url:
                raise RuntimeError("the server under test did not start")
            yield url
        finally:
            server.terminate()
            server.wait(START_SECONDS)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
