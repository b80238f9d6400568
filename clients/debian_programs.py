"""Programs of Debian packages, for tests: unpacked in a folder of ours, and nothing is installed.

So no service of theirs starts, no setting of the machine changes, and root is not needed.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent / ".programs" / "debian"
FOLDERS = [FOLDER / "usr" / "sbin", FOLDER / "usr" / "bin"]
FETCH_SECONDS = 300


def fetch_missing(names: Sequence[str]) -> str | None:
    """Fetch the packages of that name for which there is no program; return what went wrong."""
    missing = [name for name in names if not _is_there(name)]
    if not missing:
        return None
    print(f"Fetching Debian's {' and '.join(missing)} into {FOLDER}", file=sys.stderr)
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix="llama-mcp-debian-") as folder:
            _run(["apt-get", "download", "-q", *missing], Path(folder))
            for package in Path(folder).glob("*.deb"):
                _run(["dpkg-deb", "--extract", str(package), str(FOLDER)], Path(folder))
    except (subprocess.SubprocessError, OSError) as error:
        return f"{' and '.join(missing)} cannot be fetched: {error}"
    return None


def _is_there(name: str) -> bool:
    return bool(shutil.which(name)) or any((folder / name).is_file() for folder in FOLDERS)


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=FETCH_SECONDS, cwd=folder)
