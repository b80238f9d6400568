"""What has come of a job as the text of its turn, and as the content of the file that it asks for.

The end of the file's name says the form: `.json` an object, `.jsonl` a line for each file, anything
else Markdown.
"""

import json
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from pathlib import PurePath
from typing import Any

from llama_mcp.sessions.jobs import FileResult, JobState, title_of
from llama_mcp.visible_text import visible_line


class Form(Enum):
    """How results are written down."""

    MARKDOWN = auto()
    JSON = auto()
    JSON_LINES = auto()


_FORMS = {".json": Form.JSON, ".jsonl": Form.JSON_LINES, ".ndjson": Form.JSON_LINES}


def form_of(save_to: str) -> Form:
    """Return the form that the name of a file asks for."""
    return _FORMS.get(PurePath(save_to).suffix.lower(), Form.MARKDOWN)


def content_of(form: Form, instruction: str, reply: str, parsed: Any, state: JobState) -> str:
    """Return what is written to the file.

    Args:
        form: how.
        instruction: what was asked.
        reply: the reply of a job that has one.
        parsed: the same as data; None when it is a text.
        state: the results of a job that has one for each file, and what was left out.
    """
    if form is Form.JSON_LINES:
        return "".join(f"{_json(row)}\n" for row in rows_of(state.results))
    if form is Form.JSON:
        result: dict[str, Any] = {"instruction": instruction}
        if state.each:
            result["results"] = list(rows_of(state.results))
        else:
            result |= {"reply": reply} if parsed is None else {"parsed": parsed}
        result["coverage"] = state.coverage.model_dump(mode="json", exclude_none=True)
        return f"{json.dumps(result, ensure_ascii=False, indent=2)}\n"
    return f"{results_text(state.results) if state.each else reply}\n"


def rows_of(results: Sequence[FileResult]) -> Iterator[dict[str, Any]]:
    """Give results as data, without what is not there."""
    for result in results:
        row = result.model_dump(mode="json")
        yield {name: value for name, value in row.items() if value is not None}


def results_text(results: Sequence[FileResult]) -> str:
    """Return the results of files as Markdown, each under its name."""
    return "\n\n".join(map(result_text, results))


def result_text(result: FileResult) -> str:
    """Return the result of one file as Markdown, under its name."""
    body = result.reply
    if result.parsed is not None:
        body = _json(result.parsed)
    elif result.error is not None:
        body = f"error: {result.error}"
    return f"## {visible_line(title_of(result.file, result.lines))}\n\n{body or ''}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
