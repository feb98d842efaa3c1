#!/usr/bin/env python3
"""Says what is wrong in an atoll.conf: which line, what stands there, what would be right.

Usage: settings.py FILE      Prints one sentence and leaves with 1, or prints nothing.
docs/formats/atoll-conf.md lists the settings. The programs check what they read as well; here it is said before
anything is stopped or started.
"""
import difflib
import ipaddress
import os
import re
import subprocess
import sys

import ranges

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")


def port(text):
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        return "not a port; write a number from 1 to 65535"
    return ""


def number(most, what):
    def check(text):
        if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > most:
            return f"not a number of {what}; write digits alone, at most {most}"
        return ""
    return check


def one_of(*words):
    def check(text):
        return "" if text in words else f"not one of its words; write {', '.join(words[:-1])} or {words[-1]}"
    return check


def address(text, versions=(4, 6)):
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        parsed = None
    if parsed is None or "%" in text:
        return "not an IP address; write one such as 192.0.2.10"
    return "" if parsed.version in versions else "not an IPv4 address; write one such as 192.0.2.10"


def addresses_of(text):
    return text.replace(",", " ").split()


def addresses(*versions):
    def check(text):
        for one in addresses_of(text):
            wrong = address(one, versions)
            if wrong:
                return wrong if one == text else f'a list in which "{one}" is {wrong}'
            if ipaddress.ip_address(one).is_unspecified:
                return f"every address there is ({one}); write those that are meant, one by one"
            if ipaddress.ip_address(one) not in own_addresses():
                return f"no address of this machine ({one}); ip address lists them"
        return ""
    return check


def own_addresses():
    said = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=False).stdout
    return {ipaddress.ip_address(text) for text in re.findall(r" inet6? ([0-9a-fA-F.:]+)", said)}


def pods_or_services(text):
    try:
        parsed = ranges.parse(text)
    except ValueError as error:
        return f"not a range ({error}); write one such as 10.244.0.0/16"
    return "" if parsed.prefixlen < 32 else "one address; write a range such as 10.244.0.0/16"


def inside(range_key):
    def check(text, settings):
        wrong = address(text, (4,))
        if wrong or pods_or_services(settings.get(range_key, "")):
            return wrong
        network = ipaddress.ip_network(settings[range_key])
        return "" if ipaddress.ip_address(text) in network else f"outside {range_key}; write one such as {network[10]}"
    return check


def apart_from(range_key):
    def check(text, settings):
        other = settings.get(range_key, "")
        wrong = pods_or_services(text)
        if wrong or pods_or_services(other):
            return wrong
        return f"overlapping with {range_key} {other}; write a range beside it" if ipaddress.ip_network(text).overlaps(ipaddress.ip_network(other)) else ""
    return check


def link_local(text):
    wrong = address(text, (4,))
    if not wrong and not ipaddress.ip_address(text).is_link_local:
        wrong = "not link-local; write one such as 169.254.20.10"
    return wrong


def name(text):
    if not NAME.fullmatch(text) or len(text) > 253:
        return "not a name; write lower case letters, digits, dots and dashes, such as node-1.example"
    return ""


def user(text):
    return "" if text == "atoll" else "not the user that ./up makes and gives the data to; write atoll"


def other_port(*others):
    def check(text, settings):
        wrong = port(text)
        same = [key for key in others if not wrong and settings.get(key, "") == text]
        return wrong or (f"the port of {same[0]}, too; write another" if same else "")
    return check


REQUIRED = ("API_PORT", "HTTP_PORT", "HTTPS_PORT", "POD_CIDR", "SERVICE_CIDR", "DNS_IP", "LINK_IP", "SERVER_USER", "GATEWAY_USER")
CHECKS = {
    "API_PORT": port,
    "HTTP_PORT": other_port("API_PORT"),
    "HTTPS_PORT": other_port("API_PORT", "HTTP_PORT"),
    "API_ADDRESSES": addresses(4, 6),
    "GATEWAY_ADDRESSES": addresses(4, 6),
    "NODE_PORT_ADDRESSES": addresses(4),
    "METADATA_FROM_PODS": one_of("allow", "deny"),
    "POD_PIDS_LIMIT": number(2**63 - 1, "processes"),
    "GATEWAY_MAX_BODY_BYTES": number(2**63 - 1, "bytes"),
    "POD_CIDR": pods_or_services,
    "SERVICE_CIDR": apart_from("POD_CIDR"),
    "DNS_IP": inside("SERVICE_CIDR"),
    "LINK_IP": link_local,
    "NODE_NAME": name,
    "CLUSTER_DOMAIN": name,
    "GATEWAY_DOMAIN": name,
    "LOG_LEVEL": one_of("debug", "info", "warn", "error"),
    "SERVER_USER": user,
    "GATEWAY_USER": user,
}
PAIRS = {"HTTP_PORT", "HTTPS_PORT", "SERVICE_CIDR", "DNS_IP"}  # checked beside other settings


def unknown(key):
    near = difflib.get_close_matches(key.upper(), CHECKS, n=1)
    return f"there is no setting {key}" + (f"; {near[0]} is near it" if near else "; docs/formats/atoll-conf.md lists them")


def wrong_setting(text):
    """One sentence on a line that cannot stay, or on what is missing; empty where all is well."""
    settings, lines = {}, {}
    for at, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            return f'line {at}: "{line}" is no setting; write KEY=value, or # before a comment'
        if key not in CHECKS:
            return f"line {at}: {unknown(key)}"
        settings[key], lines[key] = value, at
    for key in CHECKS:
        if key not in lines or (not settings[key] and key not in REQUIRED):
            continue  # an optional one may be left empty
        wrong = CHECKS[key](settings[key], settings) if key in PAIRS else CHECKS[key](settings[key])
        if wrong:
            return f'line {lines[key]}: {key} is "{settings[key]}", {wrong}'
    missing = [key for key in REQUIRED if key not in settings]
    return f"{missing[0]} is missing" if missing else ""


def main(file):
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            sentence = wrong_setting(opened.read())
    except OSError as error:
        sentence = f"it cannot be read ({os.strerror(error.errno)})"
    if sentence:
        print(sentence)
    return 1 if sentence else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
