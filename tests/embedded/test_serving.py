"""What the embedded engine serves, over HTTP."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.models.starter_model import starter_model_path
from tests.embedded.conftest import PATIENCE, Engine
from tests.fake_llama_server.running import free_port
from tests.support.tiny_model import SWALLOWING_TEMPLATE, write_tiny_model

Start = Callable[..., Engine]


def test_it_says_the_port_that_it_found_free(start: Start) -> None:
    engine = start()
    assert not engine.address.endswith(":0")
    assert engine.ask("/health").data == {"status": "ok"}


def test_it_listens_on_the_port_it_is_told(start: Start) -> None:
    port = free_port()
    assert start("--port", str(port)).address == f"http://127.0.0.1:{port}"


def test_a_chat_is_streamed_token_by_token(start: Start) -> None:
    answer = start().chat(stream=True, max_tokens=16)
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert len(said) == 16
    assert choices[-1]["finish_reason"] == "length"


def test_an_api_key_of_the_environment_keeps_strangers_out(start: Start) -> None:
    engine = start(LLAMA_API_KEY="secret")
    assert engine.chat().status == 401
    assert engine.ask("/v1/models", Authorization="Bearer wrong").status == 401
    assert engine.ask("/v1/models", Authorization="Bearer secret").status == 200
    assert engine.ask("/health").status == 200


@pytest.mark.parametrize(("arguments", "status"), [(["--metrics"], 200), ([], 501)])
def test_metrics_are_there_when_asked_for(start: Start, arguments: list[str], status: int) -> None:
    answer = start(*arguments).ask("/metrics")
    assert answer.status == status
    assert ("llamacpp:prompt_tokens_total" in answer.text) == (status == 200)


def test_slots_share_the_context(start: Start) -> None:
    engine = start("-np", "2", "-c", "1024")
    assert [slot["n_ctx"] for slot in engine.ask("/slots").data] == [512, 512]
    props = engine.ask("/props").data
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, 512)


def test_without_np_there_are_four_slots_in_one_pool(start: Start) -> None:
    assert [slot["n_ctx"] for slot in start().ask("/slots").data] == [1024] * 4


def test_a_limit_per_slot_sizes_the_unified_pool(start: Start) -> None:
    limits = ["--kv-unified-per-slot", "512", "-kvu", "-np", "2"]
    engine = start(*limits, context_size=None)
    assert "2 * 512 = 1024" in engine.wait_for_line("sizing KV pool")
    assert [slot["n_ctx"] for slot in engine.ask("/slots").data] == [512, 512]


def test_slots_can_be_hidden(start: Start) -> None:
    assert start("--no-slots").ask("/slots").status == 501


def test_cors_may_be_for_localhost_only(start: Start) -> None:
    engine = start("--cors-origins", "localhost")
    here = engine.ask("/health", Origin="http://localhost:3000").headers
    elsewhere = engine.ask("/health", Origin="http://evil.example").headers
    assert here["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert elsewhere.get("Access-Control-Allow-Origin") != "http://evil.example"


def test_the_alias_is_the_models_name(start: Start) -> None:
    engine = start("--alias", "zoe")
    assert engine.chat().data["model"] == "zoe"
    assert engine.ask("/v1/models").data["data"][0]["id"] == "zoe"


def test_a_slot_is_saved_in_the_folder_and_restored(start: Start, tmp_path: Path) -> None:
    engine = start("--slot-save-path", str(tmp_path), "-np", "1")
    engine.chat()
    saved = engine.ask("/slots/0?action=save", {"filename": "one.bin"}).data
    assert (tmp_path / "one.bin").stat().st_size == saved["n_written"]
    restored = engine.ask("/slots/0?action=restore", {"filename": "one.bin"}).data
    assert restored["n_restored"] == saved["n_saved"]


def test_the_web_page_can_be_left_out(start: Start) -> None:
    assert start("--no-webui").ask("/").status == 404


def test_sampling_defaults_are_for_requests_that_say_nothing(start: Start) -> None:
    engine = start("--temp", "0.25", "--top-k", "7", "-n", "5")
    asked = engine.ask("/completion", {"prompt": "hello"}).data
    assert asked["tokens_predicted"] == 5
    assert asked["generation_settings"]["temperature"] == pytest.approx(0.25)
    assert asked["generation_settings"]["top_k"] == 7


def test_a_chat_template_can_be_given(start: Start, tmp_path: Path) -> None:
    (tmp_path / "template.jinja").write_text("[{{ messages[0].content }}|{{ mood }}]")
    engine = start(
        "--chat-template-file",
        str(tmp_path / "template.jinja"),
        "--chat-template-kwargs",
        '{"mood": "calm"}',
    )
    question = {"messages": [{"role": "user", "content": "hello"}]}
    assert engine.ask("/apply-template", question).data["prompt"] == "[hello|calm]"


def test_a_template_that_swallows_the_message_shows_in_apply_template(
    start: Start, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "bad.gguf", chat_template=SWALLOWING_TEMPLATE)
    question = {"messages": [{"role": "user", "content": "sentinel"}]}
    prompt = start("-m", str(model)).ask("/apply-template", question).data["prompt"]
    assert "sentinel" not in prompt


def test_a_draft_model_drafts(start: Start, tiny_model: Path) -> None:
    engine = start("-md", str(tiny_model), "--spec-draft-n-max", "4")
    timings = engine.chat(max_tokens=40, temperature=0).data["timings"]
    assert timings["draft_n_accepted"] > 0


def test_an_embedding_model_embeds(start: Start) -> None:
    engine = start("--embedding", "--pooling", "mean")
    answer = engine.ask("/v1/embeddings", {"input": "hello"}).data
    assert len(answer["data"][0]["embedding"]) == 64


def test_a_prompt_is_not_evaluated_twice_unless_told_so(start: Start) -> None:
    def cached(engine: Engine) -> int:
        asked = {"prompt": "hello, hello, hello", "n_predict": 2}
        engine.ask("/completion", asked)
        return int(engine.ask("/completion", asked).data["timings"]["cache_n"])

    assert cached(start()) > 0
    assert cached(start("--no-cache-prompt")) == 0


def test_a_flag_given_twice_counts_once_and_is_remarked_on(start: Start) -> None:
    engine = start("-c", "512", "-np", "1")
    assert "'-c' specified multiple times" in engine.wait_for_line("DEPRECATED")
    assert engine.ask("/slots").data[0]["n_ctx"] == 512


def test_it_listens_on_a_unix_socket(start: Start, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such sockets")
    path = tmp_path / "engine.sock"
    assert str(path) in start("--host", str(path)).address
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert b"200 OK" in client.recv(1000)


def state(url: str) -> int:
    """The status that /health answers with, 0 when nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except urllib.error.URLError:
        return 0


def test_it_answers_503_while_the_model_loads(start: Start) -> None:
    # The tiny model loads too fast to look at.
    port = free_port()
    start("-m", str(starter_model_path()), "--port", str(port))
    seen = [0]
    deadline = time.monotonic() + PATIENCE
    while seen[-1] != 200 and time.monotonic() < deadline:
        status = state(f"http://127.0.0.1:{port}/health")
        if status != seen[-1]:
            seen.append(status)
    assert seen == [0, 503, 200]
