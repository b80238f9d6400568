"""The ranges of what operators and callers may pass, each declared once as a type.

Settings, launches, sampling and tools use these types, so that all of them refuse the same values.
"""

from typing import Annotated

from pydantic import Field

Port = Annotated[int, Field(ge=0, le=65535)]
CtxSize = Annotated[int, Field(ge=1)]
Parallel = Annotated[int, Field(ge=1)]
# -1 stands for all layers.
GpuLayers = Annotated[int, Field(ge=-1)]

Temperature = Annotated[float, Field(ge=0, le=2)]
Share = Annotated[float, Field(ge=0, le=1)]
TopK = Annotated[int, Field(ge=0)]
# llama-server keeps the length in 32 bits with a sign, the seed in 32 bits without one.
MaxTokens = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
StopText = Annotated[str, Field(min_length=1)]

WaitSeconds = Annotated[float, Field(ge=0, le=600)]
# One hour: longer than any model takes from a slow disk.
LoadSeconds = Annotated[float, Field(gt=0, le=3600)]
