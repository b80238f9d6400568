"""Asks the real server what the catalogue of early answers holds, and writes it or compares it.

    python scripts/catalogue.py [--check]

stdout is a file here, for which llama-mcp answers nothing early.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parent.parent / "src" / "llama_mcp" / "early" / "catalogue.txt"
LISTS = ("tools/list", "prompts/list", "resources/templates/list", "resources/list")
# What decides the answers of a real server and differs from client to client is tried in
# tests/early/test_same_answers.py.
CLIENT = {"name": "catalogue", "version": "1"}
GREETING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
APPS = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
ASKED: dict[str, dict[str, dict[str, Any]]] = {
    "legacy": {"initialize": GREETING, "ping": {}} | dict.fromkeys(LISTS, {}),
    "modern": dict.fromkeys(("server/discover", *LISTS), ENVELOPE),
}


def made_catalogue() -> str:
    """Return what the catalogue should hold now."""
    lines = [f"mcp {version('mcp')}"]
    for era, asked in ASKED.items():
        lines += [f"{era} {method} {result}" for method, result in results_of(asked).items()]
        lines.append(f"{era}-apps tools/list {tools_of_page(asked)}")
    return "\n".join(lines) + "\n"


def tools_of_page(asked: dict[str, dict[str, Any]]) -> str:
    """Return the tools that only a client that shows apps is told of, as a list of tools.

    Args:
        asked: what a client of the era asks that shows none.
    """
    shows_apps = json.dumps({"extensions": APPS})
    capable = json.loads(
        json.dumps(asked)
        .replace('"capabilities": {}', f'"capabilities": {shows_apps}')
        .replace('clientCapabilities": {}', f'clientCapabilities": {shows_apps}')
    )
    told, shared = results_of(capable)["tools/list"], results_of(asked)["tools/list"]
    # They stand at the end of the list, behind which the result may have more.
    head, _, tail = shared.rpartition("}]")
    assert told.startswith(head) and told.endswith(f"}}]{tail}"), (
        "tools of the page stand elsewhere"
    )
    entries = told[len(head) + 1 : len(told) - len(tail) - 1].removeprefix(",")
    return f'{{"tools":[{entries}]}}'


def results_of(asked: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the real server's results as it writes them, by method."""
    methods = list(asked)
    requests = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": asked[method]}
        for number, method in enumerate(methods)
    ]
    results = {}
    asked_lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    for line in said_by_the_real_server(asked_lines, len(requests)):
        number = json.loads(line)["id"]
        head = f'{{"jsonrpc":"2.0","id":{number},"result":'
        assert line.startswith(head) and line.endswith("}"), line
        results[methods[number]] = line[len(head) : -1]
    return {method: results[method] for method in methods}


def said_by_the_real_server(asked: bytes, count: int) -> list[str]:
    """Return that many lines which llama-mcp answers with when stdout is a file."""
    with tempfile.TemporaryDirectory(prefix="llama-mcp-catalogue-") as home:
        environment = {"HOME": home, "USERPROFILE": home, "LLAMA_MCP_HOME": str(Path(home, "none"))}
        if "SYSTEMROOT" in os.environ:  # without it no Python starts on Windows
            environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        said = Path(home, "said")
        with said.open("wb") as stdout:
            server = subprocess.Popen(
                [sys.executable, "-m", "llama_mcp"],
                stdin=subprocess.PIPE,
                stdout=stdout,
                env=environment,
            )
        assert server.stdin is not None
        # Kept open until all is said: what is asked at the end may be answered too late.
        server.stdin.write(asked)
        server.stdin.flush()
        while said.read_bytes().count(b"\n") < count and server.poll() is None:
            time.sleep(0.02)
        server.stdin.close()
        server.wait()
        return said.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def main() -> int:
    """Write the catalogue; with --check, tell whether it is as it should be."""
    made = made_catalogue()
    if "--check" not in sys.argv:
        CATALOGUE.write_text(made, encoding="utf-8", newline="\n")
        return 0
    if CATALOGUE.read_text(encoding="utf-8") == made:
        return 0
    print("The catalogue of early answers is stale. Make it again: sh scripts/catalogue")
    return 1


if __name__ == "__main__":
    sys.exit(main())
