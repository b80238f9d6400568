"""The list of resources: what it names, and that it costs the same however much was said."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mcp import Client

from llama_mcp.sessions.archive import Archive
from llama_mcp.settings import Settings
from llama_mcp.surface.resources.listing import TRANSCRIPTS_LISTED
from llama_mcp.surface.resources.uris import (
    LLAMA_SERVER,
    MODEL_TEMPLATE,
    OF_MODEL,
    PAGE,
    SESSION_DATA_PAGE_TEMPLATE,
    SESSION_DATA_TEMPLATE,
    SESSION_PAGE_TEMPLATE,
    SESSION_TEMPLATE,
    SESSIONS,
    STATUS_OF_MODEL,
    model_uri,
    session_id_of,
    session_uris,
    template_of,
)
from llama_mcp.surface.server import build_server
from tests.sessions.talk import have_session


async def test_every_resource_has_its_uri_in_one_place(tmp_path: Path) -> None:
    server = build_server(Settings(home=tmp_path))
    resources = {str(resource.uri) for resource in await server.list_resources()}
    templates = {template.uri_template for template in await server.list_resource_templates()}
    assert resources == {*LLAMA_SERVER, SESSIONS, PAGE}
    assert templates == {
        MODEL_TEMPLATE,
        *OF_MODEL,
        SESSION_TEMPLATE,
        SESSION_DATA_TEMPLATE,
        SESSION_PAGE_TEMPLATE,
        SESSION_DATA_PAGE_TEMPLATE,
    }


async def test_no_turn_is_read_for_the_list_of_resources(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    archive = Archive(settings.archive_path)
    ids = [await have_session(archive, turns=2) for _ in range(TRANSCRIPTS_LISTED + 1)]
    await archive.close()
    with closing(sqlite3.connect(settings.archive_path)) as connection, connection:
        connection.execute("ALTER TABLE turns RENAME TO out_of_reach")
    connection.close()
    async with Client(build_server(settings)) as client:
        listed = (await client.list_resources()).resources
    transcripts = [resource for resource in listed if session_id_of(str(resource.uri))]
    newest = [session_uris(session_id)[0] for session_id in reversed(ids[1:])]
    assert [str(resource.uri) for resource in transcripts] == newest
    assert all(resource.size is None for resource in transcripts)
    assert "2 turns" in (transcripts[0].description or "")


@pytest.mark.parametrize(
    ("uri", "session_id"),
    [
        ("llama://sessions/abc", "abc"),
        ("llama://sessions/abc.json", "abc"),
        ("llama://sessions", None),
        ("llama://server/log", None),
    ],
)
def test_a_sessions_uri_names_its_id(uri: str, session_id: str | None) -> None:
    assert session_id_of(uri) == session_id


@pytest.mark.parametrize("name", ["tiny", "user/repo/tiny-Q4_K_M", "größe 7B", "100%", "a?b#c"])
def test_a_models_uri_holds_any_name_and_gives_it_back(name: str) -> None:
    uri = model_uri(STATUS_OF_MODEL, name)
    assert uri.isascii() and uri.count("/") == 4 and uri.endswith("/status")
    assert template_of(uri) == (STATUS_OF_MODEL, name)


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("llama://models/tiny", (MODEL_TEMPLATE, "tiny")),
        ("llama://models/user%2frepo/log", ("llama://models/{name}/log", "user/repo")),
        ("llama://models/größe/slots", ("llama://models/{name}/slots", "größe")),
        ("llama://models", None),
        ("llama://models/", None),
        ("llama://models//status", None),
        ("llama://models/tiny/nonsense", None),
        ("llama://models/user/repo/status", None),
        ("llama://server/status", None),
    ],
)
def test_a_models_uri_is_known_however_a_client_writes_it(
    uri: str, found: tuple[str, str] | None
) -> None:
    assert template_of(uri) == found
