"""llama_cpp_path in the forms in which people write it on Windows; each one starts."""

import shutil
from pathlib import Path

from tests.windows.stage import Stage, call, close, start

# Where Visual Studio puts what it builds, below the folder that a person names.
BUILDS = (Path("bin", "Release"), Path("build", "bin", "Release"))


async def engine_paths(stage: Stage) -> str:
    """Start llama-server by each form; the executable on C:, the model on Z:."""
    forms = {**_forms_of_one(stage), **_forms_of_builds(stage)}
    async with stage.client() as client:
        await client.hello()
        for form, path in forms.items():
            await start(client, llama_cpp_path=path)
            config = await call(client, "get_config")
            assert config["llama_cpp_path"].endswith("llama-server.exe"), f"{form}: {config}"
            await call(client, "stop_llama_server")
        await close(client)
    await stage.until_nothing_is_left()
    return ", ".join(forms)


def _forms_of_one(stage: Stage) -> dict[str, str]:
    executable = stage.windows.path(stage.executable)
    folder = stage.windows.path(stage.executable.parent)
    return {
        "folder": folder,
        "trailing backslash": f"{folder}\\",
        "forward slashes": folder.replace("\\", "/"),
        "another case": folder.upper(),
        "the executable": executable,
        r"\\?\ form": rf"\\?\{executable}",
    }


def _forms_of_builds(stage: Stage) -> dict[str, str]:
    forms = {}
    for build in BUILDS:
        folder = stage.executable.parent / f"source {len(build.parts)}"
        shutil.copytree(stage.executable.parent, folder / build, ignore=lambda *_: ["source 2"])
        forms["\\".join(build.parts)] = stage.windows.path(folder)
    return forms
