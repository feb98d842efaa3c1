#!/usr/bin/env python3
"""Says how one of the given ranges clashes: with another of them, a route of this host or one of its name servers.

Usage: ranges.py [--foreign] RANGE...      Prints one sentence, or nothing. Exit code 1: a range cannot be used at all.
--foreign leaves out the routes that Atoll made: they may be this instance's own. A single address (/32) clashes only
with the same address: a route for all link-local addresses is no obstacle.
"""
import ipaddress
import re
import subprocess
import sys

ROUTE = re.compile(r"(?:[a-z]+ )?(\d+(?:\.\d+){3}(?:/\d+)?)\b")
DEVICE = re.compile(r" dev (\S+)")
OURS = " proto 97 "  # as src/kernel/network marks its routes
SMALLEST = 20  # bits of a usable range: /20 holds 4096 addresses


def parse(text):
    network = ipaddress.ip_network(text)
    if network.version != 4:
        raise ValueError(f"{text} is not an IPv4 range")
    if network.prefixlen not in (32, *range(8, SMALLEST + 1)):
        raise ValueError(f"{text} is too large or too small: /8 to /{SMALLEST} are possible")
    return network


def occupied(routes, resolv):
    """(network, what it is) of each route but the default, and of each name server."""
    for line in routes.splitlines():
        match, device = ROUTE.match(line), DEVICE.search(line)
        if match:
            what = f"the host's route to {match[1]}" + (f" on {device[1]}" if device else "")
            yield ipaddress.ip_network(match[1], strict=False), what
    for address in re.findall(r"^nameserver\s+(\d+(?:\.\d+){3})\s*$", resolv, re.M):
        yield ipaddress.ip_network(address), f"the name server {address}"


def meet(one, network):
    return one == network if one.prefixlen == 32 else one.overlaps(network)


def clash(ranges, routes, resolv):
    for index, one in enumerate(ranges):
        for other in ranges[:index]:
            if one.overlaps(other):
                return f"the ranges {other} and {one} overlap"
        for network, what in occupied(routes, resolv):
            if meet(one, network):
                return f"the range {one} clashes with {what}"
    return ""


def read(file):
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""


def main(arguments):
    foreign = "--foreign" in arguments
    try:
        ranges = [parse(text) for text in arguments if text != "--foreign"]
    except ValueError as error:
        print(error)
        return 1
    routes = subprocess.run(["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=False).stdout
    if foreign:
        routes = "\n".join(line for line in routes.splitlines() if OURS not in line + " ")
    sentence = clash(ranges, routes, read("/etc/resolv.conf"))
    if sentence:
        print(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
