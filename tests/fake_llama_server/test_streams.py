"""The stand-in's resumable streams do what those of a real llama-server do."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.faults import DEFAULT_TOKENS
from tests.fake_llama_server.install import install_fake, set_faults
from tests.fake_llama_server.running import CHAT, Server, call, ready, until
from tests.fake_llama_server.test_fake_llama_server import REAL_FOLDER, STREAM, shape


def test_a_stream_with_an_id_goes_on_without_its_reader_and_is_read_on_from_any_byte(
    tmp_path: Path,
) -> None:
    fake = install_fake(tmp_path / "fake", hold_at_token=3)
    with ready(fake) as server:
        received = leave_after_first_token(server, "a")
        set_faults(fake.parent)
        until(lambda: lookup(server, "a")[0]["is_done"])
        rest = server.get(f"/v1/stream?conv_id=a&from={len(received)}")
        whole = server.get("/v1/stream?conv_id=a&from=0")
        beyond = server.get("/v1/stream?conv_id=a&from=99999")
    assert received + rest.body == whole.body
    assert (whole.text, whole.events[-1]) == ("".join(DEFAULT_TOKENS[:8]), "[DONE]")
    assert (beyond.status, beyond.body) == (200, b"")


def test_a_reader_follows_a_stream_live_and_ends_with_it(tmp_path: Path) -> None:
    fake = install_fake(tmp_path / "fake", hold_at_token=3)
    with ready(fake) as server:
        leave_after_first_token(server, "a")
        with closing(server.connect()) as connection:
            connection.request("GET", "/v1/stream?conv_id=a&from=0")
            response = connection.getresponse()
            first = response.read1()
            assert not lookup(server, "a")[0]["is_done"]
            set_faults(fake.parent)
            body = first + response.read()
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_stream_is_ended_by_delete_and_is_unknown_then(tmp_path: Path) -> None:
    fake = install_fake(tmp_path / "fake", hold_at_token=3)
    with ready(fake, "-np", "1") as server:
        leave_after_first_token(server, "a")
        assert server.get("/slots").json[0]["is_processing"]
        with closing(server.connect()) as connection:
            assert call(connection, "DELETE", "/v1/stream?conv_id=a").status == 204
        until(lambda: not server.get("/slots").json[0]["is_processing"])
        assert lookup(server, "a") == []
        assert server.get("/v1/stream?conv_id=a&from=0").status == 404


def test_what_the_ring_has_lost_cannot_be_read(tmp_path: Path) -> None:
    with ready(install_fake(tmp_path / "fake", stream_ring_bytes=100)) as server:
        body = server.post(STREAM, X_Conversation_Id="a").body
        lost = server.get("/v1/stream?conv_id=a&from=0")
        last = server.get(f"/v1/stream?conv_id=a&from={len(body) - 100}")
    assert (lost.status, lost.json["error"]["message"]) == (
        400,
        "Stream offset lost, please restart",
    )
    assert last.body == body[-100:]


def test_a_build_without_streams_knows_neither_the_paths_nor_the_header(tmp_path: Path) -> None:
    fake = install_fake(tmp_path / "fake", hold_at_token=3, no_streams=True)
    with ready(fake, "-np", "1") as server:
        leave_after_first_token(server, "a")
        until(lambda: not server.get("/slots").json[0]["is_processing"])
        looked = server.post({"conversation_ids": []}, "/v1/streams/lookup")
    assert looked.status == 404


@pytest.mark.posix
def test_an_unfinished_stream_holds_up_the_end_until_the_second_signal(tmp_path: Path) -> None:
    fake = install_fake(tmp_path / "fake", hold_at_token=3)
    with ready(fake) as server:
        leave_after_first_token(server, "a")
        server.process.terminate()
        until(lambda: "cleaning up before exit" in server.log)
        assert server.health() == 200
        server.process.terminate()
        assert server.exit_code() == 1


@pytest.mark.skipif(REAL_FOLDER is None, reason="LLAMA_MCP_TEST_LLAMA_CPP_PATH is not set")
def test_streams_have_the_shapes_of_a_real_llama_server(tmp_path: Path) -> None:
    tiny_model = pytest.importorskip("tests.support.tiny_model")
    model = tmp_path / "tiny.gguf"
    tiny_model.write_tiny_model(model)
    real = Path(REAL_FOLDER or "") / "llama-server"
    fake = install_fake(tmp_path / "fake")
    assert shapes_of(fake, model) == shapes_of(real, model)


def shapes_of(executable: Path, model: Path) -> dict[str, Any]:
    flags = ["-c", "512", "-np", "1", "--cors-origins", "localhost"]
    with ready(executable, *flags, model=str(model)) as server:
        body = server.post(STREAM, X_Conversation_Id="a").body
        until(lambda: lookup(server, "a")[0]["is_done"])
        whole, beyond = (server.get(f"/v1/stream?conv_id=a&from={n}") for n in (0, 99_999_999))
        unknown, unnamed = (server.get(f"/v1/stream{end}") for end in ("?conv_id=b", ""))
        with closing(server.connect()) as connection:
            ended = [call(connection, "DELETE", f"/v1/stream?conv_id={id}") for id in "aa"]
        return {
            "is_whole": whole.body == body,
            "headers": set(whole.headers),
            "beyond": (beyond.status, beyond.body),
            "unknown": (unknown.status, unknown.json),
            "unnamed": (unnamed.status, unnamed.json),
            "ended": [(answer.status, answer.body) for answer in ended],
            "lookup": shape(lookup(server, "a")),
        }


def lookup(server: Server, *ids: str) -> list[Any]:
    found: list[Any] = server.post({"conversation_ids": ids}, "/v1/streams/lookup").json
    return found


def leave_after_first_token(server: Server, id: str) -> bytes:
    """Return what was received."""
    received = b""
    with closing(server.connect()) as connection:
        connection.request("POST", CHAT, json.dumps(STREAM), {"X-Conversation-Id": id})
        response = connection.getresponse()
        while b'"The"' not in received:
            received += response.readline()
        response.close()
    return received
