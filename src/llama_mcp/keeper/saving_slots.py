"""Saves what llama-server's slots hold before it is stopped, so that the next one can go on.

Every call is answered before llama-server is asked to end: a save that meets SIGTERM holds both up
(tried on b11434). A save stands in the way of everything else that llama-server does, so there is a
limit for all of them together. What was written counts only with its record (kv_files.py), which is
made while llama-server ends.

Imported when a llama-server is stopped whose launch says so: http.client costs memory.
"""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any

from llama_mcp.keeper import kv_files, run_dir

HOST = "127.0.0.1"
# Looking at it costs no time of the model; one that does not answer is not waited for.
LOOK_SECONDS = 1.0
# Hashing 1.8 GB takes a second, and begins while llama-server still writes the next file.
PROVE_SECONDS = 3.0
# Where nothing says how much a token takes: more than it does in any model known.
MOST_BYTES_PER_TOKEN = 2**20
_BROKEN = (OSError, http.client.HTTPException, ValueError)


class SlotSaver:
    """The saving of one run, at its end; conclude follows save, whatever came of it."""

    def __init__(self, folder: str, launch: dict[str, Any], say: Callable[[str], None]) -> None:
        """Take the run folder, its launch.json and what writes a line into the keeper's log."""
        self._folder = folder
        self._run = os.path.basename(folder)
        self._say = say
        self._kv: dict[str, Any] = launch.get("saved_kv") or {}
        self._port = int(launch.get("port", 0))
        key = launch.get("environment", {}).get(run_dir.API_KEY_VARIABLE)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._bytes_per_token = float(self._kv.get("bytes_per_token") or MOST_BYTES_PER_TOKEN)
        self._provers: list[threading.Thread] = []
        self._written: list[str] = []
        self._may_go_on = True
        self._forgotten = forgotten_tasks(folder)

    def save(self, may_go_on: Callable[[], bool]) -> None:
        """Have llama-server write each slot that is worth it; no call is open afterwards.

        Args:
            may_go_on: asked between two slots.
        """
        deadline = time.monotonic() + float(self._kv["limit_seconds"])
        # llama-server has looked for it at its start only, and somebody may clear away what is old.
        os.makedirs(str(self._kv["folder"]), mode=0o700, exist_ok=True)
        if why := self._why_not():
            self._say(f"no prompt cache is saved: {why}")
            return
        for slot, tokens in worth_saving(
            self._slots(), int(self._kv["least_tokens"]), forgotten_tasks(self._folder)
        ):
            left = deadline - time.monotonic()
            if left <= 0 or not may_go_on():
                self._say("the other prompt caches are not saved: the time is over")
                return
            if not self._save(slot, tokens, left):
                return

    def conclude(self) -> None:
        """Wait until what was written is proved, or remove it; llama-server has ended."""
        deadline = time.monotonic() + PROVE_SECONDS
        for prover in self._provers:
            prover.join(max(0.0, deadline - time.monotonic()))
        self._may_go_on = False
        for path in self._written:
            if kv_files.proof_of(path) is None or forgotten_tasks(self._folder) != self._forgotten:
                kv_files.remove(path)

    def _why_not(self) -> str | None:
        folder = str(self._kv["folder"])
        if os.path.exists(os.path.join(folder, kv_files.INEFFECTIVE)):
            return "this model cannot go on from a file"
        if not are_unchanged(self._kv.get("stamps", ())):
            return "the model or llama-server was changed on disk since it was started"
        props = self._ask("GET", "/props", None, LOOK_SECONDS)
        if not isinstance(props, dict):
            return "llama-server does not answer"
        return "the model sleeps" if props.get("is_sleeping") is True else None

    def _slots(self) -> object:
        return self._ask("GET", "/slots", None, LOOK_SECONDS)

    def _save(self, slot: int, tokens: int, seconds: float) -> bool:
        """Save one slot; tell whether llama-server can be asked to save another."""
        folder = str(self._kv["folder"])
        wanted = int(tokens * self._bytes_per_token)
        if not kv_files.make_room(os.path.dirname(folder), int(self._kv["limit_bytes"]), wanted):
            self._say(f"slot {slot} ({tokens} tokens) is not saved: there is no room for it")
            return True
        name = kv_files.incoming_name(self._run, slot)
        path = os.path.join(folder, name)
        self._written.append(path)
        began = time.monotonic()
        answer = self._ask("POST", f"/slots/{slot}?action=save", {"filename": name}, seconds)
        saved, written = (_count(answer, each) for each in ("n_saved", "n_written"))
        if saved is None or written is None:
            is_late = time.monotonic() - began >= seconds
            why = "it takes too long" if is_late else f"llama-server says {_shown(answer)}"
            self._say(f"slot {slot} ({tokens} tokens) is not saved: {why}")
            return not is_late
        self._bytes_per_token = written / max(saved, 1)
        took = (time.monotonic() - began) * 1000
        self._say(f"slot {slot} is saved: {saved} tokens, {written} bytes, {took:.0f} ms")
        if saved >= int(self._kv["least_tokens"]):
            prover = threading.Thread(target=self._prove, args=(path, saved, written), daemon=True)
            prover.start()
            self._provers.append(prover)
        return True

    def _prove(self, path: str, tokens: int, written: int) -> None:
        with suppress(OSError):
            if os.path.getsize(path) != written:
                return
            digest = kv_files.digest_of(path, lambda: self._may_go_on)
            if digest is not None and os.path.getsize(path) == written:
                kv_files.prove(path, kv_files.Proof(tokens, written, digest, self._run))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> object:
        """Return the JSON of an answer, whatever its status; None without one."""
        with closing(http.client.HTTPConnection(HOST, self._port, timeout=seconds)) as connection:
            try:
                content = None if body is None else json.dumps(body)
                headers = self._headers | {"Content-Type": "application/json"}
                connection.request(method, path, content, headers)
                answer: object = json.loads(connection.getresponse().read())
            except _BROKEN:
                return None
            return answer


