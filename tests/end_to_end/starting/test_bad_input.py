"""Whatever is wrong with a call, the answer says what, and what to do about it."""

import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import Connection, LlamaMCP

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
    ({"llama_cpp_path": "{folder}"}, "holds no llama-server", "`embedded`"),
    ({"llama_cpp_path": "{readme}"}, "it is no program", "`embedded`"),
    ({"llama_cpp_path": "{plain_file}"}, "is not executable", "chmod +x"),
    ({"llama_cpp_path": "https://x.example/llama"}, "is an address", "ask the user"),
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
    (
        {"extra_args": ["--bogus"]},
        "'--bogus', which is not a flag of this llama-server",
        "Leave it out",
    ),
    ({"extra_args": ["--flsh-attn", "on"]}, "is not a flag", "--flash-attn [on|off|auto]"),
    ({"extra_args": ["--flash-attn on"]}, "is not a flag", 'Pass ["--flash-attn", "on"].'),
    ({"extra_args": "--flash-attn on"}, "a valid list", 'Pass ["--flash-attn", "on"].'),
    ({"extra_args": ["--port", "1"]}, "cannot be passed", "pass port=1."),
    ({"extra_args": ["--mmproj", "no.gguf"]}, "no.gguf for --mmproj, which does not exist", ""),
    ({"parallel": 257}, "parallel should be less than or equal to 256", ""),
    ({"ctx_size": 2**30, "parallel": 2}, "ctx_size times parallel is 2,147,483,648 tokens", ""),
    ({"model_path": "https://x.example/y.gguf"}, "it is an address", "Ask the user"),
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
        "readme": "# llama.cpp",
        "plain_file": "llama-server",
        "not_a_program": "\x7fELF nonsense",
        "empty": "",
        "not_gguf": "PK\x03\x04 this is a zip file, is it not?",
    }
    paths = {name: folder / name for name in contents}
    paths["plain_file"] = folder / "plain" / "llama-server"
    paths["plain_file"].parent.mkdir()
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


async def test_a_model_is_started_by_a_part_of_its_name_and_others_are_offered(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    for name in ("a/b/Alpha-7B-Q4.gguf", "a/c/Beta-1B-Q8.gguf"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(tiny_model, tmp_path / name)
    async with llama_mcp.having(MODEL_DIRS=str(tmp_path)).connect() as connection:
        refusal = await connection.refusal("start_llama_server", model_path="gamma")
        assert "Alpha-7B-Q4 (" in refusal and "Beta-1B-Q8 (" in refusal
        refusal = await connection.refusal("start_llama_server", model_path="b-q")
        assert "2 models fit that name" in refusal
        started = await connection.call("start_llama_server", model_path="alpha")
        assert started["model"] == "Alpha-7B-Q4"


async def test_a_wrong_value_of_the_operator_is_not_told_as_the_callers(
    llama_mcp: LlamaMCP,
) -> None:
    wrong = {
        "MODEL_PATH": "/no/such/model.gguf",
        "LLAMA_CPP_PATH": "/no/such/place",
        "EXTRA_ARGS": "--bogus",
    }
    for name, value in wrong.items():
        async with llama_mcp.having(**{name: value}).connect() as connection:
            refusal = await connection.refusal("start_llama_server")
            assert f"the value is the operator's, from LLAMA_MCP_{name}" in refusal
            passed = {"extra_args": [value]} if name == "EXTRA_ARGS" else {name.lower(): value}
            refusal = await connection.refusal("start_llama_server", **passed)
            assert "operator's" not in refusal.splitlines()[-1]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "my template.jinja"
    path.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    return path


@pytest.mark.posix
async def test_a_file_of_a_flag_is_found_wherever_llama_server_is_started(
    llama_mcp: LlamaMCP, template: Path
) -> None:
    relative = Path(*[".."] * (len(Path.cwd().parts) - 1), *template.parts[1:])
    flag = ["--chat-template-file", f"'{relative}'\n"]
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", extra_args=flag)
        config = await connection.call("get_config")
        assert config["extra_args"] == ["--chat-template-file", str(template)]
        again = await connection.call(
            "start_llama_server", extra_args=["--chat-template-file", str(template)]
        )
        assert again["already_running"]


@pytest.mark.posix
async def test_a_folder_of_runs_that_cannot_be_made_is_told_by_its_reason(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    home = str(tmp_path / "file" / "home")
    async with replace(llama_mcp, home=Path(home)).connect() as connection:
        refusal = await connection.refusal("start_llama_server")
        assert "Move the file away that is in its place." in refusal and "LLAMA_MCP_HOME" in refusal


async def test_an_unknown_tool_is_answered_with_those_that_there_are(
    connection: Connection,
) -> None:
    refusal = await connection.refusal("load_model")
    assert refusal.startswith("Unknown tool: load_model. There are: start_llama_server, ")
