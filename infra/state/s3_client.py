"""The client for a bucket, and its errors in our words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from dataops.infra.errors import (
    AuthenticationError,
    ConfigurationError,
    DataopsError,
    DeadlineError,
    NotFoundError,
)
from dataops.infra.state.s3_location import S3Location

READS = 4
"""How often an object is read whose transfer is cut off."""

REFUSED = ("AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "Forbidden")
BAD_CREDENTIALS = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
)
CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
ELSEWHERE = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")
BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500", "Throttling")


def open_client(location: S3Location) -> Any:
    """A boto3 client for the location's server; may be used by many threads.

    Raises:
        ConfigurationError: boto3 is not installed, or the profile does not exist.
    """
    try:
        import boto3
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        raise ConfigurationError(
            "S3 needs the library boto3, which is not installed",
            where=location.url,
            hint="pip install 'dataops[aws]'",
        ) from None
    settings: dict[str, Any] = {
        "connect_timeout": 5,
        "read_timeout": 15,
        "retries": {"mode": "standard", "total_max_attempts": 4},
        "s3": {
            "addressing_style": "path" if location.path_style else "auto",
            "use_accelerate_endpoint": location.accelerate,
        },
    }
    if location.dualstack:
        settings["use_dualstack_endpoint"] = True
    if location.fips:
        settings["use_fips_endpoint"] = True
    if location.anonymous:
        settings["signature_version"] = UNSIGNED
    if location.request_checksums:
        settings["request_checksum_calculation"] = location.request_checksums
    if location.response_checksums:
        settings["response_checksum_validation"] = location.response_checksums
    with translating(location):
        core = botocore.session.Session(profile=location.profile or None)
        core.register_component("data_loader", _descriptions())
        session = boto3.Session(botocore_session=core, region_name=location.region or None)
        # Requests must be signed for some region; a bucket elsewhere says where it is.
        return session.client(
            "s3",
            region_name=session.region_name or "us-east-1",
            endpoint_url=location.endpoint or None,
            use_ssl=not location.without_tls,
            config=Config(**settings),
        )


@cache
def _descriptions() -> Any:
    """What botocore knows of AWS's services, which takes a third of a second to read: once is enough."""
    from botocore.loaders import create_loader

    return create_loader()


@contextmanager
def translating(location: S3Location) -> Iterator[None]:
    """Turns the errors of boto3 into ours. A `ClientError` whose code says that a condition failed passes through."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"):
            raise
        raise _refusal(code_of(error), location) from None
    except BotoCoreError as error:
        raise _failure(error, location) from None


def read_whole(location: S3Location, request: Callable[[], Any]) -> tuple[bytes, Any] | None:
    """An object with what S3 answered, asked for again when the connection is cut in the middle of it.

    Args:
        request: asks for the object; None when there is none.
    """
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    attempt = 0
    while True:
        attempt += 1
        answer = request()
        if answer is None:
            return None
        with translating(location):
            try:
                return cast(bytes, answer["Body"].read()), answer
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                if attempt == READS:
                    raise
        time.sleep(0.1 * 2**attempt)


def code_of(error: Any) -> str:
    """What S3 calls an error, or its HTTP status where there was no body to say it."""
    return str((error.response.get("Error") or {}).get("Code", ""))


def _refusal(code: str, location: S3Location) -> DataopsError:
    where = f"s3://{location.bucket}/{location.prefix}"
    if code == "NoSuchBucket":
        return NotFoundError(
            f"there is no bucket {location.bucket!r}", where=where, hint=f"aws s3 mb s3://{location.bucket}"
        )
    if code in REFUSED:
        return AuthenticationError(
            f"access to {location.what} in bucket {location.bucket!r} is denied",
            where=where,
            hint="its credentials need s3:ListBucket on it, and s3:GetObject, s3:PutObject, s3:DeleteObject in it",
        )
    if code in BAD_CREDENTIALS:
        return AuthenticationError(
            f"S3 does not accept the credentials ({code})",
            where=where,
            hint="see which are used with `aws sts get-caller-identity`, renew them, then run the command again",
        )
    if code in CLOCK:
        return AuthenticationError(
            "S3 refused the request because this machine's clock is wrong",
            where=where,
            hint="set the clock (`timedatectl set-ntp true`), then run the command again",
        )
    if code in ELSEWHERE:
        return ConfigurationError(
            f"bucket {location.bucket!r} is in another region than {location.region or 'the default one'}",
            where=where,
            hint=f"add its region to the URL of {location.what}: region=…",
        )
    if code in BUSY:
        return DeadlineError(
            f"S3 was too busy to answer ({code}), several times", where=where, hint="run the command again in a while"
        )
    if code in ("NotImplemented", "501"):
        return ConfigurationError(
            "this S3 server does not know conditional writes, which keep two machines from both writing the same thing",
            where=where,
            hint="use a newer version of it, or another server",
        )
    return DataopsError(f"S3 refused a request ({code})", where=where, hint="see to the bucket, then run it again")


def _failure(error: Any, location: S3Location) -> DataopsError:
    from botocore import exceptions as boto

    where = f"s3://{location.bucket}/{location.prefix}"
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)):
        return AuthenticationError(
            f"there are no credentials for {location.what} in S3",
            where=where,
            hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`",
        )
    if isinstance(error, (boto.TokenRetrievalError, boto.SSOTokenLoadError, boto.UnauthorizedSSOTokenError)):
        return AuthenticationError("the login for AWS has expired", where=where, hint="run `aws sso login`")
    if isinstance(error, boto.ProfileNotFound):
        return ConfigurationError(
            "the AWS profile that is named does not exist", where=where, hint="see `aws configure list-profiles`"
        )
    if isinstance(error, (boto.ConnectTimeoutError, boto.ReadTimeoutError)):
        return DeadlineError(
            f"the S3 server at {_server(location)} did not answer in time", where=where, hint="see to the network"
        )
    if isinstance(error, boto.SSLError):
        return ConfigurationError(
            f"the certificate of {_server(location)} is not trusted",
            where=where,
            hint="let AWS_CA_BUNDLE name the file of its authority",
        )
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError)):
        return DeadlineError(
            f"the S3 server at {_server(location)} cannot be reached",
            where=where,
            hint=f"see to the network, and to `endpoint` in the URL of {location.what}; what was recorded is kept",
        )
    if isinstance(error, (boto.ParamValidationError, ValueError)):
        hint = f"correct the URL of {location.what}"
        return ConfigurationError("this cannot be the name of a bucket", where=where, hint=hint)
    return DataopsError(f"S3 cannot be used ({type(error).__name__})", where=where, hint="see to the AWS configuration")


def _server(location: S3Location) -> str:
    return location.endpoint or "AWS"
