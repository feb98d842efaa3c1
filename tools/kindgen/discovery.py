"""Resources of a group and version, from the published discovery documents and overlay/resources.json."""

import json


def group_order(spec):
    """(group, version) in discovery order: core first, preferred versions before others, meta last."""
    aggregated = json.loads((spec / "discovery/aggregated_v2.json").read_text())
    order = [("", "v1")]
    for group in aggregated["items"]:
        order += [(group["metadata"]["name"], v["version"]) for v in group["versions"]]
    return order + [("meta", "v1")]


def resources(spec, package, overlay, schema_of, problems):
    stem = f"apis__{package.group}__{package.version}" if package.group else f"api__{package.version}"
    listed = json.loads((spec / "discovery" / f"{stem}.json").read_text())["resources"]
    found = {}
    for item in listed:
        plural, _, sub = item["name"].partition("/")
        if sub:
            found[plural].setdefault("subresources", []).append(subresource(sub, item, package, schema_of))
        else:
            found[plural] = resource(item, package, overlay, schema_of, problems)
    return list(found.values())


def resource(item, package, overlay, schema_of, problems):
    plural, kind = item["name"], item["kind"]
    prefix = f"{package.group}/{package.version}" if package.group else package.version
    hand = overlay.get(f"{prefix}/{plural}")
    if hand is None and "get" in item["verbs"]:
        problems.append(f"overlay/resources.json: nothing about {prefix}/{plural}")
    hand = hand or {}
    out = {"plural": plural, "singular": item["singularName"], "kind": kind,
           "schema": schema_of(package.group, package.version, kind),
           "namespaced": item["namespaced"]}
    for key in ("shortNames", "categories"):
        if item.get(key):
            out[key] = item[key]
    out["verbs"] = item["verbs"]
    if hand.get("selectable"):
        out["selectableFields"] = hand["selectable"]
    if "scale" in hand:
        out["scale"] = hand["scale"]
    for key, name in (("deprecation", "deprecation"), ("unconditional_update", "unconditionalUpdate"),
                      ("create_on_update", "createOnUpdate"), ("generation", "generation"), ("name_rule", "nameRule"), ("name_max", "nameMaxLength")):
        if key in hand:
            out[name] = hand[key]
    if "columns" in hand:
        out["columns"] = [column(*c) for c in hand["columns"]]
    return out


def column(name, kind, source, priority=0):
    out = {"name": name, "type": kind}
    if name == "Name":
        out["format"] = "name"
    out["jsonPath" if source.startswith(".") else "printer"] = source
    if priority:
        out["priority"] = priority
    return out


def subresource(name, item, package, schema_of):
    group = item.get("group", package.group)
    version = item.get("version", package.version)
    out = {"name": name, "kind": item["kind"]}
    if (group, version) != (package.group, package.version):
        out |= {"group": group, "version": version}
    schema = schema_of(group, version, item["kind"])
    if schema and name not in ("log", "proxy", "exec", "attach", "portforward"):
        out["schema"] = schema
    return out | {"verbs": item["verbs"]}
