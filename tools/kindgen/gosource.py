"""Reads struct and enumeration declarations out of Go API sources (types.go).

Only what the JSON and protobuf tags say matters: names, numbers, whether an empty value is left out.
"""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Field:
    json: str          # "" where the struct is inlined
    inline: bool
    go_type: str       # "*[]core.Foo" as written
    number: int        # protobuf field number, 0: none
    omit_empty: bool
    omit_zero: bool

    @property
    def pointer(self):
        return self.go_type.startswith("*")

    @property
    def element(self):
        """The named type behind pointers, lists and packages."""
        return re.sub(r"^[*\[\]]+|^map\[\w+\]", "", self.go_type).split(".")[-1]


FIELD = re.compile(r"^\t(?:(\w+)\s+)?([*\[\]\w.]+)\s+`([^`]*)`", re.M)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
ENUM = re.compile(r"^// \+enum\n(?://.*\n)*type (\w+) string", re.M)
NAMED = re.compile(r"^type (\w+) (\w+)$", re.M)
CONSTANT = re.compile(r'^(?:const)?\s*\w+(?:\s+(\w+))?\s*=\s*(?:(\w+)\()?"([^"]*)"', re.M)


def tag(tags, key):
    found = re.search(rf'\b{key}:"([^"]*)"', tags)
    return found.group(1).split(",") if found else []


def parse_field(match):
    _, go_type, tags = match.groups()
    json_tag = tag(tags, "json")
    proto = tag(tags, "protobuf")
    name = json_tag[0] if json_tag else ""
    inline = "inline" in json_tag or (not json_tag and not proto)
    return Field(json=name, inline=inline, go_type=go_type,
                 number=int(proto[1]) if len(proto) > 1 else 0,
                 omit_empty="omitempty" in json_tag, omit_zero="omitzero" in json_tag)


class GoPackage:
    def __init__(self, text):
        self.structs = {name: [parse_field(m) for m in FIELD.finditer(body)]
                        for name, body in STRUCT.findall(text)}
        names = set(ENUM.findall(text))
        self.enums = {name: [] for name in names}
        for typed, converted, value in CONSTANT.findall(text):
            if (typed or converted) in names:
                self.enums[typed or converted].append(value)
        self.named = dict(NAMED.findall(text))  # type Name string


def read(folder):
    """One package from every types*.go of a folder."""
    texts = [p.read_text() for p in sorted(folder.glob("types*.go"))]
    return GoPackage("\n".join(texts))
