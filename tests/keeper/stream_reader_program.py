"""A reader of one stream that does what llama-mcp does with the run folder, as a program to kill.

`python -m tests.keeper.stream_reader_program FOLDER PORT ID TASK [BODY]`

begin   registers the stream, posts BODY, and holds on after the first token
follow  the same, but reads to the end of the body
adopt   takes up a stream whose reader is gone, and reads to the end of the body

What it has read stands in the file ID.read of the folder, how far it is on stdout.
"""

import http.client
import sys
import time
from io import RawIOBase
from pathlib import Path

from filelock import FileLock

from llama_mcp.keeper import run_dir

FIRST_TOKEN = b'"content":"'
KEY = "secret"
HEADERS = {"Authorization": f"Bearer {KEY}"}


def main(folder: str, port: str, stream_id: str, task: str, body: str = "") -> None:
    streams = Path(folder) / run_dir.STREAMS
    streams.mkdir(exist_ok=True)
    lock = FileLock(run_dir.stream_file(folder, stream_id, run_dir.STREAM_LOCK))
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    with FileLock(Path(folder) / run_dir.LEASES / f"reader-{stream_id}-{task}"), lock:
        if task == "adopt":
            response = _read_on(connection, folder, stream_id)
        else:
            _register(folder, stream_id, saved_bytes=0)
            headers = HEADERS | {"X-Conversation-Id": stream_id}
            connection.request("POST", "/v1/chat/completions", body, headers)
            response = connection.getresponse()
        with (Path(folder) / f"{stream_id}.read").open("ab", buffering=0) as read:
            _read(response, read, until_first_token=task == "begin")
            if task == "begin":
                _register(folder, stream_id, saved_bytes=read.tell())
                print("began", flush=True)
                time.sleep(3600)
            print("ended", flush=True)


def _register(folder: str, stream_id: str, saved_bytes: int) -> None:
    path = run_dir.stream_file(folder, stream_id, run_dir.STREAM_RECORD)
    is_told = not stream_id.startswith("untold")
    run_dir.write_whole(path, {"saved_bytes": saved_bytes, "is_told": is_told})


def _read_on(
    connection: http.client.HTTPConnection, folder: str, stream_id: str
) -> http.client.HTTPResponse:
    record = run_dir.read_whole(run_dir.stream_file(folder, stream_id, run_dir.STREAM_RECORD))
    place = (record or {})["saved_bytes"]
    (body,) = (Path(folder) / run_dir.STREAMS).glob(f"{stream_id}.*{run_dir.STREAM_BODY}")
    kept = body.read_bytes()[place - int(body.name.split(".")[1]) :]
    with (Path(folder) / f"{stream_id}.read").open("ab") as read:
        read.write(kept)
    path = f"/v1/stream?conv_id={stream_id}&from={place + len(kept)}"
    connection.request("GET", path, headers=HEADERS)
    print("adopted", flush=True)
    return connection.getresponse()


def _read(response: http.client.HTTPResponse, read: RawIOBase, *, until_first_token: bool) -> None:
    """Copy whole events."""
    told = False
    for line in response:
        read.write(line)
        if not told and FIRST_TOKEN in line:
            told = True
            print("reading", flush=True)
        if told and until_first_token and line == b"\n":
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
