"""Calls of tools that a model makes although it has none here, kept as text of the reply.

Some builds of llama-server, and some templates, take a reply for a call; then it comes in
`tool_calls`, or in `function_call` from older ones, and `content` stays empty.
"""

import json
from collections.abc import Mapping
from typing import Any


class ToolCalls:
    """Makes lines of JSON, {"name": ..., "arguments": ...}, of the calls in a stream."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._open: Any = None
        self._arguments = ""

    def take(self, delta: Mapping[str, Any], has_text: bool) -> str:
        """Return the text that goes on the reply.

        Args:
            delta: of one chunk.
            has_text: whether there is anything before.
        """
        calls = delta.get("tool_calls")
        items = calls if isinstance(calls, list) else []
        if isinstance(legacy := delta.get("function_call"), dict):
            items = [*items, {"function": legacy}]
        text = ""
        for item in items:
            if isinstance(item, dict) and isinstance(function := item.get("function"), dict):
                text += self._take_one(item.get("index"), function, has_text or bool(text))
        return text

    def end(self) -> str:
        """Return the end of the call that is open, if one is."""
        if self._open is None:
            return ""
        self._open = None
        return "}" if self._arguments else "{}}"

    def _take_one(self, index: Any, function: Mapping[str, Any], has_text: bool) -> str:
        text = ""
        call = str(index)
        name, arguments = function.get("name"), function.get("arguments")
        # Without an index, a name behind whole arguments begins another call.
        is_other = call != self._open or (index is None and _is_whole(self._arguments))
        if is_other and isinstance(name, str) and name:
            text = self.end() + ("\n" if has_text else "")
            text += f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": '
            self.names.append(name)
            self._open, self._arguments = call, ""
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if self.names and isinstance(arguments, str) and arguments:
            self._arguments += arguments
            text += arguments
        return text


def _is_whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
