"""Completions of the command line for bash, zsh and fish."""

from pathlib import Path

import shtab

from llama_mcp.cli.commands import whole_parser

# What each shell looks for.
FILES = {"bash": "llama-mcp.bash", "zsh": "_llama-mcp", "fish": "llama-mcp.fish"}


def write_completions(folder: Path) -> list[Path]:
    """Write one file a shell and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    parser = whole_parser()
    written = []
    for shell, name in FILES.items():
        path = folder / name
        path.write_text(shtab.complete(parser, shell=shell), "utf-8")
        written.append(path)
    return written
