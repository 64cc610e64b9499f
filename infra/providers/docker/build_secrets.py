"""Where packages come from on this machine, as secrets of a build: they are mounted while a step runs, in no layer.

Nothing needs to be configured for a build: what pip and uv go by here, variables and their files, is what they go by
there. Addresses of indexes hold credentials as a rule, so all of it counts as secret.
"""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.dockerfile import CA_SECRET, INDEX_SECRET, LOGIN_SECRET

CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
PASSED_ON = ("PIP_DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT", "UV_INDEX_STRATEGY")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
LARGEST = 500 * 1024
"""What BuildKit takes of one secret."""


def found_secrets(variables: Mapping[str, str], scratch: Path, etc: Path = Path("/etc")) -> dict[str, str]:
    """The secrets that a build is given for its installers: id to a file.

    Args:
        variables: of the process.
        scratch: a folder that only this user reads, for the file that is made.
        etc: where the machine's own configuration is.

    Raises:
        ConfigurationError: the certificates that a variable names are missing, or more than a build takes.
    """
    settings, secrets = index_settings(variables, etc), {}
    certificates = _certificates(variables, etc)
    if certificates is not None:
        secrets[CA_SECRET] = str(certificates)
        inside = f"/run/secrets/{CA_SECRET}"
        settings |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"), inside)
    logins = Path(variables.get("NETRC") or Path(variables.get("HOME") or Path.home()) / ".netrc").expanduser()
    if logins.is_file():
        secrets[LOGIN_SECRET] = str(logins)
        settings["NETRC"] = f"/run/secrets/{LOGIN_SECRET}"
    if settings:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(settings.items())]
        file = scratch / "index"
        file.touch(mode=0o600)
        file.write_text("".join(lines), encoding="utf-8")
        secrets[INDEX_SECRET] = str(file)
    return secrets


def index_settings(variables: Mapping[str, str], etc: Path = Path("/etc")) -> dict[str, str]:
    """The variables by which pip and uv find packages in a build. Must not be logged.

    What is said for one of the two counts for the other, unless that has its own.
    """
    pip, files = _pip_configuration(variables, etc), _uv_configuration(variables, etc)
    said = {
        "index": variables.get("PIP_INDEX_URL") or pip.get("index-url", ""),
        "more": variables.get("PIP_EXTRA_INDEX_URL") or pip.get("extra-index-url", ""),
        "trusted": variables.get("PIP_TRUSTED_HOST") or pip.get("trusted-host", ""),
        "links": variables.get("PIP_FIND_LINKS") or pip.get("find-links", ""),
    }
    uv = {
        "index": variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL") or files["index"],
        "more": variables.get("UV_INDEX") or variables.get("UV_EXTRA_INDEX_URL") or files["more"],
        "trusted": variables.get("UV_INSECURE_HOST") or files["trusted"],
        "links": variables.get("UV_FIND_LINKS") or files["links"],
    }
    own, others = {k: said[k] or uv[k] for k in said}, {k: uv[k] or said[k] for k in said}
    settings = {
        "PIP_INDEX_URL": _unnamed(own["index"]),
        "PIP_EXTRA_INDEX_URL": " ".join(_unnamed(url) for url in own["more"].split()),
        "PIP_TRUSTED_HOST": " ".join(own["trusted"].split()),
        "PIP_FIND_LINKS": " ".join(_urls(own["links"])),
        "UV_DEFAULT_INDEX": others["index"],
        "UV_INDEX": " ".join(others["more"].split()),
        "UV_INSECURE_HOST": " ".join(others["trusted"].split()),
        "UV_FIND_LINKS": ",".join(_urls(others["links"])),
        **{name: variables.get(name, "") for name in PASSED_ON},
        **{name: variables[name] for name in variables if name.upper() in PROXIES},
        **{n: v for n, v in variables.items() if n.startswith("UV_INDEX_") and n.endswith(("_USERNAME", "_PASSWORD"))},
    }
    return {name: value for name, value in settings.items() if value}


def _unnamed(index: str) -> str:
    """The address of an index, to which uv may give a name, as `name=https://…`."""
    return re.sub(r"^[\w.-]+=", "", index)


def _urls(text: str) -> Iterator[str]:
    """Places of packages that are no folders of this machine."""
    return (word for word in text.replace(",", " ").split() if "://" in word and not word.startswith("file:"))


def _certificates(variables: Mapping[str, str], etc: Path) -> Path | None:
    named = [(name, variables[name]) for name in CERTIFICATES if variables.get(name)]
    if cert := _pip_configuration(variables, etc).get("cert"):
        named.append(("cert of pip's configuration", cert))
    for name, value in named:
        path = Path(value).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"there are no certificates at {path}", where=name, hint="mend or unset it")
        if path.stat().st_size > LARGEST:
            raise ConfigurationError(
                f"{path} has more certificates than a build takes as a secret (500 KiB)",
                where=name,
                hint="name a file with those that the package index needs",
            )
        return path
    return None


def _pip_configuration(variables: Mapping[str, str], etc: Path) -> dict[str, str]:
    """What pip's files say for all of its commands and for `install`; later files and sections win, as with pip."""
    home = Path(variables.get("HOME") or Path.home())
    settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    files = [etc / "pip.conf", home / ".pip" / "pip.conf", settings / "pip" / "pip.conf"]
    if named := variables.get("PIP_CONFIG_FILE"):
        files = [] if named == "/dev/null" else [*files, Path(named).expanduser()]
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigurationError("pip's configuration cannot be read", where=str(file)) from error
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= dict(parser.items(section))
    return found


def _uv_configuration(variables: Mapping[str, str], etc: Path) -> dict[str, str]:
    """What uv's own files say, in the words of its variables; later files and the table `pip` win, as with uv."""
    home = Path(variables.get("HOME") or Path.home())
    settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    files = [etc / "uv" / "uv.toml", settings / "uv" / "uv.toml"]
    if named := variables.get("UV_CONFIG_FILE"):
        files = [Path(named).expanduser()]
    found: dict[str, str] = {"index": "", "more": "", "trusted": "", "links": ""}
    for file in () if variables.get("UV_NO_CONFIG") else files:
        try:
            found |= _said_to_uv(tomllib.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        # a text that is no TOML, or no text, is a ValueError; values of other kinds than uv takes are the others
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError("uv's configuration cannot be read", where=str(file)) from error
    return found


def _said_to_uv(document: Mapping[str, Any]) -> dict[str, str]:
    said = {**document, **document.get("pip", {})}
    addresses: dict[bool, list[str]] = {True: [], False: []}
    for index in said.get("index", ()):
        name = f"{index['name']}=" if "name" in index else ""
        if not index.get("explicit"):
            addresses[bool(index.get("default"))].append(f"{name}{index['url']}")
    found = {
        "index": next(iter(addresses[True]), said.get("index-url", "")),
        "more": " ".join([*addresses[False], *said.get("extra-index-url", ())]),
        "trusted": " ".join(said.get("allow-insecure-host", ())),
        "links": " ".join(said.get("find-links", ())),
    }
    return {name: value for name, value in found.items() if value}
