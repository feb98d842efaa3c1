"""Short descriptions in our own words, made from names where nobody wrote a better one."""

import re

WORD = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")
UNITS = {"seconds": "in seconds", "minutes": "in minutes", "percent": "in percent", "bytes": "in bytes"}
UPPER = {"api", "uid", "ip", "dns", "url", "cpu", "cidr", "http", "https", "tcp", "grpc", "id", "ca", "csi", "fs",
         "tls", "nfs", "os", "tty", "pid", "ipc", "gid", "gmsa", "lun", "aws", "gce", "ttl", "kms", "cel"}
# What every kind has.
COMMON = {
    "apiVersion": "Group and version of the object, for example apps/v1.",
    "kind": "The kind of the object, in CamelCase.",
    "metadata": "Name, labels and everything else that all objects carry.",
    "spec": "What is wanted.",
    "status": "What is, as last observed; written by the system.",
}


def words(name):
    """terminationGracePeriodSeconds -> ["termination", "grace", "period", "seconds"]"""
    return [w if w[:2].isupper() and len(w) > 1 else w.lower() for w in WORD.findall(name)]


def phrase(name):
    return " ".join(w.upper() if w in UPPER else w for w in words(name))


def sentence(text):
    return text[:1].upper() + text[1:] + "."


def field(name, schema):
    """One short sentence about a property, from its name and type."""
    if name in COMMON and (schema.get("type", "string") == "string" or "$ref" in schema):
        return COMMON[name]
    parts = words(name)
    if len(parts) > 1 and parts[-1] in UNITS and schema.get("type") == "integer":
        return sentence(f"{phrase(name[:-len(parts[-1])])}, {UNITS[parts[-1]]}")
    if schema.get("type") == "array":
        return sentence(f"List: {phrase(name)}")
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return sentence(f"Map: {phrase(name)}")
    if schema.get("type") == "boolean":
        return sentence(f"{phrase(name)}, true or false")
    return sentence(phrase(name))


SUFFIXES = (("Spec", "Desired state of {}."), ("Status", "Observed state of {}."), ("List", "A list of {}."),
            ("Condition", "One condition of {}."), ("Source", "Where {} comes from."),
            ("Reference", "Names {}."), ("Selector", "Selects {}."))


def definition(name):
    """One short sentence about a type, from its name."""
    short = name.rsplit(".", 1)[-1]
    for suffix, text in SUFFIXES:
        stem = short[:-len(suffix)]
        if short.endswith(suffix) and stem:
            return text.format(article(stem))
    return sentence(phrase(short))


def article(name):
    text = phrase(name)
    return ("an " if text[:1].lower() in "aeio" else "a ") + text
