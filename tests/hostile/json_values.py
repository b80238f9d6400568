"""JSON of every shape, drawn from a random generator that a caller has seeded.

Not by Hypothesis: it mixes in constants of whatever modules happen to be loaded, so that the same
seed would mean other values whenever other tests run before (hypothesis, `providers.py`,
`_get_local_constants`). Its property tests are in test_any_json.py.
"""

import random
import string
from typing import Any

ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\x1b[2J",
    "\u202e\u2028\ufeff",
    "\U0001f600\u0301",
    "../../../etc/passwd",
    "/dev/zero",
    "/proc/self/mem",
    "~root",
    "~no-such-user/x",
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
    "2026-01-01T00:00:00Z",
    "18446744073709551616",
    "x" * 300,
]
ODD_NUMBERS = [
    -1,
    0,
    -0.0,
    0.1,
    1.5,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
    2**31,
    2**32,
    2**53 + 1,
    2**63,
    2**64,
    10**40,
    -(10**40),
]
ALPHABET = string.ascii_letters + string.digits + " \t\"'\\/.,:;%*?<>[]{}-_éßﬁ中😀\u2028\x7f"


def any_text(numbers: random.Random) -> str:
    if numbers.random() < 0.5:
        return numbers.choice(ODD_TEXTS)
    return "".join(numbers.choices(ALPHABET, k=numbers.randrange(30)))


def any_number(numbers: random.Random) -> float:
    if numbers.random() < 0.5:
        return numbers.choice(ODD_NUMBERS)
    if numbers.random() < 0.5:
        return numbers.uniform(-1000, 1000)
    return numbers.randrange(-(2 ** numbers.randrange(80)), 2 ** numbers.randrange(80))


def any_json(numbers: random.Random, levels: int = 3) -> Any:
    """Return a value of any type, up to so many levels deep."""
    kind = numbers.randrange(7 if levels else 5)
    if kind == 5:
        return [any_json(numbers, levels - 1) for _ in range(numbers.randrange(4))]
    if kind == 6:
        names = [any_text(numbers) for _ in range(numbers.randrange(4))]
        return {name: any_json(numbers, levels - 1) for name in names}
    return [None, True, False, any_number(numbers), any_text(numbers)][kind]
