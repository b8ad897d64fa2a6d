"""Prints, as JSON, what a file of Python says it needs installed (PEP 723). Its argument is the file."""

import json
import sys

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib


def block(lines):
    """The lines between `# /// script` and `# ///`, as the TOML that they are."""
    inside = None
    for line in (line.rstrip() for line in lines):
        if inside is None:
            inside = [] if line == "# /// script" else None
        elif line == "# ///":
            return "\n".join(inside)
        elif line == "#" or line.startswith("# "):
            inside.append(line[2:])
        else:
            break
    return ""


with open(sys.argv[1], encoding="utf-8") as file:
    told = tomllib.loads(block(file)).get("dependencies", [])
if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
    sys.exit("dependencies is no list of texts")
print(json.dumps(told))
