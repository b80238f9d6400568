"""Puts the page together: one HTML text with all in it, which needs no network and no build.

The scripts in page/ are ES modules, for editors and for `node --test`. In the page they are one
script with one scope: imports and exports between them are taken out, and so are comments and
indentation. No two of them may declare the same name.
"""

import base64
import hashlib
import re
from collections import Counter
from functools import cache
from importlib.resources import files

VENDORED = ("htm-preact.js", "marked.js")
# Each comes after what it imports.
MODULES = (
    "elements.js",
    "format.js",
    "results.js",
    "host_link.js",
    "http_link.js",
    "markdown.js",
    "looks.js",
    "plots.js",
    "buttons.js",
    "attention.js",
    "tabs.js",
    "now.js",
    "chat_box.js",
    "conversations.js",
    "models.js",
    "log.js",
    "setup.js",
    "app.js",
)

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[\w-]+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const)\b)", re.MULTILINE)
_COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)
_INDENTATION = re.compile(r"^[ ]+", re.MULTILINE)
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
_DECLARED = re.compile(
    r"^(?:async )?(?:function\*?|class|const|let) (?:\{([^}]*)\}|(\w+))", re.MULTILINE
)
_SCRIPT_END = re.compile(r"</(?=script)", re.IGNORECASE)
# Where the page says that it stands in a browser, and not in a chat.
_CHAT, _BROWSER = '<html lang="en">', '<html lang="en" data-link="http">'


@cache
def chat_page() -> str:
    """Return the page as a host shows it in a chat."""
    script = _SCRIPT_END.sub(r"<\\/", _script())
    style = _INDENTATION.sub("", _text("style.css"))
    page = _text("page.html").replace("/*STYLE*/", style, 1)
    return page.replace("/*SCRIPT*/", script, 1)


@cache
def browser_page() -> str:
    """Return the page as our own server serves it to a browser."""
    return chat_page().replace(_CHAT, _BROWSER, 1)


@cache
def content_security_policy() -> str:
    """Return what the browser's page may do: its own script and style, and its own server.

    Source: https://www.w3.org/TR/CSP3/; the hashes stand for the text between the tags.
    """
    script, style = (_hash_between(f"<{tag}>", f"</{tag}>") for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def own_script(modules: dict[str, str]) -> str:
    """Return the modules as one script.

    Args:
        modules: their texts by name, in the order of their imports.

    Raises:
        ValueError: two of them declare the same name, or one has a form that is not taken out.
    """
    bare = "".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in modules.values())
    if left := re.search(r"^(import|export)\b.*", bare, re.MULTILINE):
        raise ValueError(f"cannot be taken out: {left[0]}")
    names = Counter(name for match in _DECLARED.finditer(bare) for name in _names_in(match))
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise ValueError(f"declared twice: {', '.join(twice)}")
    return _INDENTATION.sub("", _COMMENT.sub("", bare))


def _script() -> str:
    vendored = "\n".join(_SOURCE_MAP.sub("", _text(f"vendor/{name}")) for name in VENDORED)
    own = own_script({name: _text(name) for name in MODULES})
    return f'{vendored}\n(function () {{\n"use strict";\n{own}}})();\n'


def _names_in(match: re.Match[str]) -> list[str]:
    if match[2]:
        return [match[2]]
    parts = (part.strip() for part in match[1].split(","))
    return [part.partition(":")[2].strip() or part for part in parts if part]


def _text(name: str) -> str:
    page = files("llama_mcp.dashboard") / "page"
    return page.joinpath(*name.split("/")).read_text(encoding="utf-8")


def _hash_between(begin: str, end: str) -> str:
    page = browser_page()
    start = page.index(begin) + len(begin)
    digest = hashlib.sha256(page[start : page.index(end, start)].encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
