"""What llama-mcp uses of the MCP SDK although it is private, provisional or written nowhere.

pyproject.toml pins mcp to the minor release in which it was read. When a test here fails after an
update, its sentence says what the SDK has changed and which of our files rests on it: change that
file first, then the pin.
"""

import ast
import inspect
import logging
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import fields
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import mcp.server.mcpserver.server
import mcp_types
import pytest
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.mcpserver import MCPServer
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ListenHandler
from mcp.shared.message import SessionMessage
from packaging.requirements import Requirement

from llama_mcp.settings import Settings
from llama_mcp.surface.mcp_server import LlamaMCPServer
from llama_mcp.surface.server import build_server
from llama_mcp.surface.stdio.messages import Incoming, Outgoing

CHECKOUT = Path(__file__).parents[2]
SOURCES = CHECKOUT / "src" / "llama_mcp"
# Every private name of another package that our sources touch; each has its test below.
KNOWN = {
    ("surface/stdio/serving.py", "_lowlevel_server"),
    ("surface/http/app.py", "_lowlevel_server"),
    ("surface/http/app.py", "_session_owners"),
    ("surface/http/calls.py", "_request_outbound"),
    ("surface/notifications/subscriptions.py", "_connection"),
    ("surface/client_folders.py", "_connection"),
    ("cli/serve.py", "mcp.server.mcpserver.server"),
}
# mcp.json is a file of many clients.
LOGGER = re.compile(r"mcp(\.(?!json\b)\w+)+")
STANDARD_LIBRARY = {"_exit", "_fields", "_handle"}
REQUEST = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'


def test_the_installed_sdk_is_of_the_minor_release_that_is_pinned() -> None:
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        required = [Requirement(text) for text in tomllib.load(file)["project"]["dependencies"]]
    (pin,) = [requirement.specifier for requirement in required if requirement.name == "mcp"]
    installed = version("mcp")
    assert pin.contains(installed), f"mcp {installed} is installed, and pyproject.toml says {pin}"
    major, minor = installed.split(".")[:2]
    following = f"{major}.{int(minor) + 1}.0"
    assert not pin.contains(following), (
        f"pyproject.toml allows mcp {following}, in which the private names that surface/stdio/ "
        "touches may have changed: pin it below the next minor release"
    )


def test_no_file_touches_a_private_name_of_the_sdk_that_has_no_test_here() -> None:
    sources = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES.rglob("*.py")}
    ours = {name for tree in sources.values() for name in defined_in(tree)} | STANDARD_LIBRARY
    touched = {
        (path.relative_to(SOURCES).as_posix(), name)
        for path, tree in sources.items()
        for name in foreign_private_names(tree, ours)
    }
    new, gone = touched - KNOWN, KNOWN - touched
    assert not new, f"add a test for each of these private names, or do without: {sorted(new)}"
    assert not gone, f"nothing touches these any more, so drop their tests: {sorted(gone)}"


