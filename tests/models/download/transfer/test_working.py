"""What is told when a disk refuses what a download needs."""

import errno
import os

import pytest

from llama_mcp.models.download.records import Request
from llama_mcp.models.download.transfer.working import refused


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk of /hub is full"),
        (errno.EDQUOT, "The disk of /hub is full"),
        (errno.EFBIG, "FAT32 ends at 4 GiB"),
        (errno.EACCES, "llama-mcp may not write to /hub/blobs"),
        (errno.EROFS, "llama-mcp may not write to /hub/blobs"),
        (errno.ENOENT, "Somebody has removed what a/b:q8_0 was written to"),
        (errno.EIO, "Input/output error (/hub/blobs)"),
    ],
)
def test_what_the_disk_refuses_is_told_with_what_to_do(number: int, said: str) -> None:
    error = OSError(number, os.strerror(number), "/hub/blobs")
    text = refused(error, Request(repo="a/b", quant="q8_0", revision="main", cache="/hub"))
    assert said in text
    assert "HF_HUB_CACHE" in text or "Call again" in text
