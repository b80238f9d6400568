"""What an engine is found out to be, over HTTP and HTTPS, and what is said when that fails."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.errors import (
    KeyFileError,
    RemoteBusyError,
    RemoteCannotRankError,
    RemoteRefusedError,
    RemoteUnreachableError,
)
from llama_mcp.llama_server.remote.target import RemoteTarget
from tests.fake_openai_server.engine import CHAT, SENTENCE, Asked, FakeEngine, Refusal
from tests.fake_openai_server.serving import serving
from tests.llama_server.remote.conftest import (
    MESSAGES,
    Authority,
    OpenRemote,
    chunks_of,
    text_of,
)
from tests.support.processes import until


def engine_at(url: str, **target: Any) -> RemoteEngine:
    return RemoteEngine(RemoteTarget(url=url, **target), salt="test", patience_seconds=0.2)


async def test_vllm_tells_its_window_and_counts(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine("vllm", window=2048), ctx_size=99)
    server = await remote.engine.ready_server()
    assert (server.slot_ctx_size, server.model, server.total_slots) == (2048, "some-model", 2)
    assert await server.count_tokens(MESSAGES) == 7
    look = remote.engine.last_look()
    assert (look.kind, look.counting, look.ctx_size_source) == ("openai", "tokenize", "told")
    assert server.guesses is None and look.guesses is None


async def test_an_engine_that_tells_nothing_has_a_setting_or_a_guess_and_estimates(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote(FakeEngine("ollama"), ctx_size=8000, parallel=5, name="ours")
    server = await remote.engine.ready_server()
    assert (server.slot_ctx_size, server.total_slots, server.model) == (8000, 5, "ours")
    assert await server.count_tokens(MESSAGES) > 7
    assert server.guesses == (
        "The window of 8000 is the operator's setting: the engine tells none. Its tokens are "
        "estimated, not counted."
    )
    guessed = (await open_remote()).engine
    assert "The window of 4096 is a guess" in ((await guessed.look()).guesses or "")


async def test_endpoints_that_are_absent_are_asked_for_once(open_remote: OpenRemote) -> None:
    remote = await open_remote()
    server = await remote.engine.ready_server()
    for _ in range(3):
        await server.count_tokens(MESSAGES)
    asked = [one.path for one in remote.fake.asked]
    assert sorted(asked) == sorted(set(asked)), asked
    assert not any("health" in path for path in asked)


async def test_what_it_is_is_believed_for_a_while_and_doubted_after_a_loss(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote()
    server = await remote.engine.ready_server()
    await remote.engine.ready_server()
    models = [one for one in remote.fake.asked if one.path == "/v1/models"]
    assert len(models) == 1
    before = server.serving_id
    remote.fake.breaks_after = 1
    with pytest.raises(Exception, match="broke the reply off"):
        await chunks_of(server)
    remote.fake.models = ("another-model",)
    assert (await remote.engine.ready_server()).serving_id != before
    assert (await remote.engine.look()).model == "another-model"


async def test_model_and_path_go_into_every_request(open_remote: OpenRemote) -> None:
    fake = FakeEngine("vllm", prefix="/a/path", models=("first", "second"))
    async with serving(fake) as place:
        engine = engine_at(f"{place.url}/v1/", model="second")
        server = await engine.ready_server()
        await server.count_tokens(MESSAGES)
        assert text_of(await chunks_of(server)) == SENTENCE
        await engine.aclose()
    bodies = [one.body for one in fake.asked if one.body]
    assert len(bodies) == 3 and {body["model"] for body in bodies} == {"second"}
    assert all(one.path.startswith("/a/path/") for one in fake.asked)


async def test_https_with_an_authority_of_ones_own_is_verified(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-secret")
    async with serving(FakeEngine(key="sk-secret"), authority.context) as place:
        stranger = engine_at(place.url, key_file=key_file)
        with pytest.raises(RemoteUnreachableError, match="certificate was not accepted.*SSL_CERT"):
            await stranger.ready_server()
        await stranger.aclose()
        assert not place.engine.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        engine = engine_at(place.url, key_file=key_file)
        assert text_of(await chunks_of(await engine.ready_server())) == SENTENCE
        await engine.aclose()
        other_name = engine_at(place.url.replace("localhost", "127.0.0.1"), key_file=key_file)
        with pytest.raises(RemoteUnreachableError, match="certificate was not accepted"):
            await other_name.ready_server()
        await other_name.aclose()


async def test_a_certificate_file_that_is_not_there_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    engine = engine_at("https://localhost:1")
    with pytest.raises(RemoteUnreachableError, match="SSL_CERT_FILE"):
        await engine.ready_server()
    await engine.aclose()


async def test_plain_http_never_goes_through_a_proxy_of_the_environment(
    open_remote: OpenRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    remote = await open_remote()
    assert text_of(await chunks_of(await remote.engine.ready_server())) == SENTENCE


async def test_https_goes_through_a_proxy_that_sees_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-secret")
    seen: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        engine = engine_at("https://engine.example", key_file=key_file)
        with pytest.raises(RemoteUnreachableError, match="403 Forbidden"):
            await engine.ready_server()
        await engine.aclose()
    assert seen and seen[0].startswith(b"CONNECT engine.example:443") and b"sk-" not in seen[0]


async def test_tls_where_plain_http_is_spoken_is_named(open_remote: OpenRemote) -> None:
    remote = await open_remote()
    engine = engine_at(remote.url.replace("http:", "https:"))
    with pytest.raises(RemoteUnreachableError, match="TLS failed"):
        await engine.ready_server()
    await engine.aclose()


async def test_a_refused_connection_and_an_unknown_host_are_told_with_what_was_tried() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        engine = engine_at(url)
        with pytest.raises(RemoteUnreachableError, match=f"GET {url}/v1/models was tried.*refused"):
            await engine.ready_server()
        look = await engine.look()
        assert not look.is_reachable and look.kind is None and look.problem is not None
        await engine.aclose()
    engine = engine_at("http://no-such-host.invalid")
    with pytest.raises(RemoteUnreachableError, match=r"host name no-such-host\.invalid is not kn"):
        await engine.ready_server()
    await engine.aclose()


async def test_an_engine_that_comes_back_is_used_again_at_once(open_remote: OpenRemote) -> None:
    fake = FakeEngine()
    async with serving(fake) as place:
        engine = engine_at(place.url)
        await engine.ready_server()
    look = await engine.look(max_age_seconds=0)
    assert not look.is_reachable and look.kind == "openai"
    with pytest.raises(RemoteUnreachableError):
        await engine.ready_server()
    await engine.aclose()


async def test_a_key_is_sent_to_no_other_host(open_remote: OpenRemote, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-secret")
    other = await open_remote()
    remote = await open_remote(key_file=key_file)
    await remote.engine.ready_server()
    moved = Refusal(307, "", {"Location": f"{other.url}{CHAT}"})
    remote.fake.refusals = [moved]
    with pytest.raises(RemoteRefusedError, match="redirects to"):
        await chunks_of(await remote.engine.ready_server())
    assert not other.fake.asked


async def test_a_key_that_the_engine_repeats_is_told_nowhere(
    open_remote: OpenRemote, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-wrong")
    caplog.set_level("DEBUG")
    remote = await open_remote(FakeEngine(key="sk-right"), key_file=key_file)
    with pytest.raises(RemoteRefusedError, match=r"\[key\]") as refusal:
        await remote.engine.ready_server()
    assert "sk-" not in str(refusal.value) + str(remote.engine.last_look()) + caplog.text


async def test_a_missing_key_file_is_an_error_of_its_own(
    open_remote: OpenRemote, tmp_path: Path
) -> None:
    remote = await open_remote(key_file=tmp_path / "none")
    with pytest.raises(KeyFileError, match="no such file"):
        await remote.engine.ready_server()
    assert not remote.fake.asked
    assert not remote.engine.last_look().is_reachable


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Refusal(200, "<html>Log in</html>"), RemoteRefusedError, "gives no JSON"),
        (Refusal(200, {"data": []}), RemoteRefusedError, "lists no models"),
        (Refusal(200, [1, None, {"id": 7}]), RemoteRefusedError, "lists no models"),
        (Refusal(200, {"data": [{"id": "\x1b[31m"}]}), RemoteRefusedError, "lists no models"),
        (Refusal(404, {"detail": "Not Found"}), RemoteRefusedError, "Not Found"),
        (Refusal(500, "<html>"), RemoteRefusedError, "a web page"),
        (Refusal(429, {}, {"Retry-After": "9"}), RemoteBusyError, "in 9 s"),
    ],
)
async def test_what_is_no_engine_is_told(
    open_remote: OpenRemote,
    monkeypatch: pytest.MonkeyPatch,
    answer: Refusal,
    kind: type[Exception],
    said: str,
) -> None:
    remote = await open_remote()
    monkeypatch.setattr(remote.fake, "answer", lambda _request: answer)
    with pytest.raises(kind, match=said):
        await remote.engine.ready_server()
    assert remote.engine.last_look().is_reachable


@pytest.mark.parametrize("props", [{"total_slots": 1}, None], ids=["llama-server", "other"])
async def test_an_engine_too_busy_to_count_has_its_prompt_estimated(
    open_remote: OpenRemote, monkeypatch: pytest.MonkeyPatch, props: dict[str, int] | None
) -> None:
    remote = await open_remote()
    busy = Refusal(429, {"error": {"message": "slow down"}}, {"Retry-After": "9"})
    as_it_is = remote.fake.answer

    def answer(request: Asked) -> Refusal | None:
        if request.path == "/props" and props:
            return Refusal(200, props)
        return busy if request.method == "POST" else as_it_is(request)

    monkeypatch.setattr(remote.fake, "answer", answer)
    server = await remote.engine.ready_server()
    assert await server.count_tokens(MESSAGES) > 0
    assert remote.engine.last_look().kind == ("llama-server" if props else "openai")


async def test_a_llama_server_that_loads_is_waited_for(
    open_remote: OpenRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = await open_remote()
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    with monkeypatch.context() as patch:
        patch.setattr(remote.fake, "answer", lambda _request: Refusal(503, loading))
        look = await remote.engine.look()
        assert (look.kind, look.is_loading, look.problem) == ("llama-server", True, None)
        waiting = await remote.engine.ready_server()
    assert waiting.load is not None
    told: list[str] = []
    server = await waiting.when_ready(lambda load: told.append(load.line))
    assert told and "is loading" in told[0] and server.load is None
    assert text_of(await chunks_of(server)) == SENTENCE


async def test_silence_of_an_engine_that_is_gone_ends_the_wait() -> None:
    async with serving(FakeEngine()) as place:
        engine = engine_at(place.url)
        server = await engine.ready_server()
    with anyio.fail_after(60):
        error = await server.wait_until_silent(lambda: 0.0)
    assert "does not answer any more" in str(error)
    await engine.aclose()


async def test_an_engine_that_asks_for_a_moment_has_not_fallen_silent(
    open_remote: OpenRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Refusal(429, {"error": {"message": "slow down"}}, {"Retry-After": "4"})
    remote = await open_remote(FakeEngine(refusals=[busy]))
    as_it_is = remote.fake.answer
    idle = {"/props": {"total_slots": 1}, "/slots": [{"id": 0, "is_processing": False}]}

    def answer(request: Asked) -> Refusal | None:
        known = idle.get(request.path)
        return as_it_is(request) if known is None else Refusal(200, known)

    monkeypatch.setattr(remote.fake, "answer", answer)
    target = RemoteTarget(url=remote.url)
    engine = RemoteEngine(target, salt="test", patience_seconds=2)
    server = await engine.ready_server()
    lost: list[Exception] = []

    async def watch() -> None:
        lost.append(await server.wait_until_silent(lambda: 0.0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        assert text_of(await chunks_of(server)) == SENTENCE
        assert not lost, lost
        tasks.cancel_scope.cancel()
    await engine.aclose()


async def test_silence_of_an_engine_that_answers_is_waited_for(open_remote: OpenRemote) -> None:
    remote = await open_remote()
    engine = engine_at(remote.url)
    server = await engine.ready_server()
    begun = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.wait_until_silent, lambda: begun)
        asked = len(remote.fake.asked)
        await until(lambda: len(remote.fake.asked) > asked + 2, "it is asked again and again")
        tasks.cancel_scope.cancel()
    await engine.aclose()


@pytest.mark.parametrize("denies_nothing", [False, True])
async def test_an_engine_without_endpoints_of_others_is_not_taken_to_have_them(
    open_remote: OpenRemote, denies_nothing: bool
) -> None:
    remote = await open_remote(FakeEngine(denies_nothing=denies_nothing))
    with pytest.raises(RemoteCannotRankError, match="gives neither scores nor vectors"):
        await remote.engine.rank_server()
    server = await remote.engine.ready_server()
    await server.count_tokens(MESSAGES)
    look = remote.engine.last_look()
    assert (look.kind, look.counting, look.has_slots) == ("openai", "estimate", False)
    assert text_of(await chunks_of(server)) == SENTENCE
