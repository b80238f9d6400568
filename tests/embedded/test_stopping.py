"""How the embedded engine ends."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.embedded.conftest import PATIENCE, Engine

Start = Callable[..., Engine]
Run = Callable[..., subprocess.CompletedProcess[str]]


def connect(engine: Engine) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(engine.address).netloc, timeout=PATIENCE)


def begin_an_endless_reply(engine: Engine, *, stream: bool) -> http.client.HTTPConnection:
    """Ask for more than can be said, and wait until it is being said."""
    connection = connect(engine)
    body = {"prompt": "hello", "n_predict": 10_000_000, "stream": stream}
    connection.request("POST", "/completion", json.dumps(body))
    if stream:
        assert connection.getresponse().readline()
    engine.wait_for_line("processing task")
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(start: Start, number: signal.Signals) -> None:
    engine = start()
    assert engine.ask("/health").status == 200
    engine.signal(number)
    assert engine.exit_code() == 0


def test_an_idle_connection_does_not_keep_it(start: Start) -> None:
    engine = start()
    connection = connect(engine)
    connection.request("GET", "/health")
    connection.getresponse().read()
    engine.signal(signal.SIGTERM)
    assert engine.exit_code() == 0
    connection.close()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_in_the_middle_of_a_reply_does_not_keep_it(start: Start, stream: bool) -> None:
    engine = start("--context-shift")
    connection = begin_an_endless_reply(engine, stream=stream)
    engine.signal(signal.SIGTERM)
    assert engine.exit_code() == 0
    connection.close()


def test_a_second_signal_ends_it_with_1(start: Start) -> None:
    engine = start("--context-shift")
    connection = begin_an_endless_reply(engine, stream=True)
    engine.signal(signal.SIGTERM)
    engine.signal(signal.SIGINT)
    assert engine.exit_code() == 1
    engine.wait_for_line("Received second interrupt, terminating immediately.")
    connection.close()


def test_a_missing_model_ends_it_with_1_and_its_name(run: Run) -> None:
    done = run("-m", "/nope.gguf", "--port", "0")
    assert done.returncode == 1
    assert "failed to load model, '/nope.gguf'" in done.stderr
    assert "failed to open GGUF file '/nope.gguf' (No such file or directory)" in done.stderr


def test_a_missing_model_is_named_even_when_the_log_is_off(run: Run) -> None:
    done = run("-m", "/nope.gguf", "--port", "0", "-lv", "0")
    assert done.returncode == 1
    assert done.stderr == "error: failed to load model, '/nope.gguf': no such file\n"


def test_what_is_no_model_ends_it_with_1_and_the_reason(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("NOTGGUF, but a page that says so")
    done = run("-m", str(path), "--port", "0")
    assert done.returncode == 1
    assert "invalid magic characters: 'NOTG', expected 'GGUF'" in done.stderr


def test_without_a_model_there_is_nothing_to_serve(run: Run) -> None:
    done = run("--port", "0")
    assert done.returncode == 1
    assert "--model is required" in done.stderr


def test_a_port_in_use_ends_it_with_1_and_the_reason(run: Run, tiny_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("-m", str(tiny_model), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "couldn't bind HTTP server socket" in done.stderr


def test_a_template_that_cannot_be_parsed_ends_it_with_1(run: Run, tiny_model: Path) -> None:
    done = run("-m", str(tiny_model), "--port", "0", "--chat-template", "{% if %}")
    assert done.returncode == 1
    assert "--chat-template" in done.stderr
