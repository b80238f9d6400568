"""The installed command as a person runs it: in a pipe, or in a pseudo-terminal."""

import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.client_process import COMMAND, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS

_WIDER = 300
_PRESS_AGAIN_SECONDS = 2.0
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment_of(llama_mcp: LlamaMCP, **more: str) -> dict[str, str]:
    """Return what the command is run with; nothing of the real home is in it."""
    home = llama_mcp.home.parent / "user-home"
    home.mkdir(exist_ok=True)
    basic = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm"}
    return basic | llama_mcp.environment | more


def run(
    llama_mcp: LlamaMCP,
    *arguments: str,
    piped: bytes | None = None,
    cwd: Path | None = None,
    **more: str,
) -> "subprocess.CompletedProcess[str]":
    """Run the command without a terminal; stdin is /dev/null, or what is piped in."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env=environment_of(llama_mcp, **more),
        cwd=cwd or llama_mcp.home.parent,
        stdin=subprocess.DEVNULL if piped is None else None,
        input=piped,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    texts = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, *texts)


class PseudoTerminal:
    """A terminal that a test types into, and whose screen it reads."""

    def __init__(self, descriptor: int, pid: int) -> None:
        self.pid = pid
        self.shown = ""
        """All that was written, codes included."""
        self._descriptor = descriptor
        self._seen = 0
        self._code: int | None = None

    @property
    def text(self) -> str:
        """All that was written, without codes."""
        return _CODES.sub("", self.shown)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def enter(self, line: str) -> None:
        """Type a line at the next prompt."""
        self.wait_for(">>> ")
        self.type(f"{line}\r")

    def resize(self, columns: int, rows: int) -> None:
        """Make it as large as that."""
        if sys.platform != "win32":
            import fcntl
            import termios

            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    def wait_for(self, text: str) -> str:
        """Wait until a text comes after what was waited for before; return all up to its end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (at := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.shown[self._seen :]!r}"
            if not self._read():
                raise AssertionError(f"ended before {text!r}: {self.shown[self._seen :]!r}")
        before, self._seen = self.shown[self._seen : at], at + len(text)
        return before + text

    def press_until(self, keys: str, text: str) -> None:
        """Press keys until a text comes: Python loses a Ctrl-C between a prompt and its wait."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown[self._seen :]:
            assert time.monotonic() < deadline, self.shown[self._seen :]
            self.type(keys)
            again = time.monotonic() + _PRESS_AGAIN_SECONDS
            while text not in self.shown[self._seen :] and time.monotonic() < again:
                self._read()
        self.wait_for(text)

    def wait_until_it_writes(self) -> None:
        """Wait until a reply has begun: no line of progress is as wide as what has come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.shown[self._seen :].rpartition("\x1b[K")[2]) < _WIDER:
            assert time.monotonic() < deadline and self._read(), self.shown[self._seen :]

    def exit_code(self) -> int:
        """Wait until the command ends; return its exit code, negative for a signal."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def close(self) -> None:
        """End the command if it has not ended, and close the terminal."""
        if self._code is None:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.Signals["SIGKILL"])
                os.waitpid(self.pid, 0)
        os.close(self._descriptor)

    def _read(self) -> bool:
        """Read what has come within a moment; False once the command has closed its side."""
        if select.select([self._descriptor], [], [], 0.05)[0]:
            try:
                come = os.read(self._descriptor, 65536)
            except OSError:  # Linux says EIO
                return False
            self.shown += come.decode("utf-8", "replace")
            return bool(come)
        return True


@contextmanager
def terminal(
    llama_mcp: LlamaMCP,
    *arguments: str,
    columns: int = 100,
    rows: int = 40,
    cwd: Path | None = None,
    without: tuple[str, ...] = (),
    **more: str,
) -> Iterator[PseudoTerminal]:
    """Run the command in a terminal of its own, where there are such (tests are marked posix)."""
    environment = environment_of(llama_mcp, **more)
    environment = {name: text for name, text in environment.items() if name not in without}
    pid, descriptor = _fork()
    if pid == 0:
        for name in ("SIGINT", "SIGHUP"):  # a suite in the background has them ignored
            signal.signal(signal.Signals[name], signal.SIG_DFL)
        os.chdir(cwd or llama_mcp.home.parent)
        os.execve(COMMAND, [COMMAND, *arguments], environment)
    shown = PseudoTerminal(descriptor, pid)
    shown.resize(columns, rows)
    try:
        yield shown
    finally:
        shown.close()


def _fork() -> tuple[int, int]:
    """Return the pid of a child that has a terminal, and our end of it; in the child 0."""
    if sys.platform != "win32":
        import pty

        return pty.fork()
    raise NotImplementedError


def modules_imported(
    llama_mcp: LlamaMCP, arguments: list[str], **more: str
) -> Mapping[str, list[str]]:
    """Return the modules that a command has imported at its end, under their package's name."""
    program = (
        "import sys; from llama_mcp.cli.main import main; code = main(sys.argv[1:]); "
        "print(*sorted(sys.modules), sep='\\n', file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        env=environment_of(llama_mcp, **more),
        cwd=llama_mcp.home.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules: dict[str, list[str]] = {}
    for name in done.stderr.splitlines():
        modules.setdefault(name.partition(".")[0], []).append(name)
    return modules
