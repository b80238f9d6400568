"""A message and the files that are sent with it, as the model reads them.

Each file stands before the message, between two marks that say its name and its lines. The word in
the marks occurs as one in none of the files, so that no text can end its own or begin another one.
The same files always give the same bytes: later prompts of the session begin with them.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llama_mcp.sessions.attachments import AttachedFile, Attachment
from llama_mcp.turns.marks import free_mark

ChatMessage = dict[str, Any]
ChatMessages = list[ChatMessage]

# In the place of a picture in an earlier message, for a model that came later and sees none.
UNSEEN_PICTURE = "[a picture, which this model cannot see]"
PICTURE = "[a picture]"


def user_message(
    message: str, attached: Sequence[Attachment] = (), *, sees_pictures: bool = True
) -> ChatMessage:
    """Return a message with its files; its content is a list of parts if a picture is among them.

    Args:
        message: What the caller says.
        attached: What is sent with it.
        sees_pictures: Whether the model does; a word takes their place otherwise.
    """
    if not attached:  # of thousands of messages nearly all
        return {"role": "user", "content": message}
    parts = _merged([*_parts(attached, sees_pictures=sees_pictures), _text(message)])
    content = parts[0]["text"] if len(parts) == 1 else parts
    return {"role": "user", "content": content}


def with_more_text(message: Mapping[str, Any], text: str) -> ChatMessage:
    """Return the message with a text at its end."""
    content = message["content"]
    more = content + text if isinstance(content, str) else _merged([*content, _text(text)])
    return {**message, "content": more}


def text_of(message: Mapping[str, Any]) -> str:
    """Return what can be read of a message; a word stands for a picture."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", PICTURE) for part in content)


def has_picture(message: Mapping[str, Any]) -> bool:
    """Return whether a picture is sent with the message."""
    return not isinstance(message["content"], str)


def is_picture(attached: Attachment) -> bool:
    """Return whether the file is a picture."""
    return isinstance(attached.content, bytes)


def _parts(attached: Sequence[Attachment], *, sees_pictures: bool) -> Iterator[ChatMessage]:
    tag = free_mark("file", _texts_of(attached))
    for each in attached:
        yield _text(f"<{tag} {_label(each.file)}>\n")
        if isinstance(each.content, str):
            yield _text(each.content)
        elif sees_pictures:
            uri = f"data:{each.file.media_type};base64,{b64encode(each.content).decode()}"
            yield {"type": "image_url", "image_url": {"url": uri}}
        else:
            yield _text(UNSEEN_PICTURE)
        is_ended = isinstance(each.content, str) and each.content.endswith("\n")
        yield _text(f"{'' if is_ended else chr(10)}</{tag}>\n\n")


def _label(file: AttachedFile) -> str:
    # As JSON: a name may hold quotes and ends of lines.
    name = f"name={json.dumps(file.name, ensure_ascii=False)}"
    return name if file.first_line is None else f'{name} lines="{file.first_line}-{file.last_line}"'


def _texts_of(attached: Sequence[Attachment]) -> Iterator[str]:
    for each in attached:
        yield each.file.name
        if isinstance(each.content, str):
            yield each.content


def _text(text: str) -> ChatMessage:
    return {"type": "text", "text": text}


def _merged(parts: Iterable[ChatMessage]) -> ChatMessages:
    """Return the parts with texts that follow each other as one."""
    merged: ChatMessages = []
    for part in parts:
        if merged and part["type"] == merged[-1]["type"] == "text":
            merged[-1] = _text(merged[-1]["text"] + part["text"])
        else:
            merged.append(part)
    return merged
