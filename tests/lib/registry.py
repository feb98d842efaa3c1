"""A real registry (Debian's docker-registry) on loopback, and a small client that pushes to it."""
import base64
import crypt
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from lib.instance import wait_for

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files):
    """A tar of {path: (bytes, mode)}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, (data, mode) in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def busybox_image(greeting):
    """(layer, config) of an image whose command prints `greeting`."""
    tar = layer({"bin/busybox": (Path(shutil.which("busybox")).read_bytes(), 0o755), "greeting": (greeting.encode() + b"\n", 0o644)})
    config = {"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
              "config": {"Cmd": ["/bin/busybox", "sh", "-c", "/bin/busybox cat /greeting; exec /bin/busybox sleep 600"]},
              "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}}
    return tar, json.dumps(config).encode()


class Registry:
    def __init__(self, address="127.0.0.1", user=None, password=None):
        self.folder = Path(tempfile.mkdtemp(prefix="atoll-registry-"))
        with socket.create_server((address, 0)) as free:
            self.port = free.getsockname()[1]
        self.address, self.user, self.password = address, user, password
        config = {"version": "0.1", "log": {"level": "error"}, "http": {"addr": f"{address}:{self.port}"},
                  "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}}}
        if user:
            hashed = crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
            (self.folder / "users").write_text(f"{user}:{hashed}\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "users")}}
        (self.folder / "config.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen(["docker-registry", "serve", str(self.folder / "config.yml")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("registry", lambda: self.request("GET", "/v2/") is not None, seconds=20)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def request(self, method, path, data=None, kind="application/octet-stream"):
        """(headers, body); an exception where the registry refuses."""
        url = path if path.startswith("http") else f"http://{self.address}:{self.port}{path}"
        headers = {"Content-Type": kind, "Accept": MANIFEST}
        if self.user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers), timeout=20) as answer:
            return answer.headers, answer.read()

    def push_blob(self, name, data):
        headers, _ = self.request("POST", f"/v2/{name}/blobs/uploads/", b"")
        place = headers["Location"]
        self.request("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest(data)}", data)
        return {"digest": digest(data), "size": len(data)}

    def push(self, name, tag, greeting):
        """The manifest's digest."""
        tar, config = busybox_image(greeting)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": {"mediaType": CONFIG, **self.push_blob(name, config)},
                               "layers": [{"mediaType": LAYER, **self.push_blob(name, gzip.compress(tar))}]}).encode()
        self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, MANIFEST)
        return digest(manifest)

    def blob_file(self, which):
        hexadecimal = which.removeprefix("sha256:")
        return self.folder / "data/docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"

    def layer_of(self, name, tag):
        _, body = self.request("GET", f"/v2/{name}/manifests/{tag}")
        return json.loads(body)["layers"][0]["digest"]

    def ref(self, name, host="localhost"):
        return f"{host}:{self.port}/{name}"
