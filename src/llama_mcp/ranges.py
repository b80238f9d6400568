"""The ranges of what operators and callers may pass, each declared once as a type.

Settings, launches, sampling and tools use these types, so that all of them refuse the same values.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

Port = Annotated[int, Field(ge=0, le=65535)]
# llama-server keeps the sum of all windows in 32 bits with a sign, rounded up to 256 tokens.
LARGEST_CONTEXT = 2**31 - 256
CtxSize = Annotated[int, Field(ge=1, le=LARGEST_CONTEXT)]
# llama.cpp: LLAMA_MAX_SEQ in src/llama-cparams.h; older builds take 64.
Parallel = Annotated[int, Field(ge=1, le=256)]
# -1 stands for all layers.
GpuLayers = Annotated[int, Field(ge=-1, le=2**31 - 1)]

Temperature = Annotated[float, Field(ge=0, le=2)]
Share = Annotated[float, Field(ge=0, le=1)]
# llama-server keeps both in 32 bits with a sign: a larger number becomes another one.
TopK = Annotated[int, Field(ge=0, le=2**31 - 1)]
MaxTokens = Annotated[int, Field(ge=1, le=2**31 - 1)]
# In 32 bits without a sign; the largest stands for a random one (llama.h: LLAMA_DEFAULT_SEED).
Seed = Annotated[int, Field(ge=0, le=2**32 - 2)]
StopText = Annotated[str, Field(min_length=1)]

# In MiB; a TiB is more than anybody has texts for.
VectorCacheMB = Annotated[int, Field(ge=0, le=2**20)]
KvDiskMB = Annotated[int, Field(ge=0, le=2**20)]

# More models at once than any machine has memory for.
MaxModels = Annotated[int, Field(ge=1, le=64)]
# 0 stands for never.
IdleSeconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

WaitSeconds = Annotated[float, Field(ge=0, le=600)]
# One hour: longer than any model takes from a slow disk.
LoadSeconds = Annotated[float, Field(gt=0, le=3600)]


def number_in_words(schema: Mapping[str, Any]) -> str:
    """Return what a number may be, as the end of an error: it takes a whole number from 1 to 256.

    Args:
        schema: the JSON schema of an integer or a number.
    """
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    least, most = schema.get("minimum"), schema.get("maximum")
    if most is not None:
        return f"it takes {kind} from {least} to {most}"
    above = schema.get("exclusiveMinimum")
    return f"it takes {kind} " + (f"from {least} on" if above is None else f"above {above}")
