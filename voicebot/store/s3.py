"""Large files by their keys, in any store that speaks S3 (extra `s3`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voicebot.domain.errors import SettingsError, StoreError

_GONE = {"NoSuchKey", "404", "NotFound"}
_TRIES = 4
_TIMEOUT_S = 10


class S3Blobs:
    """The BlobStore port on a bucket, with the usual credentials: AWS_ACCESS_KEY_ID and so on."""

    def __init__(self, url: str, endpoint: str = "") -> None:
        """Take where it is. Raises SettingsError.

        Args:
            url: s3://BUCKET, or s3://BUCKET/PREFIX.
            endpoint: of a server other than Amazon's, https://s3.example.com.
        """
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise SettingsError(
                "the S3 client is not installed", hint="pip install 'voicebot[s3]'"
            ) from error
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        if not self._bucket:
            raise SettingsError(f"{url} names no bucket", hint="write s3://BUCKET or s3://BUCKET/PREFIX")
        times = {"connect_timeout": _TIMEOUT_S, "read_timeout": _TIMEOUT_S}
        config = Config(retries={"max_attempts": _TRIES, "mode": "standard"}, **times)
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)

    def put(self, key: str, data: bytes) -> None:
        """Write a blob: S3 shows the whole of it or nothing. Raises StoreError."""
        self._ask("put_object", key, Body=data)

    def get(self, key: str) -> bytes:
        """Return a blob. Raises StoreError if it is missing."""
        return bytes(self._ask("get_object", key)["Body"].read())

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys. Raises StoreError."""
        pages = self._client.get_paginator("list_objects_v2")
        with _translated(prefix or "the bucket"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", ()):
                    yield str(item["Key"]).removeprefix(self._prefix)

    def delete(self, key: str) -> None:
        """Delete a blob; one that is gone already is no error. Raises StoreError."""
        self._ask("delete_object", key)

    def _ask(self, what: str, key: str, **more: Any) -> Any:
        with _translated(key):
            return getattr(self._client, what)(Bucket=self._bucket, Key=self._prefix + key, **more)


class _translated:  # noqa: N801  # used as a statement: with _translated(key)
    """Turns the S3 client's errors into ours."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            missing = "is missing" if code in _GONE else f"is refused ({code})"
            raise StoreError(f"{self._key} in the S3 store {missing}") from error
        if isinstance(error, BotoCoreError):
            raise StoreError(
                f"the S3 store does not answer ({type(error).__name__})",
                hint="check VOICEBOT_BLOBS, VOICEBOT_BLOBS_ENDPOINT and the credentials",
            ) from error
