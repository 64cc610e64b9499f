"""`s3://` URLs, of states and of snapshots, with the parameters that the Pulumi CLI understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dataops.infra.errors import ConfigurationError

FLAGS = {
    "s3ForcePathStyle": "path_style",
    "use_path_style": "path_style",
    "disableSSL": "without_tls",
    "disable_https": "without_tls",
    "anonymous": "anonymous",
    "accelerate": "accelerate",
    "dualstack": "dualstack",
    "fips": "fips",
}
TEXTS = {
    "region": "region",
    "endpoint": "endpoint",
    "profile": "profile",
    "ssetype": "encryption",
    "kmskeyid": "key",
    "request_checksum_calculation": "request_checksums",
    "response_checksum_validation": "response_checksums",
}
IGNORED = ("awssdk", "hostname_immutable", "rate_limiter_capacity")
"""Parameters of the CLI's own client that mean nothing to ours."""

STATE = "the state"
HINT = "write s3://BUCKET/PREFIX?region=REGION, with &endpoint=URL&s3ForcePathStyle=true for another server than AWS"


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where in which bucket, and how it is reached; texts are "" and flags False where the URL does not say.

    Args:
        url: as it was given.
        bucket, prefix: `prefix` is "" or ends with `/`.
        endpoint: a URL.
        profile: in the files of AWS's tools, where credentials come from.
        encryption, key: server-side encryption, such as `aws:kms`, and its key.
        request_checksums, response_checksums: `when_supported` or `when_required`.
        what: what is kept there, for messages.
    """

    url: str
    bucket: str
    prefix: str = ""
    region: str = ""
    endpoint: str = ""
    profile: str = ""
    encryption: str = ""
    key: str = ""
    request_checksums: str = ""
    response_checksums: str = ""
    path_style: bool = False
    without_tls: bool = False
    anonymous: bool = False
    accelerate: bool = False
    dualstack: bool = False
    fips: bool = False
    what: str = STATE

    @property
    def encrypting(self) -> dict[str, Any]:
        """What is said to S3 with everything that is written."""
        said = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.key}
        return {name: value for name, value in said.items() if value}

    @classmethod
    def parse(cls, url: str, what: str = STATE) -> S3Location:
        """Reads a URL. `ConfigurationError` when it is none of S3, without repeating what may be a key.

        Args:
            what: what is kept there, for messages.
        """
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigurationError(f"the s3:// URL of {what} cannot be read", hint=HINT) from None
        where = f"s3://{parts.hostname or ''}{parts.path}"
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError(
                f"credentials do not belong into the URL of {what}",
                where=where,
                hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        if parts.scheme != "s3" or not parts.netloc or parts.fragment:
            raise ConfigurationError("this does not name a bucket", where=where, hint=HINT)
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name in FLAGS:
                found[FLAGS[name]] = _flag(name, value, what, where)
            elif name in TEXTS:
                found[TEXTS[name]] = value
            elif name == "role":
                raise ConfigurationError(
                    f"`role` is not supported in the URL of {what}",
                    where=where,
                    hint="name a profile instead (`profile=…`) that has this `role_arn` in ~/.aws/config",
                )
            elif name not in IGNORED:
                raise ConfigurationError(
                    f"the URL of {what} has the unknown parameter {name!r}", where=where, hint=HINT
                )
        if endpoint := found.get("endpoint", ""):
            if "://" not in endpoint:
                endpoint = f"{'http' if found.get('without_tls') else 'https'}://{endpoint}"
            elif found.get("without_tls"):
                endpoint = endpoint.replace("https://", "http://", 1)
            # Servers other than AWS often do not know the newer checksums.
            found = {"request_checksums": "when_required", "response_checksums": "when_required"} | found
            found["endpoint"] = endpoint
        prefix = unquote(parts.path).strip("/")
        return cls(url, parts.netloc, f"{prefix}/" if prefix else "", what=what, **found)


def _flag(name: str, value: str, what: str, where: str) -> bool:
    if value.lower() in ("1", "t", "true"):
        return True
    if value.lower() in ("0", "f", "false"):
        return False
    raise ConfigurationError(f"{name!r} in the URL of {what} must be true or false", where=where, hint=f"{name}=true")
