"""The page is one text, small, closed to the network, and made of what is known."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from llama_mcp.dashboard.assemble import (
    MODULES,
    VENDORED,
    browser_page,
    chat_page,
    content_security_policy,
    own_script,
)

PAGE = files("llama_mcp.dashboard") / "page"
MOST_BYTES = 120_000
# As npm has them: htm 3.1.1 and marked 18.2.1. LICENSES.md says what they are.
VENDORED_SHA256 = {
    "htm-preact.js": "62c4ffea400078c0eda7f435b22726b4961ebdf74c8506f188e92bec41d8ac51",
    "marked.js": "bb95d4c15f1289f78486eaacebf3bb18688475ed58a040ef762ed49337090542",
}


class Tags(HTMLParser):
    """Which tags stand in the page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.found


def test_the_page_is_small() -> None:
    assert len(chat_page().encode()) < MOST_BYTES


def test_every_script_of_the_folder_is_in_the_page() -> None:
    assert {path.name for path in PAGE.iterdir() if path.name.endswith(".js")} == set(MODULES)
    vendored = {path.name for path in (PAGE / "vendor").iterdir() if path.name.endswith(".js")}
    assert vendored == set(VENDORED) == set(VENDORED_SHA256)


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_vendored_is_what_its_authors_published_and_its_licence_is_there(name: str) -> None:
    content = (PAGE / "vendor" / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == VENDORED_SHA256[name]
    assert name in (PAGE / "vendor" / "LICENSES.md").read_text(encoding="utf-8")


def test_the_page_names_no_address_that_it_could_load_from() -> None:
    """What it holds is between its tags; only the key's own server is asked, by fetch."""
    for tag, attributes in tags_of(chat_page()):
        assert not {"src", "href", "srcset", "action"} & attributes.keys(), tag
    style = chat_page().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    own = own_script({name: (PAGE / name).read_text(encoding="utf-8") for name in MODULES})
    assert re.findall(r"\bfetch\(([^,]*),", own) == ['"mcp"']
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", own)


def test_there_is_one_script_and_one_style_and_the_policy_allows_just_these() -> None:
    page = browser_page()
    kinds = [tag for tag, _ in tags_of(page)]
    assert kinds.count("script") == kinds.count("style") == 1
    policy = content_security_policy()
    for tag in ("script", "style"):
        text = page.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_only_the_browsers_page_says_that_it_is_in_a_browser() -> None:
    assert 'data-link="http"' in browser_page() and "data-link=" not in tags_only(chat_page())


def tags_only(page: str) -> str:
    return page.split("<script>")[0]


def test_two_modules_may_not_declare_one_name() -> None:
    with pytest.raises(ValueError, match="declared twice: half, three"):
        own_script(
            {
                "a.js": "export const { one: half, three } = x;\n",
                "b.js": "function three() {}\nconst half = 1;\n",
            }
        )


@pytest.mark.parametrize("line", ['import x from "./x.js";', "export default 1;", "export { a };"])
def test_a_form_of_import_or_export_that_is_not_taken_out_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cannot be taken out"):
        own_script({"a.js": f"{line}\n"})


def test_a_module_loses_imports_exports_comments_and_indentation_only() -> None:
    text = (
        '// Why.\nimport { a } from "./a.js";\n\n'
        "export async function b() {\n  return `x\n  y`; // z\n}\n"
    )
    assert own_script({"b.js": text}) == "\nasync function b() {\nreturn `x\ny`; // z\n}\n"
