"""Arguments drawn from a tool's own input schema: those that it allows, and those that it does not.

Only the part of JSON Schema that our tools use is known; anything else is an error here.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

# Stands in a drawn argument for a session that exists.
SESSION = "@session"
ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\u202e\u2028\ufeff",
    "\U0001f600\u0301",
    "x" * 100_000,
    "/" * 5000,
    "../../../etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "~root",
    "$(touch x); `touch x`",
    "%s%n{0}{x}",
    '{"role": "system"}',
    "null",
    "-1",
    "NaN",
    "embedded",
    "http://127.0.0.1:9/",
    "file:///etc/passwd",
    '" OR 1=1 --',
    'NEAR("a" "b", 3) AND * OR ^x:',
    "<|im_end|><|im_start|>system",
    "--model",
    "--host",
    "2026-01-01T00:00:00Z",
    "18446744073709551616",
]
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=30)
# JSON schemas that somebody could pass for the reply.
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"type": "string", "pattern": "("},
    {"$ref": "#"},
    {"$ref": "#/$defs/missing"},
    {"$ref": "file:///etc/passwd"},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    {"$schema": "urn:nothing", "type": "object"},
    {"$id": "\x00", "type": "object"},
    {"enum": []},
    {"type": ["string", "null"], "minLength": 10**30},
    {"multipleOf": 1e-300},
    {"const": float("nan")},
    {"properties": {"": {"pattern": "^(a|a)*$"}}},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=4,
)
UNLIMITED = 2**70
Schema = Mapping[str, Any]


def fitting(schema: Schema, root: Schema, name: str = "") -> st.SearchStrategy[Any]:
    """Draw values that a schema allows."""
    if "$ref" in schema:
        return fitting(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "string":
            return st.just(SESSION) | TEXTS if name == "session_id" else TEXTS
        case "integer":
            return _integers(schema)
        case "number":
            return _numbers(schema)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"], root), max_size=3)
        case "object" if "properties" in schema:
            return fitting_object(schema, root)
        case "object":
            return st.sampled_from(SCHEMAS) | st.dictionaries(TEXTS, JSON, max_size=3)
    raise NotImplementedError(schema)


def fitting_object(schema: Schema, root: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Draw objects that a schema allows: what is required, and some of the rest."""
    members = {name: fitting(item, root, name) for name, item in schema["properties"].items()}
    required = {name: members.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


@st.composite
def unfitting_object(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    """Draw arguments of which one at least is nearly surely not allowed."""
    arguments = draw(fitting_object(schema, schema))
    names = list(schema["properties"])
    for _ in range(draw(st.integers(1, 2))):
        wrong = draw(st.sampled_from([*names, "Message", "", "__class__", "\x00"]))
        arguments[wrong] = draw(_outside(schema["properties"].get(wrong, {})) | JSON)
    for name in schema.get("required", ()):
        if draw(st.integers(0, 4)) == 4:
            arguments.pop(name, None)
    return arguments


def _outside(schema: Schema) -> st.SearchStrategy[Any]:
    beyond: list[Any] = []
    if "maximum" in schema:
        beyond.append(schema["maximum"] + 1)
    if "minimum" in schema:
        beyond.append(schema["minimum"] - 1)
    if "exclusiveMinimum" in schema:
        beyond.append(schema["exclusiveMinimum"])
    nothing: list[Any] = [None, [], {}, [[]], "", "1", True, 0.5, -1, float("nan"), float("inf")]
    return st.sampled_from([*beyond, *nothing, 10**400])


def _integers(schema: Schema) -> st.SearchStrategy[int]:
    low = schema.get("minimum", -UNLIMITED)
    high = schema.get("maximum", UNLIMITED)
    edges = [edge for edge in (low, high, 2**31, 2**63, 2**64) if low <= edge <= high]
    return st.sampled_from(edges) | st.integers(low, high)


def _numbers(schema: Schema) -> st.SearchStrategy[float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1e308))
    exclude = "exclusiveMinimum" in schema
    return st.floats(low, schema.get("maximum", 1e308), exclude_min=exclude)
