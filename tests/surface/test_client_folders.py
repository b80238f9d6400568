"""A client's folders are its roots where it tells them, and our working folder otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.session import ListRootsFnT
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import INTERNAL_ERROR, ErrorData, ListRootsResult, Root, TextContent
from pydantic import FileUrl

from llama_mcp.surface import client_folders
from llama_mcp.surface.client_folders import ClientFolders
from tests.support.processes import PATIENCE_SECONDS

pytestmark = pytest.mark.filterwarnings("ignore:The roots capability is deprecated")


class RootsClient:
    """A client of the initialize era, and how often it was asked for its roots."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = list(roots)
        self.asked = 0

    async def tell(self, context: ClientRequestContext) -> ListRootsResult | ErrorData:
        self.asked += 1
        return ListRootsResult(roots=[Root(uri=FileUrl(root.as_uri())) for root in self.roots])


def server_of(folders: ClientFolders) -> MCPServer[Any]:
    async def where(ctx: Context[Any]) -> str:
        return "\n".join(map(str, await folders.of(ctx.session)))

    server = MCPServer[Any]("x", middleware=[folders])
    server.tool()(where)
    return server


async def told(client: Client) -> list[Path]:
    (content,) = (await client.call_tool("where")).content
    assert isinstance(content, TextContent)
    return [Path(line) for line in content.text.splitlines()]


def legacy(answer: ListRootsFnT) -> Client:
    return Client(server_of(ClientFolders()), mode="legacy", list_roots_callback=answer)


async def test_roots_are_asked_for_once_and_again_when_they_changed(tmp_path: Path) -> None:
    one, other = tmp_path / "with blank", tmp_path / "ümlaut"
    host = RootsClient([one])
    async with legacy(host.tell) as client:
        assert await told(client) == await told(client) == [one]
        assert host.asked == 1
        host.roots = [other, one]
        await client.send_roots_list_changed()
        with anyio.fail_after(PATIENCE_SECONDS):
            while await told(client) != [other, one]:
                continue
        assert host.asked == 2


async def test_many_calls_at_once_ask_once(tmp_path: Path) -> None:
    host = RootsClient([tmp_path])
    async with legacy(host.tell) as client, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(told, client)
    assert host.asked == 1


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_without_roots_works_where_we_were_started(mode: Any) -> None:
    async with Client(server_of(ClientFolders()), mode=mode) as client:
        assert await told(client) == [Path.cwd()]


async def test_a_client_with_an_empty_list_works_where_we_were_started() -> None:
    async with legacy(RootsClient([]).tell) as client:
        assert await told(client) == [Path.cwd()]


async def test_a_client_that_refuses_to_tell_is_no_error() -> None:
    async def refuse(context: ClientRequestContext) -> ErrorData:
        return ErrorData(code=INTERNAL_ERROR, message="no")

    async with legacy(refuse) as client:
        assert await told(client) == [Path.cwd()]


async def test_a_client_that_never_answers_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_folders, "ROOTS_SECONDS", 0.1)
    asked = 0

    async def hang(context: ClientRequestContext) -> ErrorData:
        nonlocal asked
        asked += 1
        await anyio.sleep_forever()
        raise AssertionError

    async with legacy(hang) as client:
        assert await told(client) == await told(client) == [Path.cwd()]
    assert asked == 1
