"""Whoever calls sees its own: tools, resources, prompts and completions, by the caller."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.types import CompletionArgument, PromptReference

from llama_mcp.callers import LOCAL, Caller, Scope
from llama_mcp.errors import LlamaMCPError
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.settings import Settings
from llama_mcp.surface.calling import calling_as
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.completions import Completions
from llama_mcp.surface.prompts.prompts import Prompts
from llama_mcp.surface.resources.sessions import SessionResources, newest_transcripts
from llama_mcp.surface.tools.sessions import SessionTools

ALICE, BOB = Caller("alice"), Caller("bob", Scope.OPERATE)
CALLERS = (LOCAL, ALICE, BOB)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_services(Settings(home=tmp_path / "home"), {}) as services:
        yield services


@pytest.fixture
async def ids(services: Services) -> dict[Caller, str]:
    """A session of each caller, with a turn."""
    found = {}
    for caller in CALLERS:
        message = f"common words of-{caller.owner}"
        begun = await services.archive.begin_turn(None, message, owner=caller.owner)
        found[caller] = begun.session.session_id
        ending = TurnEnding(status=TurnStatus.COMPLETE, reply="hi")
        await services.archive.end_turn(found[caller], begun.turn, ending)
    return found


async def told_to(caller: Caller, services: Services, session_id: str) -> list[str]:
    """All that a caller is told without naming a session, and of the one that it names."""
    tools, resources = SessionTools(lambda: services), SessionResources(lambda: services)
    prompts = Prompts(lambda: services, services.settings.offered_tools)
    completions = Completions(lambda: services, ClientFolders())
    with calling_as(caller):
        completed = await completions.complete(
            PromptReference(type="ref/prompt", name="go_on"),
            CompletionArgument(name="session_id", value=""),
            None,
        )
        return [
            str(await tools.list_sessions()),
            str(await tools.list_sessions("common words")),
            str(await tools.read_session(session_id)),
            await resources.index(),
            await resources.transcript(session_id),
            await resources.data(session_id),
            await prompts.go_on(session_id),
            str(await newest_transcripts(services)),
            str(completed),
        ]


async def test_each_caller_is_told_of_its_own_sessions_only(
    services: Services, ids: dict[Caller, str]
) -> None:
    for caller, session_id in ids.items():
        for text in await told_to(caller, services, session_id):
            assert session_id in text
            for other in CALLERS:
                if other is not caller:
                    assert ids[other] not in text and f"of-{other.owner}" not in text
        with calling_as(caller):
            listed = json.loads(await SessionResources(lambda: services).index())
        assert listed["total"] == 1


async def test_another_ones_session_can_be_neither_read_nor_changed_nor_deleted(
    services: Services, ids: dict[Caller, str]
) -> None:
    tools, resources = SessionTools(lambda: services), SessionResources(lambda: services)
    prompts = Prompts(lambda: services, services.settings.offered_tools)
    foreign = ids[ALICE]
    for asked in (foreign, foreign[:6]):
        attempts = (
            lambda asked=asked: tools.read_session(asked),
            lambda asked=asked: tools.update_session(asked, title="mine"),
            lambda asked=asked: tools.fork_session(asked),
            lambda asked=asked: tools.delete_session(asked),
            lambda asked=asked: resources.transcript(asked),
            lambda asked=asked: resources.data(asked),
            lambda asked=asked: prompts.go_on(asked),
        )
        for attempt in attempts:
            with calling_as(BOB), pytest.raises(SessionNotFoundError) as failure:
                await attempt()
            assert ids[BOB] in str(failure.value)
            assert "of-alice" not in str(failure.value)
    with calling_as(ALICE):
        assert "of-alice" in await resources.transcript(foreign)


async def test_a_caller_without_sessions_is_told_that_there_is_none(
    services: Services, ids: dict[Caller, str]
) -> None:
    tools = SessionTools(lambda: services)
    with calling_as(Caller("carol")):
        assert ids[ALICE] not in str(await tools.list_sessions())
        with pytest.raises(LlamaMCPError, match=r"There is no session yet\."):
            await tools.read_session(ids[ALICE])
