#!/usr/bin/env python3
"""Writes kinds/*.json: every built-in kind of Kubernetes as data.

Facts come from published Go modules (modules.py): OpenAPI documents, discovery documents, protobuf
definitions and the tags of the Go types. What no machine-readable source holds (columns, defaults,
limits, our descriptions) comes from overlay/*.json. docs/formats/kinds.md describes the output.

    tools/kindgen/kindgen.py            rewrite kinds/
    tools/kindgen/kindgen.py --check    exit 1 where kinds/ would change
"""

import argparse
import dataclasses
import json
import pathlib
import re
import sys

import describe
import discovery
import gosource
import modules
import output
import protosource

HERE = pathlib.Path(__file__).resolve().parent
KINDS = HERE.parent.parent / "kinds"

# Folder of each Go package and the group and version it belongs to ("" version file: meta).
API = "k8s.io/api"
PACKAGES = [
    *[(API, f"{folder}/{version}", f"io.k8s.api.{folder}.{version}", group, version) for folder, version, group in (
        ("core", "v1", ""),
        ("admissionregistration", "v1", "admissionregistration.k8s.io"),
        ("apps", "v1", "apps"),
        ("authentication", "v1", "authentication.k8s.io"),
        ("authorization", "v1", "authorization.k8s.io"),
        ("autoscaling", "v1", "autoscaling"),
        ("autoscaling", "v2", "autoscaling"),
        ("batch", "v1", "batch"),
        ("certificates", "v1", "certificates.k8s.io"),
        ("coordination", "v1", "coordination.k8s.io"),
        ("discovery", "v1", "discovery.k8s.io"),
        ("events", "v1", "events.k8s.io"),
        ("flowcontrol", "v1", "flowcontrol.apiserver.k8s.io"),
        ("networking", "v1", "networking.k8s.io"),
        ("node", "v1", "node.k8s.io"),
        ("policy", "v1", "policy"),
        ("rbac", "v1", "rbac.authorization.k8s.io"),
        ("resource", "v1", "resource.k8s.io"),
        ("scheduling", "v1", "scheduling.k8s.io"),
        ("storage", "v1", "storage.k8s.io"))],
    ("k8s.io/apiextensions-apiserver", "pkg/apis/apiextensions/v1",
     "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1", "apiextensions.k8s.io", "v1"),
    ("k8s.io/kube-aggregator", "pkg/apis/apiregistration/v1",
     "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1", "apiregistration.k8s.io", "v1"),
    ("k8s.io/apimachinery", "pkg/apis/meta/v1", "io.k8s.apimachinery.pkg.apis.meta.v1", "meta", "v1"),
]
# Types that travel in a form of their own: definition -> wire kind.
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microTime",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "duration",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "fieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "rawExtension",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "json",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "schemaOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "schemaOrBool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "schemaOrStrings",
}
STRING_LISTS = {"ExtraValue", "Verbs"}  # message {repeated string items = 1} that is a plain list in JSON
STRING_LIST = re.compile(r"k8s\.io\.[\w.]+\.(ExtraValue|Verbs)$")
REF = "#/components/schemas/"
KEPT = ("type", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
        "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string", "x-kubernetes-embedded-resource")


class Package:
    """One Go package with everything its sources say."""

    def __init__(self, folders, module, folder, prefix, group, version):
        root = folders[module] / folder
        self.go = gosource.read(root)
        self.proto = protosource.read(root)
        self.prefix, self.group, self.version = prefix, group, version


