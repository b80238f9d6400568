"""The main job from the installed command over stdio: start, chat, see it, stop."""

import json

from llama_mcp.visible_text import visible
from tests.support.client_process import Connection, LlamaMCP, Progress, text_of


async def test_a_session_of_two_turns_is_streamed_kept_and_seen_on_every_engine(
    llama_mcp: LlamaMCP, engine: str, era: str
) -> None:
    loading, streaming = Progress(), Progress()
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect(era) as connection:
        started = await connection.call("start_llama_server", loading)
        assert started["state"] == "ready"
        assert started["already_running"] is False
        assert started["slots"] == {"total": 4, "busy": 0}
        assert loading.values and loading.rises
        assert "Loading tiny" in loading.text

        first = await connection.call("chat", streaming, message="First words", max_tokens=40)
        assert first["status"] == "complete"
        assert streaming.text == first["reply"] != ""
        assert streaming.rises
        assert streaming.values[-1] == first["context"]["tokens_used"]
        assert first["usage"]["completion_tokens"] == 40
        assert first["context"]["limit"] == 1024

        again = {"session_id": first["session_id"], "message": "Second words"}
        second = await connection.call("chat", None, max_tokens=10, **again)
        assert second["turn"] == 2
        # The second prompt begins with the first one: the cache proves it. The reply is noise, and
        # need not become the same tokens again.
        assert second["usage"]["cached_tokens"] >= first["usage"]["prompt_tokens"] - 1
        assert second["usage"]["prompt_tokens"] > first["context"]["tokens_used"] - 40

        transcript = await connection.read(f"llama://sessions/{first['session_id']}")
        assert transcript.index("First words") < transcript.index("Second words")
        assert all(line in transcript for line in visible(first["reply"]).split("\n"))
        metrics = json.loads(await connection.read("llama://server/metrics"))
        assert metrics["generated_tokens_total"] == 50
        status = json.loads(await connection.read("llama://server/status"))
        assert status["pid"] == started["pid"]
        config = json.loads(await connection.read("llama://server/config"))
        assert (config["ctx_size"], config["parallel"], config["running"]) == (1024, 4, True)

        stopped = await connection.call("stop_llama_server")
        assert stopped["state"] == "stopped"
        assert (await connection.call("status"))["state"] == "stopped"


async def test_history_survives_a_restart_of_llama_mcp_and_of_llama_server(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        first = await connection.call("chat", message="Remember me", max_tokens=5)
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        again = {"session_id": first["session_id"], "message": "And now?", "max_tokens": 5}
        second = await connection.call("chat", **again)
        assert second["turn"] == 2
        assert second["usage"]["prompt_tokens"] > first["context"]["tokens_used"]


async def test_the_text_of_a_result_alone_is_enough_to_go_on(connection: Connection) -> None:
    started = text_of(await connection.result("start_llama_server"))
    assert "tiny is ready at http://127.0.0.1:" in started
    chatted = await connection.result("chat", message="Hello", max_tokens=3)
    assert chatted.structured_content is not None
    assert f"session_id={chatted.structured_content['session_id']}" in text_of(chatted)
    assert "max_tokens" in text_of(chatted)


async def test_status_lines_stay_short_and_off_sends_nothing(connection: Connection) -> None:
    lines, nothing = Progress(), Progress()
    await connection.call("start_llama_server")
    await connection.call("chat", lines, message="Hello", max_tokens=200, stream="status")
    await connection.call("chat", nothing, message="Hello", max_tokens=20, stream="off")
    assert lines.messages and all(len(line) <= 200 for line in lines.messages)
    assert lines.rises
    assert not nothing.values


async def test_a_second_identical_start_returns_the_running_server_and_a_different_one_is_refused(
    connection: Connection,
) -> None:
    first = await connection.call("start_llama_server")
    second = await connection.call("start_llama_server")
    assert second["already_running"] is True
    assert second["pid"] == first["pid"]
    refusal = await connection.refusal("start_llama_server", ctx_size=512)
    assert "ctx_size (1024, asked for 512)" in refusal
    assert "stop_llama_server" in refusal and "replace" in refusal
    replaced = await connection.call("start_llama_server", ctx_size=512, replace=True)
    assert replaced["pid"] != first["pid"]
    assert (await connection.call("get_config"))["ctx_size"] == 512


async def test_get_config_shows_what_a_start_would_use_while_nothing_runs(
    connection: Connection, tiny_model: object
) -> None:
    config = await connection.call("get_config")
    assert config["running"] is False
    assert config["model_path"] == str(tiny_model)
    assert config["llama_cpp_path"] == "embedded"
    assert (config["port"], config["ctx_size"], config["parallel"]) == (0, 1024, 4)
