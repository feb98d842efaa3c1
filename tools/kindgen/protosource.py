"""Reads messages out of generated.proto: {message: {number: (type, label)}}."""

import re

MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^  (optional |repeated |)(map<string, [\w.]+>|[\w.]+) (\w+) = (\d+);", re.M)


def parse(text):
    package = re.search(r"^package ([\w.]+);", text, re.M).group(1)
    messages = {}
    for name, body in MESSAGE.findall(text):
        fields = {}
        for label, kind, field, number in FIELD.findall(body):
            fields[int(number)] = (qualify(kind, package), label.strip(), field)
        messages[name] = fields
    return messages


SCALARS = {"string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "double", "float"}


def qualify(kind, package):
    if kind.startswith("map<"):
        return "map:" + qualify(kind[len("map<string, "):-1], package)
    if kind in SCALARS:
        return kind
    return kind.lstrip(".") if kind.startswith(".") else f"{package}.{kind}"


def read(folder):
    path = folder / "generated.proto"
    return parse(path.read_text()) if path.exists() else {}
