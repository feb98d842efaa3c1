#pragma once

#include "kernel/apiserver/contract/hooks.h"

// The rules of Services that need no address pool. Pure functions over documents.
namespace atl::apiserver {

bool is_headless(const json::Value& service);       // clusterIP "None"
bool needs_cluster_ip(const json::Value& service);  // any type but ExternalName
bool needs_node_ports(const json::Value& service);  // NodePort, or LoadBalancer unless declined

// Fills in what depends on other fields; `old` null for a creation.
void default_service(json::Value& service, const json::Value* old);
api::Findings check_service(const json::Value& service, const json::Value* old);

}  // namespace atl::apiserver
