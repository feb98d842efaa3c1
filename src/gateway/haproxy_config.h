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
// Requests that may be repeated (GET, HEAD, OPTIONS, PUT, DELETE, TRACE: RFC 9110 9.2.2) share
// connections to pods, and go again when one of those ends without an answer. Others get a
// connection of their own, so that they never meet one that a leaving pod is closing, and are
// repeated only when no connection was made.
std::string haproxy_config(const Options& options);

}  // namespace atl::gateway
