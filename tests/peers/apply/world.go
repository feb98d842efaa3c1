package main

// The kind of src/api/apply/test_kind.h in the library's own schema language.
const schemaYAML = `types:
- name: W
  map:
    fields:
    - {name: apiVersion, type: {scalar: string}}
    - {name: kind, type: {scalar: string}}
    - {name: metadata, type: {map: {fields: [{name: name, type: {scalar: string}}]}}}
    - {name: spec, type: {namedType: Spec}}
- name: Spec
  map:
    fields:
    - {name: replicas, type: {scalar: numeric}}
    - {name: name, type: {scalar: string}}
    - {name: struct, type: {namedType: Struct}}
    - {name: atomicStruct, type: {map: {elementRelationship: atomic, fields: [{name: a, type: {scalar: numeric}}, {name: b, type: {scalar: string}}]}}}
    - {name: map, type: {map: {elementType: {scalar: string}}}}
    - {name: atomicMap, type: {map: {elementType: {scalar: string}, elementRelationship: atomic}}}
    - {name: mapOfStructs, type: {map: {elementType: {namedType: Entry}}}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
    - {name: atomicList, type: {list: {elementType: {scalar: string}, elementRelationship: atomic}}}
    - {name: items, type: {list: {elementType: {namedType: Item}, elementRelationship: associative, keys: [name]}}}
    - {name: ports, type: {list: {elementType: {namedType: Port}, elementRelationship: associative, keys: [port, protocol]}}}
    - {name: open, type: {namedType: __untyped_deduced_}}
- name: Struct
  map: {fields: [{name: a, type: {scalar: numeric}}, {name: b, type: {scalar: string}}]}
- name: Entry
  map: {fields: [{name: "x", type: {scalar: numeric}}, {name: "y", type: {scalar: numeric}}]}
- name: Item
  map:
    fields:
    - {name: name, type: {scalar: string}}
    - {name: value, type: {scalar: string}}
    - {name: other, type: {scalar: string}}
    - {name: sub, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
- name: Port
  map:
    fields:
    - {name: port, type: {scalar: numeric}}
    - {name: protocol, type: {scalar: string}, default: TCP}
    - {name: name, type: {scalar: string}}
- name: __untyped_atomic_
  scalar: untyped
  list: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}
  map: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}
- name: __untyped_deduced_
  scalar: untyped
  list: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}
  map: {elementType: {namedType: __untyped_deduced_}, elementRelationship: separable}
`
