"""Log lines on stderr in llama-server's form: `M.SS.mmm.uuu L tag func: message`."""

import contextlib
import os
import time

STARTED = time.monotonic()


def log(func: str, message: str, level: str = "I", tag: str = "srv") -> None:
    micros = int((time.monotonic() - STARTED) * 1e6)
    seconds, micros = divmod(micros, 1_000_000)
    stamp = f"{seconds // 60}.{seconds % 60:02}.{micros // 1000:03}.{micros % 1000:03}"
    raw_line(f"{stamp} {level} {tag:4s} {func[:12]:>12s}: {message}")


def slot_log(func: str, slot: int, task: int, message: str) -> None:
    log(func, f"id {slot:2d} | task {task} | {message}", tag="slot")


def raw_line(text: str) -> None:
    """One write per line keeps lines of several threads whole; a closed stderr harms nobody."""
    data = text.encode(errors="replace") + b"\n"
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(2, data) :]


def chatter(lines: int) -> None:
    for number in range(lines):
        log("chatter", f"line {number} of {lines}: " + "the quick brown fox " * 4)
