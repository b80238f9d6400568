"""A client that is killed while llama-mcp replies to it, and how llama-mcp ends then.

python dead_parent_program.py LLAMA-MCP prints llama-mcp's exit code, as a signal when negative.
It adopts the orphan (prctl(2), PR_SET_CHILD_SUBREAPER): nobody else could learn that code.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from typing import IO, Any, NoReturn

PR_SET_CHILD_SUBREAPER = 36


def main(command: str) -> None:
    if sys.platform != "linux":
        sys.exit("prctl(2) is Linux's")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    readable, writable = os.pipe()
    client = os.fork()
    if client == 0:
        os.close(readable)
        be_a_client(command, writable)
    os.close(writable)
    with open(readable, "rb") as told:
        orphan = int(told.readline())
    os.kill(client, signal.SIGKILL)
    while True:
        pid, status = os.wait()
        if pid == orphan:
            print(os.waitstatus_to_exitcode(status))
            return


def be_a_client(command: str, told: int) -> NoReturn:
    process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    initialize = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "mortal", "version": "1"},
    }
    send(process.stdin, "initialize", initialize, id=1)
    until_answered(process.stdout, 1)
    send(process.stdin, "notifications/initialized", {})
    send(process.stdin, "tools/call", {"name": "start_llama_server", "arguments": {}}, id=2)
    until_answered(process.stdout, 2)
    chat = {
        "name": "chat",
        "arguments": {"message": "Go on and on"},
        "_meta": {"progressToken": 1},
    }
    send(process.stdin, "tools/call", chat, id=3)
    while not json.loads(process.stdout.readline()).get("params", {}).get("message"):
        pass
    os.write(told, b"%d\n" % process.pid)
    while True:
        time.sleep(3600)


def send(stdin: IO[bytes], method: str, params: dict[str, Any], **more: int) -> None:
    message = {"jsonrpc": "2.0", "method": method, "params": params, **more}
    stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()


def until_answered(stdout: IO[bytes], number: int) -> None:
    while json.loads(stdout.readline()).get("id") != number:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
