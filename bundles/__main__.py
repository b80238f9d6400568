"""Builds everything into dist/ and prints a line for each thing; see __init__.py.

python -m bundles [--dist FOLDER] [--owner OWNER] [--validate]
"""

import argparse
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bundles import mcpb, plugins
from bundles.completions import write_completions
from bundles.facts import REPOSITORY, Facts, read_facts
from bundles.payload import write_payload
from bundles.registry import write_entry
from bundles.validating import validate

# The same content gives the same file: the earliest time that zip knows.
EPOCH = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    """Build, and validate what was built when asked; return the exit code."""
    arguments = _arguments()
    dist: Path = arguments.dist
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    for path in build(dist, arguments.owner):
        print(f"built   {path}", flush=True)
    if not arguments.owner:
        print("left out server.json: it needs --owner, the account that owns the repository")
    if not arguments.validate:
        return 0
    return 1 if validate(dist, REPOSITORY / ".programs" / "validators") else 0


def build(dist: Path, owner: str | None) -> Iterator[Path]:
    """Build everything into an empty folder, and give what was built as it is ready."""
    facts = read_facts()
    command = [sys.executable, "-m", "build", "--outdir", str(dist), str(REPOSITORY)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    wheel = next(dist.glob("*.whl"))
    yield from (wheel, next(dist.glob("*.tar.gz")))
    yield _build_mcpb(dist, facts, wheel)
    for write, name in (
        (plugins.write_claude_code, "claude-code"),
        (plugins.write_codex, "codex"),
        (plugins.write_gemini, "gemini"),
    ):
        write_payload(write(dist / name, facts), facts, wheel)
        yield zipped(dist / name, dist / f"{facts.name}-{name}-{facts.version}.zip")
    if owner:
        write_entry(dist / "server.json", facts, owner)
        yield dist / "server.json"
    yield from write_completions(dist / "completions")


def _build_mcpb(dist: Path, facts: Facts, wheel: Path) -> Path:
    folder = dist / "mcpb"
    write_payload(folder, facts, wheel)
    mcpb.write_manifest(folder, facts)
    return zipped(folder, dist / f"{facts.name}-{facts.version}.mcpb")


def zipped(folder: Path, target: Path) -> Path:
    """Pack a folder's files, so that the same content gives the same file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, default=REPOSITORY / "dist", help="where to")
    parser.add_argument("--owner", help="account of the forge, for the registry's server.json")
    parser.add_argument("--validate", action="store_true", help="run the official validators")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
