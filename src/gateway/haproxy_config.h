#pragma once

#include <string>

#include "gateway/options.h"

namespace atl::gateway {

// HAProxy's configuration file. Pure. It names no application: those are entries of two maps,
// changed while it runs. One look-up decides where a request goes:
//
//   exact.map   HOST/PATH        of pathType Exact           (map_str)
//   prefix.map  HOST/PATH/       of Prefix and the others    (map_beg: the longest wins; the
//   request's
//               path gets a "/" too, so that /foo matches /foo and /foo/x and not /foobar)
//
// HOST is the host of a rule, "*.example.org" for a wildcard (one label), or "-" for rules without
// one. They are asked in this order; the first host that has any entry decides. A value is
// "ADDRESS:PORT:FLAGS": the Service's ClusterIP; flags "r" (http goes to https), "h" (the pods
// speak HTTP/2 in clear). "none" is a 404; "gone" (no such Service) and "down" (nobody is ready)
// are 503.
//
// The generation stands for the Service's set of ready pods. A kept connection to a pod is used
// again only for requests of the generation it was made in: as soon as a pod is about to leave,
// nothing new is sent to it, on connections new or old, while what it is answering goes on.
// Requests that may be repeated (GET, HEAD, OPTIONS, PUT, DELETE, TRACE: RFC 9110 9.2.2) also go
// again when a kept connection ends without an answer. Others get a connection of their own, and
// are repeated only when none could be made.
std::string haproxy_config(const Options& options);

}  // namespace atl::gateway
