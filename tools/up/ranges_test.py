#!/usr/bin/env python3
"""Which address ranges clash, and what is said about it."""
import ipaddress
import unittest

import ranges

ROUTES = """default via 192.0.2.1 dev eth0
10.8.0.0/16 via 10.8.0.1 dev tun0 proto static
172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1
169.254.0.0/16 dev eth0 scope link metric 1000
local 169.254.20.10 dev lo table local proto kernel scope host src 169.254.20.10
unreachable 10.100.0.0/14 metric 4278198272
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2
"""

CASES = [
    ("free ranges", ["10.244.0.0/16", "10.96.0.0/16"], ""),
    ("a tunnel's route, inside", ["10.0.0.0/8"], "the range 10.0.0.0/8 clashes with the host's route to 10.8.0.0/16 on tun0"),
    ("a route of a kind without a device", ["10.101.0.0/16"], "clashes with the host's route to 10.100.0.0/14"),
    ("the default route is no obstacle", ["192.0.0.0/23"], ""),
    ("two ranges of ours", ["10.244.0.0/16", "10.244.128.0/20"], "the ranges 10.244.0.0/16 and 10.244.128.0/20 overlap"),
    ("a name server behind the default route", ["10.255.0.0/16"], "clashes with the name server 10.255.255.53"),
    ("an address that somebody has", ["169.254.20.10/32"], "clashes with the host's route to 169.254.20.10 on lo"),
    ("an address below a wide route", ["169.254.21.10/32"], ""),
]

REFUSED = [
    ("no range", "banana"),
    ("host bits set", "10.244.1.0/16"),
    ("IPv6", "fd00::/64"),
    ("too small for pods", "10.0.0.0/24"),
]


class Ranges(unittest.TestCase):
    def test_clashes(self):
        for name, wanted, sentence in CASES:
            with self.subTest(name):
                said = ranges.clash([ipaddress.ip_network(w) for w in wanted], ROUTES, "search x\nnameserver 10.255.255.53\n")
                self.assertIn(sentence, said)
                self.assertEqual(bool(said), bool(sentence), said)

    def test_what_is_no_usable_range(self):
        for name, text in REFUSED:
            with self.subTest(name), self.assertRaises(ValueError):
                ranges.parse(text)


if __name__ == "__main__":
    unittest.main()
