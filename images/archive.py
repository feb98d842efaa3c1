#!/usr/bin/env python3
"""Makes a Docker archive (what `docker load` and `atoll image load` read) from one root file system.

Usage: archive.py OUT.tar ROOT.tar SPEC.json

SPEC.json lists images: {"name", "keep": [path prefixes, empty: all], "add": {path: file beside the spec},
"links": {path: target}, "folders": {path: mode in octal}, "config": {OCI image config: Cmd, Env, User, ...}}. Documentation and translations are left out. The same
input gives the same bytes, so that an image that did not change keeps its digest.
"""
import hashlib
import io
import json
import platform
import sys
import tarfile
from pathlib import Path

DROPPED = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "var/cache/", "var/lib/apt/", "dev/")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def cleaned(name):
    return name[2:] if name.startswith("./") else name.lstrip("/")


def wanted(path, keep):
    if any(path.startswith(prefix) for prefix in DROPPED):
        return False
    return not keep or any(path.startswith(prefix) or prefix.startswith(path.rstrip("/") + "/") for prefix in keep)


def make_layer(root, image, base):
    out = io.BytesIO()
    with tarfile.open(root) as source, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for member in source:
            path = cleaned(member.name)
            if not path or path == "." or not wanted(path, image.get("keep", [])):
                continue
            member.name = path
            if member.islnk():
                member.linkname = cleaned(member.linkname)
            member.mtime = 0
            member.pax_headers = {}
            layer.addfile(member, source.extractfile(member) if member.isreg() else None)
        for path, file in sorted(image.get("add", {}).items()):
            bytes_ = (base / file).read_bytes()
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(bytes_), 0o755
            layer.addfile(info, io.BytesIO(bytes_))
        for path, target in sorted(image.get("links", {}).items()):
            info = tarfile.TarInfo(path)
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            layer.addfile(info)
        for path, mode in sorted(image.get("folders", {}).items()):
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, int(mode, 8)
            layer.addfile(info)
    return out.getvalue()


def digest(bytes_):
    return hashlib.sha256(bytes_).hexdigest()


def add(archive, name, bytes_):
    info = tarfile.TarInfo(name)
    info.size = len(bytes_)
    archive.addfile(info, io.BytesIO(bytes_))


def main(out, root, spec_file):
    spec = json.loads(Path(spec_file).read_text())
    manifest = []
    with tarfile.open(out, "w") as archive:
        for image in spec:
            layer = make_layer(root, image, Path(spec_file).parent)
            config = json.dumps({"architecture": ARCHITECTURE[platform.machine()], "os": "linux", "config": image["config"],
                                 "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}}, sort_keys=True).encode()
            layer_name, config_name = digest(layer) + ".tar", digest(config) + ".json"
            add(archive, layer_name, layer)
            add(archive, config_name, config)
            manifest.append({"Config": config_name, "RepoTags": [image["name"]], "Layers": [layer_name]})
        add(archive, "manifest.json", json.dumps(manifest).encode())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
