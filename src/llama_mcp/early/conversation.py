"""What has been said so far, and what is answered to the next line; touches no descriptor."""

from llama_mcp.early.catalogue import APPS, LEGACY, MODERN, Catalogue
from llama_mcp.early.json_text import id_text
from llama_mcp.early.messages import (
    HANDSHAKE_VERSIONS,
    Json,
    is_bare,
    is_enveloped,
    is_greeting,
    message_in,
    shows_apps,
    told_capabilities,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # what these two modules import costs an idle process more than this room
    from collections.abc import Callable

    # Given the result of `resources/list` in the catalogue, both as JSON, returns the list as it is
    # now and what the real server has to know of it; None when that has to make the list.
    CompleteList = Callable[[str], tuple[str, object] | None]

INITIALIZE = "initialize"
LIST_RESOURCES = "resources/list"
LIST_TOOLS = "tools/list"
LISTEN = "subscriptions/listen"
# What a client can listen to without naming resources, in the order in which the SDK grants it.
_CHANGES = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")
# Lists that nothing changes.
_LASTING_LISTS = frozenset({"tools/list", "prompts/list", "resources/templates/list"})
# They are about requests that wait, and early nobody does but a client that listens.
_ABOUT_REQUESTS = frozenset({"notifications/cancelled", "notifications/progress"})
# A client sends one or two before its first call. One that sends many gets the real server.
_MOST_REPLAYED = 16


class Conversation:
    """One connection: its era, and what the real server has to be told of it."""

    def __init__(self, catalogue: Catalogue, complete_list: "CompleteList") -> None:
        self._catalogue = catalogue
        self._complete_list = complete_list
        self._era: str | None = None
        self._is_greeted = False
        self._shows_apps = False
        self.is_heard = False
        """Whether the client listens to changes, which only the real server notices."""
        self.replayed: list[bytes] = []
        self.list_told: object = None

    def answer(self, line: bytes) -> bytes | None:
        """Return the answer to a line, empty when there is none; None for the real server's."""
        line = line.strip(b" \t\r\n")
        if not line:
            return b""
        message = message_in(line)
        if message is None:
            return None
        if "id" not in message:
            return self._note(line, str(message["method"]))
        params = message.get("params", {})
        if not isinstance(params, dict):
            return None
        if message["method"] == LISTEN:
            return self._acknowledged(line, id_text(message["id"]), params)
        result = self._result(line, str(message["method"]), params)
        if result is None:
            return None
        head = f'{{"jsonrpc":"2.0","id":{id_text(message["id"])},"result":'
        return f"{head}{result}}}\n".encode()

    def answer_behind(self, line: bytes) -> bytes | None:
        """Return the answer to a line behind one that is the real server's; None to leave it too.

        Only lists that never change: it makes no difference to them which answer comes first.
        """
        message = message_in(line.strip(b" \t\r\n"))
        is_list = message is not None and "id" in message and message["method"] in _LASTING_LISTS
        return self.answer(line) if is_list and self._era is not None else None

    def _acknowledged(self, line: bytes, request_id: str, params: Json) -> bytes | None:
        """Return that the client is heard, which is all that a listener is told at first."""
        wanted = params.get("notifications")
        rest = {name: value for name, value in params.items() if name != "notifications"}
        if self._era != MODERN or not is_enveloped(rest) or self._is_full():
            return None
        if not isinstance(wanted, dict) or not _are_switches(wanted):
            return None
        self.replayed.append(line)
        self.is_heard = True
        granted = ",".join(f'"{name}":true' for name in _CHANGES if wanted.get(name))
        head = '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":'
        meta = f'{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{request_id}}}'
        return f'{head}{meta},"notifications":{{{granted}}}}}}}\n'.encode()

    def _is_full(self) -> bool:
        return len(self.replayed) == _MOST_REPLAYED

    def _note(self, line: bytes, method: str) -> bytes | None:
        if method in _ABOUT_REQUESTS:
            return None if self.is_heard else b""
        if self._is_full():
            return None
        self.replayed.append(line)
        return b""

    def _result(self, line: bytes, method: str, params: Json) -> str | None:
        """Return a result as JSON; None when the real server has to give it."""
        if method == INITIALIZE:
            return self._greeting(line, params)
        era = MODERN if is_enveloped(params) else LEGACY
        is_known = era == MODERN or (is_bare(params) and (self._is_greeted or method == "ping"))
        result = self._catalogue.get((era, method))
        if not is_known or result is None or self._era not in (None, era):
            return None
        if shows_apps(told_capabilities(params)) if era == MODERN else self._shows_apps:
            if method == LIST_RESOURCES:  # it has the page in its place
                return None
            result = self._with_page(era, result) if method == LIST_TOOLS else result
        if method == LIST_RESOURCES and (result := self._completed(result)) is None:
            return None
        if self._era is None:
            # The first request decides the era for the whole connection.
            self._era = era
            self.replayed.append(line)
        return result

    def _greeting(self, line: bytes, params: Json) -> str | None:
        greeting = self._catalogue.get((LEGACY, INITIALIZE))
        is_possible = self._era in (None, LEGACY) and not self._is_greeted
        if greeting is None or not is_possible or not is_greeting(params):
            return None
        self._era, self._is_greeted = LEGACY, True
        self._shows_apps = shows_apps(params.get("capabilities"))
        self.replayed.append(line)
        newest = f'"protocolVersion":"{HANDSHAKE_VERSIONS[-1]}"'
        return greeting.replace(newest, f'"protocolVersion":"{params["protocolVersion"]}"')

    def _with_page(self, era: str, result: str) -> str:
        """Return the list of tools with those that only the page calls, at its end."""
        entries = self._catalogue[APPS[era], LIST_TOOLS].partition("[")[2].rpartition("]")[0]
        head, end, tail = result.rpartition("}]")
        return f"{head}}},{entries}]{tail}" if end and entries else result

    def _completed(self, result: str) -> str | None:
        completed = self._complete_list(result)
        if completed is None:
            return None
        result, self.list_told = completed
        return result


def _are_switches(wanted: Json) -> bool:
    return all(name in _CHANGES and type(value) is bool for name, value in wanted.items())
