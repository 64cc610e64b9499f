"""Where packages come from is known in a build and found in nothing that comes of it."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
from pathlib import Path

import pytest

from dataops.infra.errors import ConfigurationError
from dataops.infra.platform.dockerfile import generated_dockerfile
from dataops.infra.providers.docker.build_secrets import found_secrets, index_settings
from dataops.infra.providers.docker.engine import Engine
from dataops.infra.providers.docker.image import ImageHandler
from support.docker_engine import OPERATION, Scene

INDEX = "https://team:s3cr3t@packages.example.com/simple"


def test_what_is_said_to_pip_counts_for_uv_as_well_and_the_other_way_round(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert index_settings({**home, "PIP_INDEX_URL": INDEX}, tmp_path) == {
        "PIP_INDEX_URL": INDEX,
        "UV_DEFAULT_INDEX": INDEX,
    }
    found = index_settings({**home, "UV_INDEX_URL": INDEX, "PIP_INDEX_URL": "https://other/simple"}, tmp_path)
    assert found == {"PIP_INDEX_URL": "https://other/simple", "UV_DEFAULT_INDEX": INDEX}


@pytest.mark.parametrize("place", ["etc/pip.conf", "home/.config/pip/pip.conf", "home/.pip/pip.conf", "named.conf"])
def test_the_files_of_pip_are_found(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[global]\nindex-url = {INDEX}\ntrusted-host =\n    one\n    two\nfind-links = /folder\n")
    variables = {"HOME": str(tmp_path / "home")}
    if place == "named.conf":
        variables["PIP_CONFIG_FILE"] = str(file)
    found = index_settings(variables, tmp_path / "etc")
    assert (found["UV_DEFAULT_INDEX"], found["PIP_TRUSTED_HOST"]) == (INDEX, "one two")
    assert "PIP_FIND_LINKS" not in found, "folders of this machine are not there in a build"


UV = f"""
allow-insecure-host = ["one"]
[[index]]
name = "team"
url = "{INDEX}"
default = true
[[index]]
name = "more"
url = "https://more/simple"
[[index]]
url = "https://apart/simple"
explicit = true
"""


@pytest.mark.parametrize("place", ["etc/uv/uv.toml", "home/.config/uv/uv.toml", "named.toml"])
def test_the_files_of_uv_are_found_and_named_indexes_keep_their_names_for_uv(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(UV)
    variables = {"HOME": str(tmp_path / "home")}
    if place == "named.toml":
        variables["UV_CONFIG_FILE"] = str(file)
    found = index_settings(variables, tmp_path / "etc")
    assert (found["UV_DEFAULT_INDEX"], found["UV_INDEX"]) == (f"team={INDEX}", "more=https://more/simple")
    assert (found["PIP_INDEX_URL"], found["PIP_EXTRA_INDEX_URL"]) == (INDEX, "https://more/simple")
    assert found["UV_INSECURE_HOST"] == found["PIP_TRUSTED_HOST"] == "one"
    assert index_settings({**variables, "UV_NO_CONFIG": "1"}, tmp_path / "etc") == {}
    for bad in ("[[index", "index = 1", "[[index]]"):
        file.write_text(bad)
        with pytest.raises(ConfigurationError, match="uv's configuration cannot be read") as caught:
            index_settings(variables, tmp_path / "etc")
        assert caught.value.where == str(file)


def test_logins_of_netrc_are_handed_in(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine packages.example.com login team password s3cr3t\n")
    found = found_secrets({"HOME": str(tmp_path)}, tmp_path, tmp_path / "etc")
    assert found["dataops-netrc"] == str(tmp_path / ".netrc")
    settings = Path(found["dataops-index"]).read_text()
    assert settings == "export NETRC=/run/secrets/dataops-netrc\n"


def test_certificates_are_handed_in_and_missing_ones_are_told(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificates")
    given = {"HOME": str(tmp_path), "REQUESTS_CA_BUNDLE": str(bundle)}
    found = found_secrets(given, tmp_path, tmp_path / "etc")
    assert found["dataops-ca"] == str(bundle)
    settings = Path(found["dataops-index"])
    assert settings.stat().st_mode & 0o777 == 0o600
    assert "export SSL_CERT_FILE=/run/secrets/dataops-ca" in settings.read_text()
    with pytest.raises(ConfigurationError, match="no certificates at /nowhere") as caught:
        found_secrets({"HOME": str(tmp_path), "SSL_CERT_FILE": "/nowhere"}, tmp_path, tmp_path / "etc")
    assert caught.value.where == "SSL_CERT_FILE"


@pytest.mark.docker
@pytest.mark.slow
def test_the_generated_dockerfile_leaves_no_secret_in_labels_history_or_layers(
    here: Scene, shell: str, tmp_path: Path
) -> None:
    token, mark = f"s3cr3t-{secrets.token_hex(8)}", f"mark-{secrets.token_hex(8)}"
    usual = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    bundle = tmp_path / "ca.pem"
    bundle.write_text(f"# {mark}\n" + (usual.read_text(encoding="utf-8") if usual.is_file() else ""))
    context = tmp_path / "code"
    context.mkdir()
    (context / "requirements.txt").write_text(f"# {secrets.token_hex(8)}: no layer of before will do\n")
    (context / "main.py").write_text("print('hello')\n")
    (context / ".dockerignore").write_text("*.txt\n!requirements.txt\n")
    (context / "notes.txt").write_text(f"{mark} for the author\n")
    (context / ".git").write_text(f"gitdir: {mark}\n")
    variables = {**os.environ, "SSL_CERT_FILE": str(bundle), "UV_INDEX_TEAM_PASSWORD": token}
    inputs = here.inputs("code", context=str(context), dockerfileText=generated_dockerfile(shell, ["requirements.txt"]))
    made = ImageHandler(Engine(variables)).create(OPERATION, inputs).outputs["reference"]
    client = here.engine.client
    everything = [str(client.history(made)).encode(), str(client.inspect_image(made)).encode()]
    with tarfile.open(fileobj=io.BytesIO(b"".join(client.get_image(made)))) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is None:
                continue
            if not member.name.endswith(".tar"):
                everything.append(file.read())
                continue
            with tarfile.open(fileobj=file) as layer:
                everything += [layer.extractfile(entry).read() for entry in layer if entry.isreg()]  # type: ignore[union-attr]
    assert b"print('hello')\n" in everything, "layers are looked into"
    assert not [piece for piece in everything if token.encode() in piece or mark.encode() in piece]
    assert client.inspect_image(made)["Config"]["User"] == "10001:10001"
