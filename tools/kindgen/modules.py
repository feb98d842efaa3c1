"""Finds the published Go modules named in go.mod, downloading what is missing."""

import json
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def locate(go="go"):
    """{module path: folder} for every module in go.mod."""
    folders = {}
    for path, version in re.findall(r"^\t(\S+) (v\S+)$", (HERE / "go.mod").read_text(), re.M):
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{path}@{version}"],
            cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"kindgen: go mod download {path}@{version}: {done.stdout}{done.stderr}")
        folders[path] = pathlib.Path(json.loads(done.stdout)["Dir"])
    return folders