def defined_in(tree: ast.Module) -> Iterator[str]:
    """Give every name that a module of ours defines, as far as one can see."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id


def foreign_private_names(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in ours:
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(is_private(part) for part in parts) and parts[0] != "llama_mcp":
                yield node.module
        elif isinstance(node, ast.Constant) and LOGGER.fullmatch(str(node.value)):
            yield str(node.value)  # a logger, which only its module's name leads to


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_an_mcpserver_still_keeps_its_low_level_server_where_we_take_it_from() -> None:
    low_level = getattr(build_server(Settings()), "_lowlevel_server", None)
    assert isinstance(low_level, Server), (
        "MCPServer no longer keeps a mcp.server.lowlevel.Server in _lowlevel_server; "
        "serve_stdio in surface/stdio/serving.py runs that one over its own streams"
    )
    options = low_level.create_initialization_options(NotificationOptions(True, True, True))
    assert options.capabilities.tools is not None and options.capabilities.tools.list_changed, (
        "create_initialization_options no longer turns NotificationOptions into capabilities; "
        "serve_stdio in surface/stdio/serving.py announces list_changed with them"
    )
    takes = parameters_of(Server.run)[:4]
    assert takes == ["self", "read_stream", "write_stream", "initialization_options"], (
        f"Server.run takes {takes} now; serve_stdio in surface/stdio/ passes it a reader, a "
        "writer and the options, in this order"
    )


def test_middleware_is_still_called_with_what_changes_reads_of_a_request() -> None:
    server = MCPServer[Any]("x", middleware=[])
    assert isinstance(server.middleware, list), "MCPServer takes no list of middleware any more"
    known = {field.name for field in fields(ServerRequestContext)}
    missing = {"method", "params", "protocol_version", "session"} - known
    assert not missing, (
        f"ServerRequestContext has no {sorted(missing)} any more; Subscriptions "
        "(surface/notifications/subscriptions.py) answers resources/subscribe with it"
    )
    missing = {"send_resource_updated", "send_resource_list_changed"} - set(dir(ServerSession))
    assert not missing, (
        f"ServerSession has no {sorted(missing)} any more; Subscriptions "
        "(surface/notifications/subscriptions.py) tells clients of the initialize era with it"
    )
    connection = Connection.for_loop(cast("Any", None))
    session = ServerSession(cast("Any", None), connection)
    assert getattr(session, "_connection", None) is connection, (
        "ServerSession keeps its connection elsewhere; Subscriptions tells connections by it"
    )
    assert isinstance(connection.exit_stack, AsyncExitStack), (
        "Connection has no exit_stack any more; Subscriptions forgets a client by it"
    )


def test_a_request_still_tells_whether_its_client_has_cancelled_it() -> None:
    channel: Any = object()
    session = ServerSession(channel, Connection.for_loop(channel))
    assert getattr(session, "_request_outbound", None) is channel, (
        "ServerSession keeps the channel of its request elsewhere; Calls (surface/http/calls.py) "
        "asks it whether the client has cancelled, or has only gone"
    )
    for module, name in (
        ("mcp.shared.jsonrpc_dispatcher", "_JSONRPCDispatchContext"),
        ("mcp.server._streamable_http_modern", "_SingleExchangeDispatchContext"),
    ):
        kind: Any = getattr(import_module(module), name, None)
        assert kind is not None, f"{module} has no {name} any more"
        known = {field.name for field in fields(kind)}
        assert "cancel_requested" in known, f"{name} has no cancel_requested any more"


async def test_the_sdk_still_asks_for_what_the_app_over_http_gives_it() -> None:
    server = build_server(Settings())
    parameters = set(parameters_of(server._lowlevel_server.streamable_http_app))
    needed = {"max_request_body_size", "session_idle_timeout", "max_sessions"}
    needed |= {"custom_starlette_routes", "transport_security", "host"}
    missing = needed - parameters
    assert not missing, f"streamable_http_app takes no {sorted(missing)} any more"
    entry = server._lowlevel_server.get_request_handler("subscriptions/listen")
    assert isinstance(getattr(entry, "handler", None), ListenHandler), (
        "the handler of subscriptions/listen is found elsewhere; HttpApp closes it at the end"
    )
    server._lowlevel_server.streamable_http_app()
    owners = getattr(server._lowlevel_server.session_manager, "_session_owners", None)
    assert owners == {} and "subject" in AuthorizationContext.__annotations__, (
        "the session manager keeps elsewhere whose each session is; HttpApp counts them"
    )
    source = inspect.getsource(import_module("mcp.server._streamable_http_modern"))
    assert 'receive()).get("type") != "http.disconnect"' in source, (
        "a 2026-07-28 request learns of the end of its connection in another way; the gate "
        "(surface/http/gate.py) keeps it from being cancelled by that"
    )


def test_the_sdk_still_asks_no_more_of_a_stream_than_ours_have() -> None:
    protocols: Any = import_module("mcp.shared._stream_protocols")
    for theirs, ours in ((protocols.ReadStream, Incoming), (protocols.WriteStream, Outgoing)):
        asked = {name for name, value in vars(theirs).items() if inspect.isfunction(value)}
        missing = asked - set(dir(ours))
        assert asked and not missing, (
            f"the SDK asks {sorted(missing)} of a stream too; {ours.__name__} in "
            "surface/stdio/messages.py is what the low-level server reads or writes"
        )


def test_a_message_is_still_read_and_written_as_stdio_does() -> None:
    message = mcp_types.jsonrpc_message_adapter.validate_json(REQUEST, by_name=False)
    wrapped = SessionMessage(message)
    assert wrapped.message is message, "SessionMessage no longer takes the message alone"
    written = message.model_dump_json(by_alias=True, exclude_unset=True)
    assert '"id":1' in written, "a JSON-RPC message is no longer written with what it was read from"
    for broken in (b"[]", b"{}", b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}'):
        # A ValueError is what surface/stdio/messages.py answers with -32700.
        with pytest.raises(ValueError):
            mcp_types.jsonrpc_message_adapter.validate_json(broken, by_name=False)


@pytest.mark.parametrize("name", ["list_tools", "list_resources", "call_tool", "read_resource"])
def test_what_our_server_overrides_still_takes_the_same_arguments(name: str) -> None:
    theirs = parameters_of(getattr(MCPServer, name))
    ours = parameters_of(getattr(LlamaMCPServer, name))
    assert ours == theirs, (
        f"MCPServer.{name} takes {theirs} now, and LlamaMCPServer in server.py overrides it with "
        f"{ours}"
    )
    assert f"self.{name}(" in inspect.getsource(MCPServer), (
        f"MCPServer no longer answers by way of its own {name}; LlamaMCPServer in server.py "
        "overrides it to put failures into words and to make schemas small"
    )


def test_our_server_hides_no_private_name_of_the_sdks() -> None:
    theirs = vars(MCPServer[Any]("x")).keys() | set(dir(MCPServer))
    ours = vars(LlamaMCPServer).keys() | LlamaMCPServer.__annotations__.keys()
    hidden = {name for name in ours & theirs if is_private(name)}
    assert not hidden, f"MCPServer has {sorted(hidden)} too; LlamaMCPServer must name it otherwise"
    assert "services" not in theirs, "MCPServer has services of its own now"


def test_the_logger_that_quotes_refused_calls_still_has_the_name_that_cli_silences() -> None:
    module = mcp.server.mcpserver.server
    found: Any = getattr(module, "logger", None)
    assert isinstance(found, logging.Logger) and found.name == "mcp.server.mcpserver.server", (
        "the SDK's logger that writes the text of every refused call at INFO has another name; "
        "cli/serve.py silences it, because that text may quote a conversation"
    )


def parameters_of(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)
