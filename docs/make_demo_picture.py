"""Makes docs/demo.svg: a run of `llama-mcp demo` as a terminal shows it. See scripts/picture.

The lines are the demo's own. Left out are progress lines between the first and the last of a row,
what a step prints beyond SHOWN_LINES (the picture says how much), and paths of this machine.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

PICTURE = Path(__file__).with_name("demo.svg")
COMMAND = "sh scripts/demo"
COLUMNS = 124
SHOWN_LINES = 5
INDENT = "      "
SET_UP = r"  \1 claude-code"

FONT_SIZE, LINE_HEIGHT, MARGIN = 14, 19, 20
# Monospaced fonts are about six tenths of their size wide.
COLUMN_WIDTH = 0.6 * FONT_SIZE
BACKGROUND, PLAIN, STEP, DIM = "#161b22", "#d0d7de", "#7ee787", "#8b949e"


def main() -> int:
    """Run the demo and draw it; return the demo's exit code."""
    command = [sys.executable, "-P", "-m", "llama_mcp", "demo"]
    run = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if run.returncode == 0:
        lines = [f"$ {COMMAND}", *shorten(without_paths(run.stdout).rstrip().splitlines())]
        PICTURE.write_text(draw(list(wrap(lines))), encoding="utf-8")
    else:
        sys.stderr.write(run.stdout)
    return run.returncode


def without_paths(text: str) -> str:
    """Return the text without this machine's paths and clients, as far as the demo tells them.

    The demo cuts some quoted paths off before their end.
    """
    text = re.sub(
        r"^  \S*(\.venv/bin/llama-mcp install) .*(\nCLIENT .*)?", SET_UP, text, flags=re.M
    )
    return re.sub(r"'/[^'\n]*'?", "'…", text)


def shorten(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of each step up to SHOWN_LINES, and how many more there were."""
    for shown in split_steps(without_middle_progress(lines)):
        is_step = shown[0].startswith("[")
        body = [line for line in shown if line]
        left_out = body[1 + SHOWN_LINES :] if is_step else []
        yield from body[: len(body) - len(left_out)]
        if left_out:
            yield f"{INDENT}… {len(left_out)} more lines"
        yield ""


def split_steps(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield what comes before the first step, each step, and what comes after the last one."""
    part: list[str] = []
    for line in lines:
        # The demo's last words stand apart from its last step.
        is_end = bool(part) and part[0].startswith("[9/") and line and not line.startswith(" ")
        if part and (line.startswith("[") or is_end):
            yield part
            part = []
        if part or line:
            part.append(line)
    yield part


def without_middle_progress(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines; of several progress lines in a row only the first and the last."""
    for is_progress, group in groupby(lines, lambda line: line.startswith(f"{INDENT}Loading ")):
        row = list(group)
        yield from (row[0], row[-1]) if is_progress and len(row) > 1 else row


def wrap(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines as a terminal of COLUMNS shows them."""
    for line in lines:
        for begin in range(0, max(len(line), 1), COLUMNS):
            yield line[begin : begin + COLUMNS].rstrip()


def draw(lines: list[str]) -> str:
    """Return an SVG of the lines in a terminal's colours; text only, no font is embedded."""
    width = round(2 * MARGIN + COLUMNS * COLUMN_WIDTH)
    height = 2 * MARGIN + len(lines) * LINE_HEIGHT
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + number * LINE_HEIGHT + FONT_SIZE}" '
        f'fill="{colour_of(line)}">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="A run of {COMMAND} in a terminal" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" '
        f'font-size="{FONT_SIZE}" xml:space="preserve" style="white-space: pre">'
    )
    ground = f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>'
    return "\n".join([head, ground, *rows, "</svg>\n"])


def colour_of(line: str) -> str:
    """Return the colour of a line: commands and steps stand out, what is less important recedes."""
    if line.startswith(("$", "[")):
        return STEP
    return DIM if line.startswith((f"{INDENT}Loading", f"{INDENT}…")) else PLAIN


if __name__ == "__main__":
    sys.exit(main())
