"""Values that a setting should not have, and the settings by what they take."""

from llama_mcp.settings import Settings

SETTINGS = tuple(Settings.model_fields)
NUMBERS = (
    *("port", "ctx_size", "parallel", "n_gpu_layers"),
    *("unresponsive_seconds", "linger_seconds", "finish_seconds", "wait_seconds"),
)
WORDS = ("api_key", "auto_restart", "trace_content", "log_level")
PATHS = (
    "home",
    "model_path",
    "llama_cpp_path",
    "model_dirs",
    "allowed_paths",
    "file_dirs",
    "save_dirs",
)
# A variable may have 128 KiB with its name on Linux, 32 KiB on Windows.
BAD_VALUES = {
    "a wrong word": "perhaps",
    "out of range": "-7",
    "far out of range": "99999999999999999999",
    "not a number": "nan",
    "empty": "",
    "a placeholder": "${user_config.setting}",
    "a part is a placeholder": "${DATA}/setting",
    "quotes": '"\'"',
    "an open quote": '--a "b',
    "control characters": "a\x07\x1b[31mb",
    "bytes that are no UTF-8": "caf\udce9",
    "very long": "x" * 30_000,
    "open brackets": "[" * 30_000,
    "an unknown user": "~no-such-user/x",
    "a NUL written out": "a\\0b",
}