class Generator:
    def __init__(self, folders, overlay):
        self.overlay = overlay
        self.packages = {p[2]: Package(folders, *p) for p in PACKAGES}
        self.enums = {}
        for package in self.packages.values():
            for name, values in package.go.enums.items():
                if name not in overlay["enums"]["ignore"]:
                    self.enums[name] = sorted(values)
        self.spec = folders["k8s.io/kubernetes"] / "api"
        self.upstream = self.read_openapi()
        self.problems = []

    def read_openapi(self):
        schemas = {}
        for _, _, _, group, version in PACKAGES[:-1]:
            stem = f"apis__{group}__{version}" if group else f"api__{version}"
            document = json.loads((self.spec / "openapi-spec/v3" / f"{stem}_openapi.json").read_text())
            for name, schema in document["components"]["schemas"].items():
                schemas.setdefault(name, schema)  # the first document is core's: complete
        return schemas

    def schema_of(self, group, version, kind):
        """The definition of a kind, "" where it has none (options that travel in the query)."""
        for package in self.packages.values():
            if (package.group, package.version) == (group, version):
                name = f"{package.prefix}.{kind}"
                return name if name in self.upstream else ""
        return ""

    # Definitions.

    def definitions(self, package):
        names = sorted(n for n in self.upstream
                       if self.home(n) is package and not self.skipped(n))
        return {name: self.definition(package, name) for name in names}

    def skipped(self, name):
        short = name.rsplit(".", 1)[-1]
        if short in ("Patch", "WatchEvent"):
            return True
        return short.endswith("List") and "items" in self.upstream[name].get("properties", {})

    def home(self, name):
        """The package in whose file a definition stands; shared machinery stands in meta."""
        prefix = name.rsplit(".", 1)[0]
        return self.packages.get(prefix, self.packages["io.k8s.apimachinery.pkg.apis.meta.v1"])

    def definition(self, package, name):
        source = self.upstream[name]
        short = name.rsplit(".", 1)[-1]
        described = self.overlay["descriptions"].get(alias(name), {})
        out = {"description": described.get("", describe.definition(name))}
        if name in SPECIAL:
            return out | self.special(name, source)
        for key in KEPT:
            if key in source:
                out[key] = source[key]
        fields, inlined = self.go_fields(package, short)
        rules = self.overlay["fields"].get(alias(name), {})
        enforced, properties = [], {}
        for field, schema in source.get("properties", {}).items():
            go = fields.get(field)
            rule = rules.get(field, {})
            properties[field] = self.property(field, schema, go, rule, described)
            documented = field in source.get("required", [])
            if rule.get("enforced", documented and "default" not in properties[field]):
                enforced.append(field)
        for source_name, names in (("fields", rules), ("descriptions", described)):
            for field in names:
                if field and field not in properties:
                    self.problems.append(f"overlay/{source_name}.json: {alias(name)} has no field {field}")
        out["properties"] = properties
        if source.get("required"):
            out["required"] = source["required"]
        if enforced != source.get("required", []):
            out["x-atoll-enforced"] = enforced
        if inlined:
            out["x-atoll-inline"] = inlined
        self.check_numbers(package, name, properties, inlined)
        return out

    def special(self, name, source):
        wire = SPECIAL[name]
        out = {k: source[k] for k in ("type", "format") if k in source}
        if wire == "quantity":
            out["type"] = "string"
        if wire == "intOrString":
            out = {"x-kubernetes-int-or-string": True}
        if wire in ("rawExtension", "fieldsV1", "json", "schemaOrArray", "schemaOrBool", "schemaOrStrings"):
            out["x-kubernetes-preserve-unknown-fields"] = True
        return out | {"x-atoll-wire": wire}

    def property(self, name, schema, go, rule, described):
        out = self.node(schema, go)
        out = {"description": described.get(name, describe.field(name, out))} | out
        default = schema.get("default")
        if go is not None:
            omitted = go.omit_empty and not go.pointer
            if default in ("", 0, False, {}) and (go.omit_zero or (omitted and default != {})):
                default = None
            if omitted and "$ref" not in out or go.omit_zero:
                out["x-atoll-omit-empty"] = True
            if go.number:
                out["x-atoll-field"] = go.number
        if "$ref" in out and out["$ref"].rsplit("/", 1)[-1] in SPECIAL:
            default = None  # a zero time or quantity is nothing to write down
        if default is not None:
            out["default"] = default
        if go is not None and "enum" not in rule and self.enums.get(go.element):
            place = out["items"] if out.get("type") == "array" else out
            if place.get("type") == "string":
                place["enum"] = self.enums[go.element]
        out.update({k: v for k, v in rule.items() if k != "enforced"})
        return out

    def node(self, schema, go=None):
        """A schema as we keep it: references plain, nothing of upstream's prose."""
        if "allOf" in schema:
            schema = schema["allOf"][0] | {k: v for k, v in schema.items() if k != "allOf"}
        out = {k: schema[k] for k in KEPT if k in schema}
        if "$ref" in schema:
            out["$ref"] = "#/definitions/" + schema["$ref"].removeprefix(REF)
        if "items" in schema:
            out["items"] = self.node(schema["items"])
        if "additionalProperties" in schema:
            out["additionalProperties"] = self.node(schema["additionalProperties"])
            if go is not None and go.go_type.startswith("map") and go.element in STRING_LISTS:
                out["additionalProperties"]["x-atoll-wire"] = "stringList"
        if go is not None and go.element in STRING_LISTS and out.get("type") == "array":
            out["x-atoll-wire"] = "stringList"
        return out

    def go_fields(self, package, struct):
        """{json name: Field}, and the nested messages whose fields JSON shows inlined."""
        fields, inlined = {}, []
        for field in package.go.structs.get(struct, []):
            if not field.inline:
                fields[field.json] = field
                continue
            inner, deeper = self.go_fields(package, field.element)
            for name, value in inner.items():
                fields[name] = without_number(value)
            if field.number:
                message = {"field": field.number, "properties": {n: v.number for n, v in inner.items() if v.number}}
                inlined.append(message | ({"inline": deeper} if deeper else {}))
        return fields, inlined

    def check_numbers(self, package, name, properties, inlined):
        """Every protobuf field has a property with the type that protobuf says."""
        message = package.proto.get(name.rsplit(".", 1)[-1])
        if message is None:
            return
        numbers = {p["x-atoll-field"]: p for p in properties.values() if "x-atoll-field" in p}
        for number, (kind, label, field) in message.items():
            if number in numbers:
                self.check_type(name, field, kind, label, numbers[number])
            elif number not in {i["field"] for i in inlined}:
                self.problems.append(f"{name}: protobuf field {number} {field} has no property")
        for number in numbers:
            if number not in message:
                self.problems.append(f"{name}: property with number {number} is not in protobuf")

    def check_type(self, name, field, kind, label, schema):
        actual = self.wire(schema)
        expected = label + " " + kind if label == "repeated" and not kind.startswith("map:") else kind
        expected = STRING_LIST.sub("stringList", expected)
        if actual != expected:
            self.problems.append(f"{name}.{field}: protobuf has {expected}, the schema means {actual}")

    def wire(self, schema):
        """The protobuf type that a schema stands for; the same rule as src/api/schema/load.cc."""
        if schema.get("x-atoll-wire") == "stringList":
            return "stringList"
        if "$ref" in schema:
            return schema["$ref"].replace("#/definitions/io.k8s.", "k8s.io.").replace("-", "_")
        kind, form = schema.get("type"), schema.get("format")
        if kind == "array":
            return "repeated " + self.wire(schema["items"])
        if kind == "object":
            return "map:" + self.wire(schema["additionalProperties"])
        return {"string": "bytes" if form == "byte" else "string", "boolean": "bool",
                "integer": form, "number": "double"}.get(kind)


