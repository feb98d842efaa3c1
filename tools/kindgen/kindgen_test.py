#!/usr/bin/env python3
"""Tests of kindgen on small sources written here."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import describe
import gosource
import kindgen
import output
import protosource

GO = '''
// +enum
type Mode string

const (
	// ModeA is a.
	ModeA Mode = "A"
	ModeB      = Mode("B")
	Other Else = "C"
)

type Inner struct {
	Left string `json:"left,omitempty" protobuf:"bytes,1,opt,name=left"`
}

type Thing struct {
	Inner `json:",inline" protobuf:"bytes,2,opt,name=inner"`
	metav1.TypeMeta `json:",inline"`
	// Name of it.
	Name *string `json:"name" protobuf:"bytes,1,opt,name=name"`
	Modes []Mode `json:"modes,omitempty" protobuf:"bytes,3,rep,name=modes,casttype=Mode"`
	When metav1.Time `json:"when,omitempty,omitzero" protobuf:"bytes,4,opt,name=when"`
}
'''
PROTO = '''
package k8s.io.api.core.v1;

message Thing {
  // words = 9;
  optional string name = 1;
  optional Inner inner = 2;
  repeated string modes = 3;
  map<string, .k8s.io.apimachinery.pkg.api.resource.Quantity> amounts = 5;
}
'''


class GoSource(unittest.TestCase):
    def setUp(self):
        self.package = gosource.GoPackage(GO)

    def test_fields_carry_their_tags(self):
        fields = {f.json: f for f in self.package.structs["Thing"]}
        self.assertTrue(fields["name"].pointer)
        self.assertFalse(fields["name"].omit_empty)
        self.assertEqual(fields["modes"].number, 3)
        self.assertEqual(fields["modes"].element, "Mode")
        self.assertTrue(fields["when"].omit_zero)

    def test_embedded_structs_are_inline(self):
        inline = [f.element for f in self.package.structs["Thing"] if f.inline]
        self.assertEqual(inline, ["Inner", "TypeMeta"])

    def test_enumerations_take_both_spellings(self):
        self.assertEqual(self.package.enums, {"Mode": ["A", "B"]})


class ProtoSource(unittest.TestCase):
    def test_types_are_qualified(self):
        fields = protosource.parse(PROTO)["Thing"]
        self.assertEqual(fields[1], ("string", "optional", "name"))
        self.assertEqual(fields[2][0], "k8s.io.api.core.v1.Inner")
        self.assertEqual(fields[5][0], "map:k8s.io.apimachinery.pkg.api.resource.Quantity")
        self.assertEqual(sorted(fields), [1, 2, 3, 5])


class Describe(unittest.TestCase):
    def test_names_become_sentences(self):
        self.assertEqual(describe.field("periodSeconds", {"type": "integer"}), "Period, in seconds.")
        self.assertEqual(describe.field("podIPs", {"type": "array"}), "List: pod IPs.")
        self.assertEqual(describe.field("hostNetwork", {"type": "boolean"}), "Host network, true or false.")
        self.assertEqual(describe.definition("io.k8s.api.core.v1.PodSpec"), "Desired state of a pod.")


class Generator(unittest.TestCase):
    def generator(self, rules):
        made = kindgen.Generator.__new__(kindgen.Generator)
        made.enums, made.problems = {"Mode": ["A", "B"]}, []
        made.overlay = {"fields": {"core.v1.Thing": rules}, "descriptions": {}}
        made.upstream = {"io.k8s.api.core.v1.Thing": {
            "type": "object", "required": ["name", "when"], "description": "Upstream's words.",
            "properties": {
                "name": {"type": "string", "description": "Upstream's words."},
                "left": {"type": "string", "default": ""},
                "modes": {"type": "array", "items": {"type": "string", "default": ""}},
                "when": {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}], "default": {}}}}}
        return made

    def define(self, rules):
        made = self.generator(rules)
        package = kindgen.Package.__new__(kindgen.Package)
        package.go, package.proto = gosource.GoPackage(GO), {}
        return made, made.definition(package, "io.k8s.api.core.v1.Thing")

    def test_facts_are_merged_and_prose_is_not(self):
        _, thing = self.define({"name": {"minLength": 1}, "when": {"enforced": False}})
        self.assertNotIn("Upstream", json.dumps(thing))
        self.assertEqual(thing["properties"]["name"]["minLength"], 1)
        self.assertEqual(thing["properties"]["modes"]["items"]["enum"], ["A", "B"])
        self.assertTrue(thing["properties"]["modes"]["x-atoll-omit-empty"])
        self.assertNotIn("default", thing["properties"]["left"])
        self.assertEqual(thing["x-atoll-enforced"], ["name"])
        self.assertEqual(thing["x-atoll-inline"], [{"field": 2, "properties": {"left": 1}}])

    def test_mistyped_names_are_problems(self):
        made, _ = self.define({"nmae": {"minLength": 1}})
        self.assertEqual(made.problems, ["overlay/fields.json: core.v1.Thing has no field nmae"])
        self.assertEqual(kindgen.unknown_names({"fields": {"core.v1.Thnig": {}}, "descriptions": {}}, made.upstream),
                         ["overlay/fields.json: there is no definition core.v1.Thnig"])

    def test_protobuf_that_disagrees_is_a_problem(self):
        made = self.generator({})
        package = kindgen.Package.__new__(kindgen.Package)
        package.go = gosource.GoPackage(GO)
        package.proto = {"Thing": {1: ("int32", "optional", "name"), 9: ("string", "optional", "new")}}
        made.definition(package, "io.k8s.api.core.v1.Thing")
        self.assertIn("io.k8s.api.core.v1.Thing.name: protobuf has int32, the schema means string", made.problems)
        self.assertIn("io.k8s.api.core.v1.Thing: protobuf field 9 new has no property", made.problems)


class Output(unittest.TestCase):
    def test_one_property_a_line(self):
        text = output.text({"group": "g", "version": "v1", "definitions": {
            "b": {"description": "B."}, "a": {"properties": {"y": {"type": "string"}, "x": {"type": "integer"}}}}})
        self.assertEqual(list(json.loads(text)["definitions"]), ["a", "b"])
        self.assertIn('\n    "x": {"type": "integer"},\n    "y": {"type": "string"}\n', text)


class Committed(unittest.TestCase):
    """The files in kinds/ as they are."""

    def test_every_reference_leads_somewhere(self):
        names, references = set(), set()
        for path in kindgen.KINDS.glob("*.json"):
            document = json.loads(path.read_text())
            names |= set(document["definitions"])
            self.collect(document["definitions"], references)
        self.assertEqual(references - names, set())

    def collect(self, value, references):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                references.add(value["$ref"].removeprefix("#/definitions/"))
            for inner in value.values():
                self.collect(inner, references)
        elif isinstance(value, list):
            for inner in value:
                self.collect(inner, references)

    def test_everything_is_described(self):
        for path in kindgen.KINDS.glob("*.json"):
            for name, definition in json.loads(path.read_text())["definitions"].items():
                self.assertTrue(definition["description"].endswith("."), name)
                for field, schema in definition.get("properties", {}).items():
                    self.assertTrue(schema["description"], f"{name}.{field}")


if __name__ == "__main__":
    unittest.main()
