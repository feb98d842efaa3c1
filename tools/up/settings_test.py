#!/usr/bin/env python3
"""Which settings cannot stay in an atoll.conf, and what is said about them."""
import ipaddress
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import settings

ROOT = Path(__file__).resolve().parents[2]
GOOD = """# a comment
API_PORT=6443
HTTP_PORT=80
HTTPS_PORT=443

POD_CIDR=10.244.0.0/16
SERVICE_CIDR=10.96.0.0/16
DNS_IP=10.96.0.10
LINK_IP=169.254.20.10
NODE_NAME=node-1.example
CLUSTER_DOMAIN=cluster.local
GATEWAY_DOMAIN=localhost
SERVER_USER=atoll
GATEWAY_USER=atoll
"""

# What is added to, or stands instead of, the good lines → the sentence; nothing: all is well.
CASES = [
    ("as ./up writes it", "", ""),
    ("what may be added", "METADATA_FROM_PODS=allow\nPOD_PIDS_LIMIT=0\nGATEWAY_MAX_BODY_BYTES=1024\nLOG_LEVEL=debug", ""),
    ("lists of addresses", "API_ADDRESSES=192.0.2.10, FD00:0::1\nGATEWAY_ADDRESSES=192.0.2.10 fd00::1\nNODE_PORT_ADDRESSES=192.0.2.10", ""),
    ("blanks around the parts", "  LOG_LEVEL =  warn ", ""),
    ("an optional one left empty", "LOG_LEVEL=\nAPI_ADDRESSES=", ""),
    ("no KEY=value", "LOG_LEVEL debug", 'line 15: "LOG_LEVEL debug" is no setting; write KEY=value, or # before a comment'),
    ("a key that is none", "=5", "is no setting; write KEY=value"),
    ("a typing error", "GATEWAY_ADRESSES=::", "line 15: there is no setting GATEWAY_ADRESSES; GATEWAY_ADDRESSES is near it"),
    ("small letters", "log_level=debug", "there is no setting log_level; LOG_LEVEL is near it"),
    ("a key from nowhere", "COLOUR=blue", "there is no setting COLOUR; docs/formats/atoll-conf.md lists them"),
    ("a word for a port", "API_PORT=https", 'line 15: API_PORT is "https", not a port; write a number from 1 to 65535'),
    ("no port", "API_PORT=", 'API_PORT is "", not a port'),
    ("port 0", "HTTP_PORT=0", "not a port"),
    ("a port too large", "HTTPS_PORT=65536", "not a port"),
    ("two of one port", "HTTPS_PORT=6443", 'HTTPS_PORT is "6443", the port of API_PORT, too; write another'),
    ("a host's name for an address", "API_ADDRESSES=example.org", 'API_ADDRESSES is "example.org", not an IP address; write one such as 192.0.2.10'),
    ("one bad address in a list", "API_ADDRESSES=192.0.2.10 192.0.2", 'a list in which "192.0.2" is not an IP address'),
    ("an address with a zone", "API_ADDRESSES=fe80::1%eth0", "not an IP address"),
    ("another machine's address", "GATEWAY_ADDRESSES=192.0.2.99", "no address of this machine (192.0.2.99); ip address lists them"),
    ("all addresses", "API_ADDRESSES=0.0.0.0", "every address there is (0.0.0.0); write those that are meant, one by one"),
    ("IPv6 where IPv4 is", "NODE_PORT_ADDRESSES=fd00::1", "not an IPv4 address"),
    ("yes for allow", "METADATA_FROM_PODS=yes", 'METADATA_FROM_PODS is "yes", not one of its words; write allow or deny'),
    ("a unit", "GATEWAY_MAX_BODY_BYTES=10M", "not a number of bytes; write digits alone"),
    ("below zero", "POD_PIDS_LIMIT=-1", "not a number of processes"),
    ("more than there can be", "POD_PIDS_LIMIT=9223372036854775808", "at most 9223372036854775807"),
    ("no range", "POD_CIDR=banana", "not a range ("),
    ("host bits", "POD_CIDR=10.244.1.0/16", "has host bits set); write one such as 10.244.0.0/16"),
    ("a range too small", "SERVICE_CIDR=10.96.0.0/24", "is too large or too small: /8 to /20 are possible"),
    ("one address for a range", "SERVICE_CIDR=10.96.0.0/32", "one address; write a range"),
    ("ranges that overlap", "SERVICE_CIDR=10.244.128.0/20", "overlapping with POD_CIDR 10.244.0.0/16"),
    ("a DNS address elsewhere", "DNS_IP=10.97.0.10", "outside SERVICE_CIDR; write one such as 10.96.0.10"),
    ("a DNS address that is none", "DNS_IP=dns", "not an IP address"),
    ("no link-local address", "LINK_IP=10.0.0.1", "not link-local; write one such as 169.254.20.10"),
    ("a name with an underline", "NODE_NAME=my_node", 'NODE_NAME is "my_node", not a name; write lower case letters, digits, dots and dashes'),
    ("a domain with a dot at its end", "CLUSTER_DOMAIN=cluster.local.", "not a name"),
    ("a domain with a star", "GATEWAY_DOMAIN=*.example.org", "not a name"),
    ("no level", "LOG_LEVEL=trace", "write debug, info, warn or error"),
    ("another user", "SERVER_USER=root", "not the user that ./up makes"),
    ("the same for the gateway", "GATEWAY_USER=haproxy", "not the user that ./up makes"),
    ("the last of two counts", "API_PORT=x\nAPI_PORT=6444", ""),
]


class Settings(unittest.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.object(settings, "own_addresses", lambda: {ipaddress.ip_address("192.0.2.10"), ipaddress.ip_address("fd00::1")}))

    def test_what_is_said(self):
        for name, lines, sentence in CASES:
            with self.subTest(name):
                said = settings.wrong_setting(GOOD + lines)
                self.assertIn(sentence, said)
                self.assertEqual(bool(said), bool(sentence), said)
                self.assertNotIn("\n", said)

    def test_what_is_missing(self):
        for key in settings.REQUIRED:
            self.assertEqual(settings.wrong_setting(re.sub(rf"^{key}=.*\n", "", GOOD, flags=re.M)), f"{key} is missing")

    def test_every_setting_of_the_page_is_checked_and_tried(self):
        page = (ROOT / "docs/formats/atoll-conf.md").read_text()
        keys = {key for line in page.splitlines() if line.startswith("| `") for key in re.findall(r"`([A-Z_]+)`", line.split("|")[1])}
        self.assertEqual(keys, set(settings.CHECKS))
        refused = {line.partition("=")[0] for _, lines, sentence in CASES if sentence for line in lines.splitlines()}
        self.assertEqual(keys - refused, set(), "each has a row that is refused")

    def test_odd_files(self):
        self.assertIn("cannot be read (No such file", self.run_on(None))
        self.assertIn("is no setting", self.run_on(b"\xff\xfe\x00\x01\n"))
        self.assertEqual("", self.run_on(GOOD.replace("\n", "\r\n").encode()))

    def run_on(self, content):
        with tempfile.TemporaryDirectory() as folder, mock.patch("builtins.print") as printed:
            file = Path(folder) / "atoll.conf"
            if content is not None:
                file.write_bytes(content)
            code = settings.main(str(file))
            self.assertEqual(code, 1 if printed.called else 0)
            return printed.call_args[0][0] if printed.called else ""


if __name__ == "__main__":
    unittest.main()