def worth_saving(
    slots: object, least_tokens: int, forgotten: "int | float | None"
) -> list[tuple[int, int]]:
    """Return the slots that are saved and their tokens, the one that was used last first.

    Args:
        slots: what /slots says.
        least_tokens: a shorter prompt is read again as soon.
        forgotten: the number of the last request before a session was deleted.
    """
    if not isinstance(slots, list):
        return []
    found = []
    for slot in slots:
        number, tokens, task = (_count(slot, name) for name in ("id", "n_prompt_tokens", "id_task"))
        if number is None or tokens is None or slot.get("is_processing") is not False:
            continue
        is_forgotten = forgotten is not None and (task is None or task <= forgotten)
        if tokens >= least_tokens and not is_forgotten:
            found.append((task or 0, number, tokens))
    return [(number, tokens) for _task, number, tokens in sorted(found, reverse=True)]


def forgotten_tasks(folder: str) -> "int | float | None":
    """Return up to which request nothing of a run may be saved, because a session was deleted.

    Returns:
        None where none was; infinity where it is not known.
    """
    path = os.path.join(folder, run_dir.FORGOTTEN)
    if not os.path.exists(path):
        return None
    try:
        last = (run_dir.read_whole(path) or {}).get("last_task")
    except OSError:
        last = None
    return last if isinstance(last, int) else float("inf")


def are_unchanged(stamps: Sequence[Any]) -> bool:
    """Tell whether files have the sizes and times of change that a launch has noted of them."""
    try:
        for stamp in stamps:
            found = os.stat(stamp["path"])
            if (found.st_size, found.st_mtime_ns) != (stamp["size"], stamp["mtime_ns"]):
                return False
    except (OSError, KeyError, TypeError):
        return False
    return True


def _count(answer: object, name: str) -> int | None:
    value = answer.get(name) if isinstance(answer, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _shown(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return str(message)[:200] if message else "nothing that is known"
