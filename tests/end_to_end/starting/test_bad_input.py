"""Whatever is wrong with a call, the answer says what, and what to do about it."""

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import Connection

CHAT_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"message": ""}, "message is empty"),
    ({"message": " \n"}, "message is empty"),
    ({}, "message is missing"),
    ({"message": "x", "temperature": 2.5}, "temperature should be less than or equal to 2"),
    ({"message": "x", "temperature": -1}, "temperature should be greater than or equal to 0"),
    ({"message": "x", "top_p": 1.5}, "top_p should be less than or equal to 1"),
    ({"message": "x", "top_k": -1}, "top_k should be greater than or equal to 0"),
    ({"message": "x", "max_tokens": 0}, "max_tokens should be greater than or equal to 1"),
    ({"message": "x", "stop": [""]}, "stop.0 String should have at least 1 character"),
    ({"message": "x", "stream": "loud"}, "stream should be"),
    ({"message": "x", "json_schema": {"type": "nonsense"}}, "json_schema is not a JSON schema"),
    ({"message": "x", "colour": "red"}, "chat has no parameter 'colour'"),
    ({"message": "x", "history": [{"role": "robot", "content": "x"}]}, "history.0.role should be"),
    ({"message": "x", "history": [{"role": "assistant", "content": "x"}]}, "history has the role"),
    ({"message": "x", "session_id": "aaaa-aaaa-aaaa"}, "There is no session"),
    ({"message": "x", "session_id": "../../etc/passwd"}, "There is no session"),
]
START_REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"llama_cpp_path": "/no/such/place"}, "/no/such/place does not exist", "llama_cpp_path"),
    ({"llama_cpp_path": "{folder}"}, "holds no llama-server", "llama.cpp release"),
    ({"llama_cpp_path": "{plain_file}"}, "is not executable", "chmod +x"),
    ({"llama_cpp_path": "{not_a_program}"}, "cannot be used as llama-server", "for this machine"),
    ({"llama_cpp_path": "/bin/true"}, "no llama-server", "llama_cpp_path"),
    ({"model_path": "/no/such/model.gguf"}, "cannot be used", ""),
    ({"model_path": "{folder}"}, "cannot be used", ""),
    ({"model_path": "{empty}"}, "cannot be used", ""),
    ({"model_path": "{not_gguf}"}, "cannot be used", ""),
    ({"port": 65536}, "port should be less than or equal to 65535", ""),
    ({"port": -1}, "port should be greater than or equal to 0", ""),
    ({"ctx_size": 0}, "ctx_size should be greater than or equal to 1", ""),
    ({"parallel": 0}, "parallel should be greater than or equal to 1", ""),
    ({"n_gpu_layers": -2}, "n_gpu_layers should be greater than or equal to -1", ""),
    ({"extra_args": ["--bogus"]}, "'--bogus', which is not a flag of this llama-server", "--help"),
    ({"extra_args": ["--host", "0.0.0.0"]}, "cannot be passed", ""),
    ({"extra_args": ["--api-key", "x"]}, "opens the machine", ""),
    ({"extra_args": ["--threads"]}, "needs a value", ""),
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Files of each kind that is not what it should be."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    contents = {
        "plain_file": "llama-server",
        "not_a_program": "\x7fELF nonsense",
        "empty": "",
        "not_gguf": "PK\x03\x04 this is a zip file, is it not?",
    }
    paths = {name: folder / name for name in contents}
    for name, path in paths.items():
        path.write_text(contents[name])
    paths["not_a_program"].chmod(0o755)
    return {"folder": str(folder), **{name: str(path) for name, path in paths.items()}}


async def test_each_wrong_chat_argument_is_named(connection: Connection) -> None:
    await connection.call("start_llama_server")
    for arguments, expected in CHAT_REFUSALS:
        refusal = await connection.refusal("chat", **arguments)
        assert expected in refusal, (arguments, refusal)
        assert "pydantic" not in refusal and "Traceback" not in refusal
    transcript = await connection.call("chat", message="still works", max_tokens=2)
    assert transcript["turn"] == 1


async def test_each_wrong_start_argument_is_named(
    connection: Connection, places: dict[str, str]
) -> None:
    for template, expected, advice in START_REFUSALS:
        arguments = {
            name: value.format(**places) if isinstance(value, str) else value
            for name, value in template.items()
        }
        refusal = await connection.refusal("start_llama_server", **arguments)
        assert expected in refusal, (arguments, refusal)
        assert advice in refusal, (arguments, refusal)
    assert (await connection.call("status"))["state"] == "stopped"


async def test_a_chat_before_a_start_says_which_tool_to_call(connection: Connection) -> None:
    refusal = await connection.refusal("chat", message="Hello")
    assert "No llama-server is running" in refusal and "start_llama_server" in refusal


async def test_a_taken_port_names_its_holder_and_the_way_out(connection: Connection) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        refusal = await connection.refusal("start_llama_server", port=port)
    assert f"Port {port} is taken by a process: " in refusal
    assert "pid" in refusal and "port=0" in refusal


async def test_stopping_a_stopped_server_changes_nothing(connection: Connection) -> None:
    for _ in range(2):
        assert (await connection.call("stop_llama_server"))["state"] == "stopped"


async def test_a_session_that_has_begun_refuses_what_belongs_to_its_first_turn(
    connection: Connection,
) -> None:
    await connection.call("start_llama_server")
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    first = await connection.call("chat", message="Go on", history=history, max_tokens=2)
    assert first["turn"] == 2
    again = {"session_id": first["session_id"], "message": "x"}
    for name, value in {"system_prompt": "Be brief", "history": history}.items():
        refusal = await connection.refusal("chat", **again, **{name: value})
        assert refusal.startswith(f"{name} belongs to the first turn")


async def test_a_system_prompt_that_is_json_is_taken_as_text(connection: Connection) -> None:
    await connection.call("start_llama_server")
    prompt = '{"role": "pirate"}'
    reply = await connection.call("chat", message="x", system_prompt=prompt, max_tokens=2)
    assert prompt in await connection.read(f"llama://sessions/{reply['session_id']}")


async def test_a_resource_that_is_not_there_is_refused_in_words(connection: Connection) -> None:
    for uri in ("llama://sessions/nope", "llama://sessions/..%2F..%2Fetc%2Fpasswd"):
        with pytest.raises(Exception, match="session|Unknown resource|rejected"):
            await connection.read(uri)
