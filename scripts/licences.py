#!/usr/bin/env python3
"""The licence check: every package that Cargo.lock brings in offers a licence that Apache-2.0 software may be built with.

    scripts/licences.py            reads `cargo metadata`
    scripts/licences.py FILE       reads what cargo metadata printed earlier (- for standard input)

Exits 1 and names the packages that do not. Knows SPDX expressions of OR, AND, WITH and parentheses, and the old slash.
"""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC",
    "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}  # fmt: skip


def allowed(expression):
    """Whether the expression can be fulfilled with allowed licences only."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    value, rest = alternatives(tokens)
    if rest:
        raise ValueError(f"cannot read the licence expression {expression!r}")
    return value


def alternatives(tokens):
    value, tokens = conjunction(tokens)
    while tokens[:1] == ["OR"]:
        other, tokens = conjunction(tokens[1:])
        value = value or other
    return value, tokens


def conjunction(tokens):
    value, tokens = licence(tokens)
    while tokens[:1] == ["AND"]:
        other, tokens = licence(tokens[1:])
        value = value and other
    return value, tokens


def licence(tokens):
    if tokens[:1] == ["("]:
        value, tokens = alternatives(tokens[1:])
        return value, tokens[1:]
    name, tokens = tokens[0], tokens[1:]
    if tokens[:1] == ["WITH"]:
        name, tokens = f"{name} WITH {tokens[1]}", tokens[2:]
    return name in ALLOWED, tokens


def metadata(arguments):
    if not arguments:
        command = ["cargo", "metadata", "--locked", "--format-version", "1"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if arguments[0] == "-":
        return json.load(sys.stdin)
    with open(arguments[0], encoding="utf-8") as text:
        return json.load(text)


def main(arguments):
    packages = metadata(arguments)["packages"]
    refused = [package for package in packages if not package["license"] or not allowed(package["license"])]
    for package in refused:
        print(f"licences: {package['name']} {package['version']} offers {package['license']!r}, which is not allowed", file=sys.stderr)
    print(f"licences: {len(packages) - len(refused)} of {len(packages)} packages may be used")
    return 1 if refused or not packages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