def without_number(field):
    return dataclasses.replace(field, number=0)


def alias(name):
    """io.k8s.api.core.v1.Pod -> core.v1.Pod, as the overlay writes it."""
    return ".".join(name.split(".")[-3:])


def unknown_names(overlay, definitions):
    """Names in the overlay that are no definition: a field was renamed, or somebody mistyped."""
    known = {alias(name) for name in definitions}
    return [f"overlay/{source}.json: there is no definition {name}"
            for source in ("fields", "descriptions") for name in overlay[source] if name not in known]


def files_of(generator):
    """{file name: text} of everything in kinds/ that this tool writes."""
    files, stems = {}, []
    order = discovery.group_order(generator.spec)
    packages = sorted(generator.packages.values(), key=lambda p: order.index((p.group, p.version)))
    for package in packages:
        stem = f"{package.group or 'core'}.{package.version}"
        stems.append(stem)
        document = {"group": package.group, "version": package.version}
        if package.group != "meta":
            document["resources"] = discovery.resources(
                generator.spec, package, generator.overlay["resources"], generator.schema_of, generator.problems)
        document["definitions"] = generator.definitions(package)
        files[f"{stem}.json"] = output.text(document)
    files["order.txt"] = "# kinds/*.json in discovery order; written by tools/kindgen\n" + "\n".join(stems) + "\n"
    return files


def read_overlay():
    return {name: json.loads((HERE / "overlay" / f"{name}.json").read_text())
            for name in ("descriptions", "enums", "fields", "resources")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="only say whether kinds/ would change")
    parser.add_argument("--go", default="go", help="the go program (default: go)")
    arguments = parser.parse_args()
    generator = Generator(modules.locate(arguments.go), read_overlay())
    generator.problems += unknown_names(generator.overlay, generator.upstream)
    files = files_of(generator)
    if generator.problems:
        raise SystemExit("kindgen: " + "\nkindgen: ".join(generator.problems))
    changed = [n for n, text in files.items()
               if not (KINDS / n).exists() or (KINDS / n).read_text() != text]
    stale = sorted({p.name for p in KINDS.glob("*.json")} - set(files))
    if arguments.check:
        for name in changed + stale:
            print(f"kinds/{name} is not what tools/kindgen writes: run tools/kindgen/kindgen.py")
        return 1 if changed or stale else 0
    for name in changed:
        (KINDS / name).write_text(files[name])
    for name in stale:
        (KINDS / name).unlink()
    print(f"kindgen: {len(files)} files, {len(changed)} changed, {len(stale)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
