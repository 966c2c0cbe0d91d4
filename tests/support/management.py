"""A small management API: the calls by which the Supabase CLI links a project and deploys functions, with bad days.

It answers as the platform does where the CLI looks, and refuses what it would refuse: another token, another project, a
function whose entry point was not uploaded, the publication of a function that was not uploaded.
"""

import email
import email.policy
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from support.scripted_server import Heard, Reply, ScriptedServer, answer

TOKEN: Final = "sbp_" + "5" * 40
PROJECT_REF: Final = "abcdefghijklmnopqrst"

_PROJECT: Final = f"/v1/projects/{PROJECT_REF}"
_READINGS: Final[dict[str, Any]] = {
    "": {
        "id": PROJECT_REF,
        "ref": PROJECT_REF,
        "name": "emocare-hq",
        "organization_id": "organisation",
        "organization_slug": "organisation",
        "region": "eu-west-3",
        "created_at": "2026-01-01T00:00:00Z",
        "status": "ACTIVE_HEALTHY",
        "database": {"host": "localhost", "version": "15.1.0.1", "postgres_engine": "15", "release_channel": "ga"},
    },
    "/api-keys": [{"name": "anon", "api_key": "anon-key"}, {"name": "service_role", "api_key": "service-key"}],
    "/config/storage": {},
    "/config/database/pooler": [],
}


@dataclass(frozen=True)
class Upload:
    """One function as it arrived."""

    slug: str
    files: dict[str, str]
    metadata: dict[str, Any]
    is_bundle_only: bool

    @property
    def is_complete(self) -> bool:
        """Whether the platform could start it."""
        return self.metadata.get("name") == self.slug and self.metadata.get("entrypoint_path") in self.files

    @property
    def is_checked(self) -> bool:
        """Whether the platform verifies a caller's token itself: a function for which nothing is said is."""
        return bool(self.metadata.get("verify_jwt", True))

    def describe(self) -> dict[str, Any]:
        """Write what the platform answers of a function."""
        described = {"id": f"id-of-{self.slug}", "slug": self.slug, "status": "ACTIVE", "version": 1}
        return described | {"name": self.metadata["name"], "verify_jwt": self.is_checked}


class ManagementApi(ScriptedServer):
    """Remembers what arrived; `faults` makes calls whose path and query hold a text end with a status."""

    def __init__(self) -> None:
        super().__init__()
        self.usual = self._answer
        self.faults: dict[str, int] = {}
        self.secrets: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.published: set[str] = set()
        self.refused: list[str] = []

    def _answer(self, heard: Heard) -> Reply:
        status, fields = self._decide(heard)
        if status >= 400:
            self.refused.append(f"{status} {heard.method} {heard.path}")
        return answer(status, fields)

    def _decide(self, heard: Heard) -> tuple[int, Any]:
        address = urlsplit(heard.path)
        if heard.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        for text, status in self.faults.items():
            if text in heard.path:
                return status, {"message": "Internal Server Error"}
        if not address.path.startswith(_PROJECT):
            return 404, {"message": "Not Found"}
        return self._act(heard, address.path.removeprefix(_PROJECT), parse_qs(address.query))

    def _act(self, heard: Heard, name: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        match heard.method, name:
            case "GET", _ if name in _READINGS:
                return 200, _READINGS[name]
            case "GET", "/functions":
                return 200, [self.uploads[slug].describe() for slug in sorted(self.published)]
            case "POST", "/secrets":
                self.secrets |= {secret["name"]: secret["value"] for secret in json.loads(heard.body)}
                return 201, {}
            case "POST", "/functions/deploy":
                return self._take(_read_upload(heard, query))
            case "PUT", "/functions":
                return self._publish(json.loads(heard.body))
        return 404, {"message": f"Cannot {heard.method} {name}"}

    def _take(self, upload: Upload) -> tuple[int, Any]:
        if not upload.is_complete:
            return 400, {"message": "Entrypoint path does not exist"}
        self.uploads[upload.slug] = upload
        if not upload.is_bundle_only:
            self.published.add(upload.slug)
        return 201, upload.describe()

    def _publish(self, functions: list[dict[str, Any]]) -> tuple[int, Any]:
        slugs = {function["slug"] for function in functions}
        if not slugs <= self.uploads.keys():
            return 400, {"message": "Function was not bundled"}
        self.published |= slugs
        return 200, {"functions": [self.uploads[slug].describe() for slug in sorted(slugs)]}


def _read_upload(heard: Heard, query: dict[str, list[str]]) -> Upload:
    head = f"Content-Type: {heard.headers['content-type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + heard.body, policy=email.policy.HTTP)
    files: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    for part in form.iter_parts():
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        match part.get_param("name", header="content-disposition"):
            case "file":
                files[str(part.get_filename())] = payload.decode()
            case "metadata":
                metadata = json.loads(payload)
    return Upload(query["slug"][0], files, metadata, is_bundle_only=query.get("bundleOnly") == ["true"])
