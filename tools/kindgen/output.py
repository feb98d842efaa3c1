"""JSON for people to review: one resource member, column or property a line."""

import json


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def text(document):
    parts = [f' "group": {line(document["group"])}', f' "version": {line(document["version"])}']
    if "resources" in document:
        parts.append(' "resources": [\n' + ",\n".join(resource(r) for r in document["resources"]) + "\n ]")
    definitions = ",\n".join(definition(n, d) for n, d in sorted(document["definitions"].items()))
    parts.append(f' "definitions": {{\n{definitions}\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def resource(item):
    members = []
    for key, value in item.items():
        if key in ("columns", "subresources"):
            rows = ",\n".join("    " + line(v) for v in value)
            members.append(f"   {line(key)}: [\n{rows}\n   ]")
        else:
            members.append(f"   {line(key)}: {line(value)}")
    return "  {\n" + ",\n".join(members) + "\n  }"


def definition(name, item):
    members = []
    for key, value in item.items():
        if key == "properties" and value:
            rows = ",\n".join(f"    {line(k)}: {line(v)}" for k, v in sorted(value.items()))
            members.append(f'   "properties": {{\n{rows}\n   }}')
        else:
            members.append(f"   {line(key)}: {line(value)}")
    return f"  {line(name)}: {{\n" + ",\n".join(members) + "\n  }"
