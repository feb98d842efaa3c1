#pragma once

namespace atl::api {

// A made-up kind with every merge rule, for test_schema(). As in a custom resource, nothing is
// implied. tests/peers/apply describes the same kind to the peer.
inline constexpr const char* kWorldSchema = R"({
    "apiVersion": "string", "kind": "string", "metadata": "object",
    "spec": {"replicas": "integer", "name": "string", "struct": {"a": "integer", "b": "string"},
      "atomicStruct": {"$": "atomic", "a": "integer", "b": "string"},
      "map": {"*": "string"}, "atomicMap": {"$": "atomic", "*": "string"}, "mapOfStructs": {"*": {"x": "integer", "y": "integer"}},
      "set": ["set", "string"], "atomicList": ["string"],
      "items": ["map", "name", {"name": "string", "value": "string", "other": "string", "sub": ["set", "string"]}],
      "ports": ["map", "port,protocol", {"port": "integer", "protocol": {"$type": "string", "$default": "TCP"}, "name": "string"}],
      "open": "any"},
    "status": {"phase": "string", "ready": "integer"}})";

}  // namespace atl::api
