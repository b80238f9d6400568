"""What callers of each scope are offered, may do and are told, over HTTP and in both eras."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from llama_mcp.surface.resources.uris import (
    CONFIG,
    LOG,
    METRICS,
    MODELS,
    PROMETHEUS,
    SESSIONS,
    SLOTS,
    STATUS,
)
from llama_mcp.surface.scopes import RESOURCE_SCOPES, TOOL_SCOPES
from llama_mcp.tokens.writing import add_token
from llama_mcp.toolsets import PAGE_TOOLS
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.http_process import HttpServer, serving

FOLDERS = "files"


@pytest.fixture(scope="module")
async def desk(shared_llama_mcp: LlamaMCP, shared_folder: Path) -> AsyncIterator[HttpServer]:
    """A server for people of each scope, with a model that runs."""
    folder = shared_folder / "http"
    files = folder / FOLDERS
    files.mkdir(parents=True)
    (files / "notes.md").write_text("Pears are ripe.", encoding="utf-8")
    (folder / "secret.md").write_text("Outside.", encoding="utf-8")
    own = [f'file_dirs = ["{FOLDERS}"]', f'save_dirs = ["{FOLDERS}"]']
    more = {
        "olga": add_token(folder / "tokens.toml", "olga", "operate", own),
        "ada": add_token(folder / "tokens.toml", "ada", "admin"),
        "cleo": add_token(folder / "tokens.toml", "cleo", "chat", own),
        "dan": add_token(
            folder / "tokens.toml", "dan", "chat", ["turns_at_once = 1", "tokens_a_day = 30"]
        ),
    }
    # A reply that has so much room lasts for seconds.
    llama_mcp = shared_llama_mcp.having(CTX_SIZE="32768", PARALLEL="1")
    async with serving(llama_mcp, folder, ("ann", "bob"), scope="chat") as server:
        server.tokens |= more
        async with server.connect("ann") as ann:
            await ann.call("chat", message="hello", max_tokens=1)
        yield server


async def listed(connection: Connection) -> dict[str, Any]:
    tools = await connection.client.list_tools()
    return {tool.name: tool.input_schema["properties"] for tool in tools.tools}


async def test_what_a_caller_may_not_use_is_not_listed_to_it(desk: HttpServer, era: str) -> None:
    async with desk.connect("ann", era) as ann, desk.connect("olga", era) as olga:
        of_ann, of_olga = await listed(ann), await listed(olga)
        of_chat = {name for name, scope in TOOL_SCOPES.items() if scope == 1}
        assert of_ann.keys() == of_chat - PAGE_TOOLS
        assert of_olga.keys() == TOOL_SCOPES.keys() - {"server_log"} - PAGE_TOOLS
        assert {"extra_args", "port", "llama_cpp_path"}.isdisjoint(of_olga["start_llama_server"])
        assert of_olga["stop_llama_server"].keys() == {"model"}
        resources = {str(each.uri) for each in (await ann.client.list_resources()).resources}
        assert {LOG, PROMETHEUS}.isdisjoint(resources)
        assert {STATUS, CONFIG, METRICS, SLOTS, MODELS, SESSIONS} <= resources
        templates = (await ann.client.list_resource_templates()).resource_templates
        listed_templates = {each.uri_template for each in templates}
        assert {uri for uri in RESOURCE_SCOPES if "{" in uri} - listed_templates == {
            "llama://models/{name}/log"
        }
        instructions = ann.client.instructions or ""
        assert "chat" in instructions
        assert "stop_llama_server" not in instructions


async def test_an_admin_is_offered_everything(
    desk: HttpServer, shared_llama_mcp: LlamaMCP, tiny_model: Path, era: str
) -> None:
    async with desk.connect("ada", era) as ada:
        offered = await listed(ada)
        assert offered.keys() == TOOL_SCOPES.keys() - PAGE_TOOLS
        assert "extra_args" in offered["start_llama_server"]
        assert (await ada.call("server_log"))["lines"]
        status = json.dumps(await ada.call("status"))
        for word in hidden(desk, shared_llama_mcp, tiny_model)[2:4]:
            assert word in status
        read = await ada.client.read_resource(PROMETHEUS)
        assert "llama_mcp_turns" in str(read)
        assert "ann" not in str(read)


@pytest.mark.parametrize(
    ("tool", "arguments", "needs"),
    [
        ("start_llama_server", {}, "start_llama_server needs the scope operate"),
        ("stop_llama_server", {}, "stop_llama_server needs the scope operate"),
        ("download_model", {"model": "a/b"}, "download_model needs the scope operate"),
        ("server_log", {}, "server_log needs the scope admin"),
        ("dashboard_checks", {}, "dashboard_checks needs the scope admin"),
    ],
)
async def test_what_is_called_all_the_same_is_refused_with_the_scope_that_it_needs(
    desk: HttpServer, tool: str, arguments: dict[str, Any], needs: str
) -> None:
    async with desk.connect("ann") as ann:
        assert f"{needs}, and this token has chat" in await ann.refusal(tool, **arguments)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("start_llama_server", {"llama_cpp_path": "embedded"}),
        ("start_llama_server", {"port": 0}),
        ("start_llama_server", {"extra_args": ["--log-disable"]}),
        ("stop_llama_server", {"force": True}),
        ("server_log", {}),
    ],
)
async def test_an_operator_passes_nothing_that_names_the_machine(
    desk: HttpServer, tool: str, arguments: dict[str, Any]
) -> None:
    async with desk.connect("olga") as olga:
        told = await olga.refusal(tool, **arguments)
        assert "needs the scope admin, and this token has operate" in told


@pytest.mark.parametrize(
    "named",
    [
        *("/etc/passwd", "~/models/x.gguf", "./tiny.gguf", "../tiny.gguf", "a/../../b.gguf"),
        *("C:\\models\\x.gguf", "c:x.gguf", "\\\\server\\x.gguf", "$HOME/x.gguf", "%TEMP%"),
        *("file:/etc/passwd", "https://example.com/x.gguf", " '/etc/passwd' ", "..", "x\0y"),
    ],
)
async def test_what_looks_like_a_path_is_refused_as_a_model_by_its_text_alone(
    desk: HttpServer, named: str
) -> None:
    async with desk.connect("olga") as olga:
        told = {
            await olga.refusal(tool, **{parameter: named}, **more)
            for tool, parameter, more in (
                ("start_llama_server", "model_path", {}),
                ("chat", "model", {"message": "hello"}),
                ("run_on_files", "model", {"instruction": "sum up", "files": ["notes.md"]}),
                ("rank_texts", "model", {"query": "pears", "texts": ["a"]}),
                ("get_config", "model", {}),
            )
        }
        assert all("looks like a path or an address" in each for each in told), told


async def test_a_name_that_nothing_has_is_refused_whatever_lies_on_the_disk(
    desk: HttpServer, tiny_model: Path
) -> None:
    async with desk.connect("ann") as ann:
        told = await ann.refusal("chat", message="hello", model="no-such-model")
        assert "no-such-model cannot be used: no model has that name." in told
        # It is there, and so is its name; below another folder it is neither.
        other = await ann.refusal("chat", message="hello", model=f"models/{tiny_model.name}")
        assert f"models/{tiny_model.name} cannot be used: no model has that name." in other
        assert str(tiny_model.parent) not in told
        reply = await ann.call("chat", message="hello", model=tiny_model.stem, max_tokens=1)
        assert reply["status"] == "complete"


def hidden(server: HttpServer, llama_mcp: LlamaMCP, tiny_model: Path) -> list[str]:
    """Return what nobody but an admin is told."""
    return [
        *(str(llama_mcp.home), str(llama_mcp.home.parent), str(tiny_model), str(tiny_model.parent)),
        *(os.getcwd(), "extra_args", "llama_cpp_path", "127.0.0.1:", '"pid"', "pid ", "log_tail"),
        str(server.tokens_file),
    ]


async def test_who_is_no_admin_is_told_nothing_of_the_machine(
    desk: HttpServer, shared_llama_mcp: LlamaMCP, tiny_model: Path, era: str
) -> None:
    secret = hidden(desk, shared_llama_mcp, tiny_model)
    async with desk.connect("olga", era) as olga:
        started = text_of(await olga.result("start_llama_server", model_path=tiny_model.stem))
        status = await olga.call("status")
        told = [started, json.dumps(status)]
        for tool in ("status", "get_config", "list_models", "server_metrics", "list_sessions"):
            result = await olga.result(tool)
            told += [text_of(result), json.dumps(result.structured_content)]
        for uri in (STATUS, CONFIG, METRICS, SLOTS, MODELS, SESSIONS):
            told.append(str(await olga.client.read_resource(uri)))
        for what in ("", "/status", "/config", "/metrics", "/slots"):
            uri = f"llama://models/{tiny_model.stem}{what}"
            told.append(str(await olga.client.read_resource(uri)))
        told.append(str(await olga.client.get_prompt("why_slow", {})))
        told.append(await olga.refusal("start_llama_server", model_path="no-such-model"))
        told.append(await olga.refusal("start_llama_server", ctx_size=512))
        told.append(await olga.refusal("chat", message="hello", session_id="k7m2-q9x4-tbhz"))
    assert status["state"] == "ready"
    leaks = [(word, text) for word in secret for text in told if word in text]
    assert not leaks, leaks[0]


async def test_resources_of_the_machine_are_refused_and_cannot_be_listened_to(
    desk: HttpServer, tiny_model: Path, era: str
) -> None:
    async with desk.connect("olga", era) as olga:
        for uri in (LOG, PROMETHEUS, f"llama://models/{tiny_model.stem}/log"):
            with pytest.raises(MCPError, match="needs the scope admin"):
                await olga.client.read_resource(uri)
        with pytest.raises(MCPError, match="looks like a path"):
            await olga.client.read_resource("llama://models/%2Fetc%2Fpasswd/config")
        if era == "legacy":
            with (
                pytest.warns(Warning, match="subscribe is removed"),
                pytest.raises(MCPError, match="needs the scope admin"),
            ):
                await olga.client.subscribe_resource(LOG)


async def test_files_are_those_of_the_token_and_nothing_is_told_of_others(
    desk: HttpServer,
) -> None:
    outside = desk.tokens_file.parent / "secret.md"
    async with desk.connect("cleo") as cleo, desk.connect("ann") as ann:
        reply = await cleo.call("chat", message="read", files=["notes.md"], max_tokens=1)
        assert reply["status"] == "complete"
        told = [
            await cleo.refusal("chat", message="read", files=[name])
            for name in (str(outside), f"{outside}x", "../secret.md", "../secretx.md")
        ]
        for text, name in zip(told, ("secret.md", "secret.mdx") * 2, strict=False):
            assert "lies outside the folders that are open to callers" in text, name
            assert "file_dirs of this token" in text
        # Whether it is there or not, the same is told.
        assert told[0].replace("secret.md", "X") == told[1].replace("secret.mdx", "X")
        why = await ann.refusal("chat", message="read", files=["notes.md"])
        assert why.startswith("No file can be read, because file_dirs of this token says so.")
        saved = await cleo.call("chat", message="write", save_to="out.md", max_tokens=2)
        assert Path(saved["saved_to"]["path"]).parent == desk.tokens_file.parent / FOLDERS
        assert "outside" in await cleo.refusal("chat", message="w", save_to=str(outside) + "2")
    assert not [each for each in os.listdir(outside.parent) if each.endswith("2")]


async def test_limits_are_told_with_what_is_used_and_when_there_is_more(desk: HttpServer) -> None:
    async with desk.connect("dan") as dan, desk.connect("ann") as ann:
        part = await dan.call("chat", message="go on", max_tokens=20_000, wait_seconds=0)
        told = await dan.refusal("chat", message="and this")
        assert "may have 1 turn under way at once" in told
        assert part["session_id"] in told
        await ann.call("chat", message="I am not he", max_tokens=1)
        await dan.call("cancel_reply", session_id=part["session_id"])
        told = await dan.refusal("chat", message="and this")
        assert "may use 30 tokens in 24 hours" in told
        assert "There is more in 24 h, at 20" in told
        sessions = await dan.call("list_sessions")
        assert sessions["total"] == 1, "what was refused is not kept"


async def test_what_others_do_is_counted_and_not_named(desk: HttpServer) -> None:
    async with (
        desk.connect("ann") as ann,
        desk.connect("bob") as bob,
        desk.connect("olga") as olga,
    ):
        long: dict[str, Any] = {"max_tokens": 20_000, "wait_seconds": 0}
        first = await ann.call("chat", message="my secret", **long)
        await ann.call_until(lambda told: told.get("slots", {}).get("busy"), "status")
        second = await bob.call("chat", message="my own secret", **long)
        assert second["status"] == "waiting"
        assert "at place 1, behind 1 of others" in " ".join(second["notes"])
        refused = await olga.refusal("stop_llama_server")
        assert "is in use: 2 others have replies under way. Nothing was stopped." in refused
        status = await olga.call("status")
        assert status["clients"] == 2
        slots = str(await olga.client.read_resource(SLOTS))
        assert "turns_of_others" in slots
        told = refused + json.dumps(status) + slots
        for secret in (first["session_id"], second["session_id"], "secret", "ann", "bob"):
            assert secret not in told
        assert "other" not in await ann.refusal("delete_session", session_id=first["session_id"])
        for connection, part in ((bob, second), (ann, first)):
            await connection.call("cancel_reply", session_id=part["session_id"])
        assert (await olga.call("stop_llama_server"))["state"] == "stopped"


async def test_figures_of_turns_are_one_s_own(desk: HttpServer) -> None:
    async with desk.connect("olga") as olga, desk.connect("ada") as ada:
        before = await olga.call("server_metrics")
        await ada.call("chat", message="hello", max_tokens=1)
        assert "own_turns" not in before
        assert "own_turns" not in await olga.call("server_metrics")
        assert (await ada.call("server_metrics"))["own_turns"][0]["turns"] > 1
